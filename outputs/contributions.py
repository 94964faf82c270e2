"""Where the loss comes from: expected loss and expected shortfall split among the levels of each cut of the book."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs import estimators
from outputs.estimators import Estimate
from outputs.measures import LEVELS, path_loss, runs, sample_of
from outputs.tail import Tail, estimate, tail_of
from scenarios.vocabulary import CUTS

CHRONOLOGICAL: Final = ("vintage",)
"""Cuts whose levels stand in their own order; those of the others stand by falling opening balance."""
UNKNOWN: Final = Estimate(*(estimators.NOT_ESTIMABLE,) * 4)


@dataclass(frozen=True, slots=True)
class _Whole:
    """One run's loss over the whole book, and its tail."""

    run: Mapping[str, str]
    tail: Tail
    mean: Estimate
    dataset: xr.Dataset


def loss_by_cut(dataset: xr.Dataset, most_levels: int | None = None) -> pandas.DataFrame:
    """Contribution of each level of each cut to expected loss and expected shortfall.

    Parameters
    ----------
    dataset : xr.Dataset
        A result.
    most_levels : int, optional
        Levels of a cut to show; the rest, the smallest by opening balance, are summed up in one. All, if left out.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, cut, cut_level, opening_percent (of the opening balance); then, each followed
        by its standard error in a column that ends in ``_error``: expected_loss (currency), percent_of_opening (of
        the book), percent_of_level (expected loss over the level's own opening balance), share_percent (of the
        book's expected loss), tail_loss (currency: mean loss of the level over the paths of the book's expected
        shortfall; the levels of a cut sum to it) and tail_percent_of_opening, tail_share_percent; and tail_level
        (probability) and unreliable (too few paths beyond it). A cut with one level only is left out.
    """
    level = tail_level(dataset)
    rows: list[dict[str, Any]] = []
    losses = path_loss(dataset)
    for run in runs(dataset):
        loss = losses.sel(run)
        whole = _Whole(run, tail_of(loss, dataset, level), estimators.mean(sample_of(loss, dataset)), dataset)
        for cut in divided_cuts(dataset):
            rows.extend(_cut_rows(whole, cut, most_levels))
    return pandas.DataFrame(rows)


def tail_level(dataset: xr.Dataset) -> float:
    """Highest level whose shortfall has enough paths beyond it in every run, or the lowest where none has."""
    losses = path_loss(dataset)
    samples = [sample_of(losses.sel(run), dataset) for run in runs(dataset)]
    for level in reversed(LEVELS):
        if not any(estimators.too_few(estimators.effective_paths_beyond(sample, level)) for sample in samples):
            return level
    return LEVELS[0]


def divided_cuts(dataset: xr.Dataset) -> tuple[str, ...]:
    """Cuts that divide this book: those with more than one level."""
    return tuple(cut for cut in CUTS if dataset.sizes[cut] > 1)


def _cut_rows(whole: _Whole, cut: str, most_levels: int | None) -> Iterator[dict[str, Any]]:
    losses = whole.dataset[f"loss_by_{cut}"].sel(whole.run).transpose(cut, "path").values
    balances = whole.dataset[f"opening_balance_by_{cut}"].values
    for name, members in _groups(whole.dataset, cut, most_levels):
        yield {
            **whole.run,
            "cut": cut,
            "cut_level": name,
            **_columns(whole, losses[members].sum(axis=0), float(balances[members].sum())),
        }


def _groups(dataset: xr.Dataset, cut: str, most_levels: int | None) -> list[tuple[str, list[int]]]:
    """Names and members of what becomes a row: levels in their order, the smallest together at the end."""
    names = [str(name) for name in dataset[cut].values]
    by_size = [int(place) for place in np.argsort(-dataset[f"opening_balance_by_{cut}"].values, kind="stable")]
    shown = by_size if most_levels is None or len(names) <= most_levels else by_size[: most_levels - 1]
    rest = by_size[len(shown) :]
    ordered = sorted(shown, key=lambda place: names[place]) if cut in CHRONOLOGICAL else shown
    groups = [(names[place], [place]) for place in ordered]
    return [*groups, (f"{len(rest)} more", rest)] if rest else groups


def _columns(whole: _Whole, losses: np.ndarray[Any, Any], balance: float) -> dict[str, Any]:
    """The figures of one level: `losses` by path, `balance` at opening, currency."""
    opening = float(whole.dataset.attrs["opening_balance"])
    expected = estimators.mean(sample_of(xr.DataArray(losses, dims="path"), whole.dataset))
    tail = _tail_part(whole, losses)
    figures = {
        "expected_loss": expected,
        "percent_of_opening": _scaled(expected, opening),
        "percent_of_level": _scaled(expected, balance),
        "share_percent": _share(whole, losses, expected.value),
        "tail_loss": tail,
        "tail_percent_of_opening": _scaled(tail, opening),
        "tail_share_percent": _tail_share(whole, losses, tail.value),
    }
    columns: dict[str, Any] = {"opening_percent": 100.0 * balance / opening}
    for name, found in figures.items():
        columns |= {name: found.value, f"{name}_error": found.standard_error}
    return columns | {"tail_level": whole.tail.level, "unreliable": whole.tail.shortfall.unreliable}


def _scaled(found: Estimate, base: float) -> Estimate:
    """An amount in percent of a fixed base."""
    if base <= 0.0:
        return UNKNOWN
    scale = 100.0 / base
    return Estimate(found.value * scale, found.standard_error * scale, found.low * scale, found.high * scale)


def _share(whole: _Whole, losses: np.ndarray[Any, Any], value: float) -> Estimate:
    """Share of the expected loss, percent, with the error of the linearised ratio."""
    if whole.mean.value == 0.0:
        return UNKNOWN
    share = value / whole.mean.value
    influence = (losses - share * whole.tail.loss) / whole.mean.value
    return estimate(100.0 * share, 100.0 * influence, whole.dataset)


def _tail_part(whole: _Whole, losses: np.ndarray[Any, Any]) -> Estimate:
    part = whole.tail.part(losses)
    if not whole.tail.known:
        unknown = estimators.NOT_ESTIMABLE
        return Estimate(part, unknown, unknown, unknown)
    return estimate(part, whole.tail.part_influence(losses), whole.dataset)


def _tail_share(whole: _Whole, losses: np.ndarray[Any, Any], part: float) -> Estimate:
    """Share of the expected shortfall, percent, with the error of the linearised ratio."""
    tail = whole.tail
    if tail.shortfall.value == 0.0 or not tail.known:
        return UNKNOWN
    share = part / tail.shortfall.value
    influence = (tail.part_influence(losses) - share * tail.influence()) / tail.shortfall.value
    return estimate(100.0 * share, 100.0 * influence, whole.dataset)
