"""What a synthetic tape is drawn from: marginals and correlations, each with its source, as YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Annotated, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator, model_validator

from scenarios.file_spec import FileSpec
from scenarios.load import spec_from_text
from scenarios.shelf import Shelf
from scenarios.spec import Spec
from scenarios.vocabulary import AMORTISATIONS, SEGMENTS
from simulator.sourced import Evidence, Share
from simulator.tape.tape import FIELDS

PROFILES: Final = Shelf("tape profile", "simulator.tape", "profiles")
MARKETS: Final = Shelf("tape market", "simulator.tape", "markets")

CORRELATED: Final = (
    "amount",
    "term",
    "rate",
    "loan_to_value",
    "score",
    "payment_to_income",
    "used",
    "arrears",
)
"""Attributes that are drawn jointly, by a Gaussian copula; `used` and `arrears` are larger where worse."""


class Quantiles(Evidence):
    """A continuous distribution, linear between stated quantiles."""

    probabilities: Annotated[tuple[float, ...], Field(min_length=2)]
    """Ascending, from 0 to 1."""
    values: Annotated[tuple[float, ...], Field(min_length=2)]
    """One value a probability, not descending."""

    @model_validator(mode="after")
    def _is_a_distribution(self) -> Self:
        if len(self.probabilities) != len(self.values):
            raise ValueError(f"{len(self.values)} values for {len(self.probabilities)} probabilities; expected as many")
        ends = self.probabilities[0], self.probabilities[-1]
        if ends != (0.0, 1.0) or any(right <= left for left, right in pairwise(self.probabilities)):
            raise ValueError("probabilities must ascend from 0 to 1")
        if any(right < left for left, right in pairwise(self.values)):
            raise ValueError("values must not descend")
        return self

    def at(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at probabilities between 0 and 1."""
        return np.interp(probability, self.probabilities, self.values)

    @property
    def mean(self) -> float:
        """Expected value: the trapezoid below the quantile function."""
        return float(np.trapezoid(self.values, self.probabilities))


