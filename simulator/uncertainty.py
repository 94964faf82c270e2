"""Parameters drawn from their published ranges, once for a batch of paths (methodology (U1)).

Each figure of a parameter set that acts and states a `range` is uncertain.  Its draws have a triangular density over
the range, highest at the stated value: the least that the three published numbers say.  The mean of a triangle lies
beside its mode where the range is lopsided, so the mean loss over draws is not the loss at the stated values.
One number in (0, 1) a path of fields and a batch moves all tiers together, each within its own range: what nobody
knows of one tier nobody knows of the next, and independent draws would make a common ignorance diversify away.
Different fields are independent.  A draw is a function of seed, field and batch alone (D1), the same in every scenario.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from scenarios.checks import dotted
from scenarios.errors import Fault, InputError
from scenarios.explain import nearest
from scenarios.treatment import Uncertainty
from scenarios.yaml_text import KeyPath
from simulator.entities import named_entity
from simulator.kernels.random import TO_UNIT, block_at
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters, build_parameters
from simulator.provenance import DESCRIPTIVE
from simulator.sourced import Count, Sourced
from simulator.together import OWN, SHARED

ATTEMPTS: Final = 100
"""How often a batch draws anew where the figures drawn contradict each other, before the study is refused."""

SHARES: Final = tuple(f"systematic.share_{name}" for name in ("global", "region", "sector"))
"""Figures that sum to 1: they are divided by their sum after the draw."""

Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class UncertainParameter:
    """A figure of a parameter set that is drawn.

    Attributes
    ----------
    name : str
        Set and field, as ``us_prime.sale.auction_haircut``.
    tier : int
        Place of the set among the study's.
    field : str
        The field alone, as the report's provenance lists it.
    value, low, high : float
        Stated value and ends of its published range, in the field's unit.
    whole : bool
        Only whole numbers are drawn.
    """

    name: str
    tier: int
    field: str
    value: float
    low: float
    high: float
    whole: bool


@dataclass(frozen=True, eq=False)
class ParameterDraw:
    """One draw of everything that is uncertain.

    Attributes
    ----------
    sets : tuple of ParameterSet
        The study's, with the values drawn.
    parameters : Parameters
        What they make together.
    values : float64[parameter]
        Values that act, in the order of `uncertain_parameters`.
    attempts : int
        Draws that were taken until the figures contradicted each other no more; 1 almost always.
    """

    sets: tuple[ParameterSet, ...]
    parameters: Parameters
    values: NDArray[np.float64]
    attempts: int


def uncertain_parameters(sets: Sequence[ParameterSet], spec: Uncertainty) -> tuple[UncertainParameter, ...]:
    """What a study draws, in the order of its sets and of their files.

    Sections that all tiers share are drawn once, from the first set's range, and stand under its name.
    """
    found = []
    for tier, item in enumerate(sets):
        for field, figure in _ranged(item):
            if _wished(field, spec) and not (tier and is_shared(field)):
                low, high = figure.range or (figure.value, figure.value)
                name, whole = f"{item.name}.{field}", isinstance(figure, Count)
                found.append(UncertainParameter(name, tier, field, float(figure.value), low, high, whole))
    return tuple(found)


def check_uncertainty(
    sets: Sequence[ParameterSet], spec: Uncertainty, where: Callable[..., str] = lambda *path: dotted(path)
) -> None:
    """Refuse names that stand for no figure with a range.

    Raises
    ------
    InputError
        A name that no set knows or whose figures state no range, or `all` of sets without any range.
    """
    known = [field for item in sets for field, _ in _ranged(item)]
    expected = "a figure, or a section with a figure, that states a `range` and acts"
    if not known:
        found = "the parameter sets state no range"
        raise InputError(Fault(where("uncertainty"), found, expected, "Give the figures a `range`."))
    faults = []
    for place, name in enumerate(() if spec.parameters == "all" else spec.parameters):
        if not any(_below(field, name) for field in known):
            remedy = nearest(name, known) or f"As {known[0]}; the report's table of parameters lists them all."
            found = f"uncertainty.parameters[{place}] = {name}"
            faults.append(Fault(where("uncertainty", "parameters", place), found, expected, remedy))
    if faults:
        raise InputError(faults)


def is_shared(field: str) -> bool:
    """Whether all tiers of a book have this figure in common."""
    return any(_below(field, section) for section in SHARED) and field.rpartition(".")[2] not in OWN


def _below(field: str, name: str) -> bool:
    """Whether a field is what a name says, or stands in the section that it names."""
    return field == name or field.startswith((f"{name}.", f"{name}["))


def _wished(field: str, spec: Uncertainty) -> bool:
    return spec.parameters == "all" or any(_below(field, name) for name in spec.parameters)


# --- draws -----------------------------------------------------------------------------------------


def draw_sets(sets: Sequence[ParameterSet], spec: Uncertainty, batch: int, seed: int) -> ParameterDraw:
    """Parameter sets of one batch of paths.

    Figures that contradict each other (a correlation that no month can yield, a car that loses more than its value)
    are drawn anew, all of them, so that the density is the triangles' where nothing contradicts.

    Parameters
    ----------
    sets : sequence of ParameterSet
        The study's, one a tier.
    spec : Uncertainty
        What is drawn.
    batch : int
        Number of the batch, from 0.
    seed : int
        The study's.

    Raises
    ------
    InputError
        None of `ATTEMPTS` draws fits together; the last one's contradiction is told.
    """
    uncertain = uncertain_parameters(sets, spec)
    reason = ""
    for attempt in range(ATTEMPTS):
        drawn = _spread(sets, _rescaled(sets, draw_figures(uncertain, batch, attempt, seed)))
        try:
            changed = tuple(with_figures(item, figures) for item, figures in zip(sets, drawn, strict=True))
            parameters = build_parameters(changed)
        except (ValidationError, InputError) as error:
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error.faults[0])
            continue
        values = np.array([drawn[each.tier][each.field] for each in uncertain], dtype=np.float64)
        return ParameterDraw(changed, parameters, values, attempt + 1)
    found = f"none of {ATTEMPTS} draws of the parameters fits together; the last one: {reason}"
    raise InputError(Fault("uncertainty.parameters", found, "ranges that go together", "Name fewer parameters."))


def longest_lags(sets: Sequence[ParameterSet], spec: Uncertainty) -> Parameters:
    """The sets with every uncertain whole number at the top of its range: no draw needs longer macro paths."""
    tops = [(each, each.high) for each in uncertain_parameters(sets, spec) if each.whole]
    figures: list[dict[str, float]] = [{} for _ in sets]
    for each, high in tops:
        figures[each.tier][each.field] = high
    spread = _spread(sets, figures)
    return build_parameters([with_figures(item, own) for item, own in zip(sets, spread, strict=True)])


def triangular_quantile(u: float, low: float, mode: float, high: float) -> float:
    """Quantile of the triangular distribution on [low, high] (methodology (U1)).

    Parameters
    ----------
    u : float
        Probability, 0 to 1.
    low, mode, high : float
        Ends and highest point of the density, in any unit.
    """
    width = high - low
    if width <= 0.0:
        return mode
    if u * width < mode - low:
        return low + math.sqrt(u * width * (mode - low))
    return high - math.sqrt((1.0 - u) * width * (high - mode))


def draw_figures(
    uncertain: Sequence[UncertainParameter], batch: int, attempt: int, seed: int
) -> list[dict[str, float]]:
    """Drawn figures of each set by field, before shares are divided by their sum.

    Address (D1): entity ``parameter:FIELD``, path the batch, slot the attempt, word 0.
    """
    drawn: list[dict[str, float]] = [{} for _ in range(1 + max((each.tier for each in uncertain), default=0))]
    for each in uncertain:
        entity = np.uint64(named_entity(f"parameter:{each.field}"))
        u = (int(block_at(entity, batch, attempt, np.uint64(seed))[0]) + 0.5) * TO_UNIT
        # Half a step beyond either end, so that a whole number at an end is no rarer than its neighbours.
        step = 0.5 if each.whole else 0.0
        value = triangular_quantile(u, each.low - step, each.value, each.high + step)
        drawn[each.tier][each.field] = float(np.clip(np.rint(value), each.low, each.high)) if each.whole else value
    return drawn


def _rescaled(sets: Sequence[ParameterSet], drawn: list[dict[str, float]]) -> list[dict[str, float]]:
    """The same, with the shares of the factors divided by their sum where one of them was drawn."""
    first = drawn[0]
    if not any(name in first for name in SHARES):
        return drawn
    shares = {name: first.get(name, getattr(sets[0].systematic, name.partition(".")[2]).value) for name in SHARES}
    total = math.fsum(shares.values())
    return [{**first, **{name: share / total for name, share in shares.items()}}, *drawn[1:]]


def _spread(sets: Sequence[ParameterSet], drawn: list[dict[str, float]]) -> list[Figures]:
    """Figures of every set: its own, and the first set's where all tiers share them."""
    shared = {field: value for field, value in drawn[0].items() if is_shared(field)}
    return [{**shared, **(drawn[tier] if tier < len(drawn) else {})} for tier in range(len(sets))]


