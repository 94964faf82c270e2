"""Shipped profiles: every number that claims to be computed from real data is computed again from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from simulator.sourced import Evidence
from simulator.tape import TapeProfile, load_profile, profile_names
from simulator.tape.profile import Quantiles
from tier_samples import ALLY_WEIGHT_OF_USED, BANDS, SETS, Rows, auction_cars, band, column

DEEP_SUBPRIME_AMOUNT = 11_000
COLUMNS = ("amount", "term", "rate", "loan_to_value", "score", "payment_to_income", "used")


@pytest.fixture(params=BANDS)
def profile(request: pytest.FixtureRequest) -> TapeProfile:
    return load_profile(request.param)


def _rows(profile: TapeProfile, figure: Evidence) -> Rows:
    """Loans that a figure says that it was computed from."""
    [words] = [words for words in SETS if words in figure.source.split("; those of the term")[0]]
    rows = band(words, profile.name)
    assert f"{len(rows):,} loans" in figure.source
    return rows


def _weights(figure: Evidence, rows: Rows) -> NDArray[np.float64]:
    """The Ally panel holds too many used cars; there each counts less."""
    weighted = f"used cars weighted {ALLY_WEIGHT_OF_USED}" in figure.source
    return np.where(column(rows, "used") > 0, ALLY_WEIGHT_OF_USED if weighted else 1.0, 1.0)


def _quantiles(values: NDArray[np.float64], weights: NDArray[np.float64], at: Sequence[float]) -> NDArray[np.float64]:
    """Plain quantiles where all weights are 1, else those of the middle of each value's weight."""
    if bool(np.all(weights == 1.0)):
        return np.quantile(values, at)
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order]) - 0.5 * weights[order]
    return np.interp(at, below / weights.sum(), values[order])


def test_marginals_are_the_data_s(profile: TapeProfile) -> None:
    marginals: dict[str, tuple[Quantiles | None, float]] = {
        "score": (profile.score, 0.5),
        "amount": (profile.amount, 0.51),
        "rate": (profile.rate, 0.51e-4),
        "loan_to_value": (profile.loan_to_value, 0.51e-3),
        "payment_to_income": (profile.payment_to_income, 0.51e-4),
    }
    for name, (figure, rounding) in marginals.items():
        assert figure is not None
        rows = _rows(profile, figure)
        values, weights = column(rows, name), _weights(figure, rows)
        stated = np.isfinite(values)
        values, weights = values[stated], weights[stated]
        if name == "amount" and profile.name == "us_deep_subprime":
            values = values * DEEP_SUBPRIME_AMOUNT / values.mean()
        expected = _quantiles(values, weights, [0.001, *figure.probabilities[1:-1], 0.999])
        np.testing.assert_allclose(figure.values, expected, rtol=0, atol=rounding, err_msg=name)


def test_counts_and_shares_are_the_data_s(profile: TapeProfile) -> None:
    if profile.name != "us_deep_subprime":
        terms = Counter(column(_rows(profile, profile.term), "term"))
        assert dict(zip(profile.term.values, profile.term.weights, strict=True)) == terms
    used = [row for row in _rows(profile, profile.used_vehicle_age) if row["used"]]
    ages = Counter(int(age) for age in column(used, "vehicle_age") if age <= 15)
    assert dict(zip(profile.used_vehicle_age.values, profile.used_vehicle_age.weights, strict=True)) == ages
    for share, name in ((profile.used_share, "used"), (profile.co_borrower_share, "co_borrower")):
        rows = _rows(profile, share)
        assert share.value == pytest.approx(np.average(column(rows, name), weights=_weights(share, rows)), abs=0.00051)


def test_segments_are_counted_in_the_data(profile: TapeProfile) -> None:
    """Makes and models of the Ally panel are told apart by lists of their own, not repeated here: its totals are."""
    for figure, used in ((profile.new_vehicles, 0.0), (profile.used_vehicles, 1.0)):
        rows = [row for row in _rows(profile, figure) if row["used"] == used]
        if "segment" in rows[0]:
            assert figure.weights == Counter(row["segment"] for row in rows)
        assert sum(figure.weights.values()) == len(rows)