class Frequencies(Evidence):
    """A distribution over whole numbers."""

    values: Annotated[tuple[int, ...], Field(min_length=1)]
    """Ascending."""
    weights: Annotated[tuple[Annotated[float, Field(ge=0.0)], ...], Field(min_length=1)]
    """One weight a value; only their ratios matter, so counts may stand here."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if len(self.values) != len(self.weights):
            raise ValueError(f"{len(self.weights)} weights for {len(self.values)} values; expected as many")
        if any(right <= left for left, right in pairwise(self.values)) or sum(self.weights) <= 0.0:
            raise ValueError("values must ascend, and some weight must be above 0")
        return self

    def at(self, probability: NDArray[np.float64]) -> NDArray[np.int64]:
        """Values at probabilities between 0 and 1."""
        return np.array(self.values, dtype=np.int64)[pick(self.weights, probability)]


class Weights(Evidence):
    """A distribution over names."""

    weights: Annotated[dict[str, Annotated[float, Field(ge=0.0)]], Field(min_length=1)]
    """Name -> weight; only their ratios matter, so counts may stand here."""

    @model_validator(mode="after")
    def _some_weight(self) -> Self:
        if sum(self.weights.values()) <= 0.0:
            raise ValueError("all weights are 0; expected some above 0")
        return self

    def at(self, probability: NDArray[np.float64]) -> NDArray[np.str_]:
        """Names at probabilities between 0 and 1."""
        return np.array(list(self.weights))[pick(tuple(self.weights.values()), probability)]


class Vehicles(Weights):
    """A distribution over vehicle segments."""

    @model_validator(mode="after")
    def _known_segments(self) -> Self:
        _only_known(self.weights, SEGMENTS, "vehicle segment")
        return self


class Amortisations(Weights):
    """A distribution over ways of repaying principal."""

    @model_validator(mode="after")
    def _known_ways(self) -> Self:
        _only_known(self.weights, AMORTISATIONS, "way of repaying")
        return self


class Products(Weights):
    """A distribution over products."""

    @model_validator(mode="after")
    def _known_products(self) -> Self:
        _only_known(self.weights, FIELDS["product"].codes, "product")
        return self


def _only_known(weights: Mapping[str, float], names: Sequence[str], what: str) -> None:
    unknown = sorted(set(weights) - set(names))
    if unknown:
        raise ValueError(f"no {what}: {', '.join(unknown)}; expected some of {', '.join(names)}")


class Correlations(Evidence):
    """Correlations of the normal scores of the jointly drawn attributes."""

    pairs: dict[str, Annotated[float, Field(gt=-1.0, lt=1.0)]]
    """`first/second` -> correlation; pairs that are not listed have none."""

    @model_validator(mode="after")
    def _known_pairs(self) -> Self:
        for pair in self.pairs:
            names = pair.split("/")
            if len(names) != 2 or len(set(names)) != 2 or not set(names) <= set(CORRELATED):
                raise ValueError(f"pair {pair}; expected two of {', '.join(CORRELATED)}, as amount/term")
        return self


class TapeMarket(Spec):
    """Where borrowers live and work: `kind: tape_market`."""

    kind: Literal["tape_market"]
    """What this file is."""
    name: str
    """Name that profiles refer to."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """ISO 4217 code of all amounts."""
    regions: Weights
    """Region -> weight."""
    sectors: Weights
    """Employment sector -> weight."""


class TapeProfile(FileSpec):
    """What loans of one credit tier look like at origination, and how a book of them ages: `kind: tape_profile`."""

    kind: Literal["tape_profile"]
    """What this file is."""
    name: str
    """Name; the parameter set of the same tier has the same one."""
    title: str
    """One line for people."""
    market: str
    """Name of a market."""
    score: Quantiles | None
    """Credit score; null where lenders of the market report none."""
    score_type: str
    """Name of the score's scale; empty where there is none."""
    amount: Quantiles
    """Amount financed, currency."""
    term: Frequencies
    """Instalments, months."""
    rate: Quantiles
    """Contract rate, fraction a year."""
    loan_to_value: Quantiles
    """Amount financed over the car's value at origination, fraction."""
    payment_to_income: Quantiles | None
    """Instalment over monthly income, fraction; null where lenders of the market report none."""
    co_borrower_share: Share
    """Loans with a second obligor."""
    used_share: Share
    """Loans on cars that were used at origination."""
    used_vehicle_age: Frequencies
    """Age of used cars at origination, years."""
    new_vehicles: Vehicles
    """Segments of new cars, electric ones apart."""
    used_vehicles: Vehicles
    """Segments of used cars."""
    electric_share_of_new: Share
    """New cars that are electric."""
    new_value_source: Literal["invoice", "msrp", "retail", "wholesale", "other"]
    """Basis of a new car's value."""
    used_value_source: Literal["invoice", "msrp", "retail", "wholesale", "other"]
    """Basis of a used car's value."""
    channels: Weights
    """Sales channel -> weight."""
    attrition: Share
    """Loans that leave the book before maturity, a month: an evenly originated book then holds ages in
    proportion to (1 - attrition)^age."""
    product: Products | None = None
    """Product -> weight. Absent: all are purchase loans."""
    amortisation: Amortisations | None = None
    """How principal is repaid -> weight. Absent: all in level instalments."""
    balloon_share: Share | None = None
    """Part of the amount financed that falls due with the last instalment of a balloon loan."""
    kilometres_per_year: Quantiles | None = None
    """Kilometres that used cars were driven a year before origination. Absent: no mileage is stated."""
    income_verified_share: Share | None = None
    """Loans whose borrower's income was verified. Absent: none, as of every share that follows."""
    tracker_share: Share | None = None
    """Cars with a GPS tracker."""
    starter_interrupt_share: Share | None = None
    """Cars whose starter can be blocked."""
    credit_insured_share: Share | None = None
    """Loans that a credit-insurance policy covers."""
    modified_share: Share | None = None
    """Loans that have been extended or otherwise modified."""
    repossessed_share: Share | None = None
    """Of the loans two or more instalments past due, those whose car has been repossessed."""
    correlations: Correlations
    """How the attributes of one loan hang together."""
    arrears_correlations: Correlations
    """How they hang together with being in arrears."""

    @field_validator("balloon_share", mode="after")
    @classmethod
    def _balloons_have_a_size(cls, value: Share | None, info: ValidationInfo) -> Share | None:
        amortisation = info.data.get("amortisation")
        if value is None and amortisation is not None and amortisation.weights.get("balloon", 0.0) > 0.0:
            raise ValueError("missing where loans have balloons; expected a share of the amount financed")
        return value

    @field_validator("arrears_correlations", mode="after")
    @classmethod
    def _consistent(cls, value: Correlations, info: ValidationInfo) -> Correlations:
        others = info.data.get("correlations")
        if others is not None and np.linalg.eigvalsh(_matrix({**others.pairs, **value.pairs}))[0] <= 0.0:
            raise ValueError("with the other correlations they contradict each other (not positive definite)")
        return value

    @property
    def correlation_matrix(self) -> NDArray[np.float64]:
        """``float64[attribute, attribute]`` in the order of `CORRELATED`."""
        return _matrix({**self.correlations.pairs, **self.arrears_correlations.pairs})


def _matrix(pairs: dict[str, float]) -> NDArray[np.float64]:
    matrix = np.eye(len(CORRELATED))
    for pair, value in pairs.items():
        row, column = (CORRELATED.index(name) for name in pair.split("/"))
        matrix[row, column] = matrix[column, row] = value
    return matrix


def pick(weights: tuple[float, ...], probability: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of the weight into whose share of the total each probability falls."""
    edges = np.cumsum(weights) / np.sum(weights)
    # The last edge may be 1 less a rounding error.
    return np.minimum(np.searchsorted(edges, probability, side="right"), len(weights) - 1)


def profile_names() -> tuple[str, ...]:
    """Names of the shipped profiles."""
    return PROFILES.names


@cache
def load_profile(name: str) -> TapeProfile:
    """A shipped profile by name, or the profile of a YAML file by path.

    Raises
    ------
    InputError
        No such profile, or a faulty file.
    """
    found = PROFILES.find(name, None, "synthetic book")
    return spec_from_text(found.text, found.name, TapeProfile, found.folder)


@cache
def load_market(name: str, where: str = "synthetic book") -> TapeMarket:
    """A shipped market by name, or the market of a YAML file by path."""
    found = MARKETS.find(name, None, where)
    return spec_from_text(found.text, found.name, TapeMarket, found.folder)