# --- figures of a set by their names -------------------------------------------------------------------


def with_figures(item: ParameterSet, figures: Figures) -> ParameterSet:
    """A parameter set with other figures by field, which lose their ranges, checked as a file would be."""
    data = item.model_dump()
    for field, keys, _ in _leaves(item, "", ()):
        if field in figures:
            entry: Any = data
            for key in keys:
                entry = entry[key]
            entry["value"] = int(figures[field]) if isinstance(entry["value"], int) else figures[field]
            entry["range"] = None  # another tier's, or a share's after the division, may lie outside its own
    return ParameterSet.model_validate(data)


def _ranged(item: ParameterSet) -> Iterator[tuple[str, Sourced]]:
    """Figures that state a range and act, by field."""
    for field, _, figure in _leaves(item, "", ()):
        if figure.range is not None and not field.startswith(DESCRIPTIVE):
            yield field, figure


def _leaves(value: object, field: str, keys: KeyPath) -> Iterator[tuple[str, KeyPath, Sourced]]:
    """Every sourced number below a spec: its field as `provenance` names it, its keys, itself."""
    if isinstance(value, Sourced):
        yield field, keys, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _leaves(getattr(value, name), f"{field}.{name}".lstrip("."), (*keys, name))
    elif isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _leaves(entry, f"{field}.{name}", (*keys, name))
    elif isinstance(value, tuple):
        for place, entry in enumerate(value):
            names = [getattr(entry, name) for name in ("cause", "variable") if hasattr(entry, name)]
            yield from _leaves(entry, f"{field}[{', '.join(names) or place}]", (*keys, place))