def _correlations(rows: Rows, weights: NDArray[np.float64]) -> dict[str, float]:
    """Weighted correlations of normal scores, biserial with `used`: of the normal score behind its yes and no."""
    names = [name for name in COLUMNS if name in rows[0]]
    table = np.stack([column(rows, name) for name in names], axis=1)
    stated = np.isfinite(table).all(axis=1)
    table, weights = table[stated], weights[stated] / weights[stated].sum()
    centred = table[:, -1] - np.average(table[:, -1], weights=weights)
    share = np.average(table[:, -1], weights=weights)
    scores = []
    for values in table.T:
        _, place = np.unique(values, return_inverse=True)
        mass = np.bincount(place, weights=weights)
        scores.append(norm.ppf((np.cumsum(mass) - 0.5 * mass)[place]))
    z = np.stack(scores)
    z -= np.average(z, axis=1, weights=weights)[:, None]
    product = (z * weights) @ z.T
    found = product / np.sqrt(np.outer(np.diag(product), np.diag(product)))
    with_used = (z * weights) @ centred / np.sqrt(np.diag(product)) / norm.pdf(norm.ppf(share))
    return {
        f"{first}/{second}": with_used[place] if second == "used" else found[row, place]
        for row, second in enumerate(names)
        for place, first in enumerate(names[:row])
    }


def test_correlations_are_nine_tenths_of_the_data_s(profile: TapeProfile) -> None:
    figure = profile.correlations
    rows = _rows(profile, figure)
    found = _correlations(rows, _weights(figure, rows))
    if "term" not in rows[0]:
        others = band("World Omni", profile.name)
        assert f"those of the term, of which the panel holds the longest only, of the {len(others):,} " in figure.source
        of_term = _correlations(others, np.ones(len(others)))
        found |= {pair: value for pair, value in of_term.items() if "term" in pair}
    assert len(found) == 21
    for pair, value in found.items():
        expected = 0.9 * value if abs(0.9 * value) >= 0.05 else 0.0
        assert figure.pairs.get(pair, 0.0) == pytest.approx(expected, abs=0.0051), pair


@pytest.mark.parametrize("name", ["us_title_loan", "cn_title_loan"])
def test_title_loans_are_secured_by_cars_already_owned(name: str) -> None:
    profile = load_profile(name)
    assert profile.used_share.value == 1.0
    assert profile.product is not None
    assert profile.product.weights == {"title_loan": 1.0}
    assert profile.score is None
    assert profile.payment_to_income is None


def test_us_title_loans_are_single_payments_of_the_published_size() -> None:
    # CFPB 2016: about 700 USD at 300 % a year for 30 days, 1,000 on average; a quarter of the car's value (CRL 2013).
    profile = load_profile("us_title_loan")
    assert profile.amortisation is not None
    assert profile.amortisation.weights == {"single_payment": 1.0}
    assert profile.term.values == (1,)
    middle = np.array([0.5])
    assert (profile.amount.at(middle), profile.rate.at(middle)) == (700.0, 3.0)
    assert profile.amount.mean == pytest.approx(1000.0, rel=0.03)
    assert profile.loan_to_value.mean == pytest.approx(0.26, abs=0.01)


def test_distances_are_those_of_old_cars_at_auction() -> None:
    figure = load_profile("us_title_loan").kilometres_per_year
    assert figure is not None
    age, distance = auction_cars()
    chosen = (age >= 10.0) & (age < 15.0)
    assert f"{chosen.sum():,} cars" in figure.source
    expected = np.quantile(distance[chosen] / age[chosen], figure.probabilities[1:-1])
    np.testing.assert_allclose(figure.values[1:-1], expected, rtol=0, atol=51.0)


def test_chinese_profile_has_the_published_averages() -> None:
    profile = load_profile("cn_auto_finance")
    assert profile.loan_to_value.mean == pytest.approx(0.6738, abs=0.001)
    assert np.average(profile.term.values, weights=profile.term.weights) == pytest.approx(40.0, abs=0.1)


@pytest.mark.parametrize("name", profile_names())
def test_every_number_names_its_source(name: str) -> None:
    profile = load_profile(name)
    sourced = [value for _, value in profile if isinstance(value, Evidence)]
    assert len(sourced) >= 14
    for value in sourced:
        assert value.source.startswith(("computed: ", "assumption: "))
        assert value.confidence in ("M", "L")
    if name.startswith("cn"):
        assert all("US" not in value.source and "World Omni" not in value.source for value in sourced)
