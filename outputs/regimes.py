"""Results through a regime of classification: stock and share by class and month, and how loans migrate.

The book knows buckets, and balances in workout as totals of their own. A bucket goes whole into the class in which most
of its days lie. How a balance in workout spreads over the buckets is not stored, so a class that takes loans by days
*and* by what happened to them is known between two bounds: `least`, as if the two overlapped as far as they can, and
`most`, as if they overlapped no further than they must. Each of the two adds up to the book; often they are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr
from numpy.typing import NDArray

from outputs.measures import path_weight, runs
from scenarios.regimes import Regime
from scenarios.vocabulary import RUN_DIMS

Floats = NDArray[np.float64]

SEVERITY: Final = ("least", "most")
"""Bounds of a classification: as few loans as possible in worse classes, and as many as possible."""

BUCKET_DAYS: Final = 30
"""Length of the last bucket, which no other ends: one monthly instalment."""

STATE_BALANCES: Final = {
    "modified": "modified_balance",
    "repossessed": "repossessed_balance",
    "in_default": "defaulted_balance",
}
"""Closing principal of the live loans in each workout state of a regime."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the buckets of a book stand in a regime.

    Attributes
    ----------
    category : int64[bucket]
        Class of each bucket, by place.
    observable : tuple of bool
        For each class, whether a bucket or a workout state of the stock leads to it.
    notes : tuple of str
        What a reader must know: buckets that a class cuts, and classes that this book cannot show, with the reason.
    """

    category: NDArray[np.int64]
    observable: tuple[bool, ...]
    notes: tuple[str, ...]


def place_buckets(regime: Regime, labels: Sequence[str], edges: Sequence[int]) -> Placement:
    """Classes of a book's buckets.

    Parameters
    ----------
    regime : Regime
    labels, edges : sequence
        Label and first day past due of each bucket, current first.
    """
    first_days = np.array([item.days_from for item in regime.classes])
    ends = [*edges[1:], edges[-1] + BUCKET_DAYS]
    category = np.zeros(len(edges), np.int64)  # current loans have day 0, whatever the next bucket begins with
    notes = []
    for bucket in range(1, len(edges)):
        days = np.arange(edges[bucket], ends[bucket])
        counts = np.bincount(np.searchsorted(first_days, days, side="right") - 1, minlength=len(first_days))
        category[bucket] = len(counts) - 1 - int(np.argmax(counts[::-1]))  # ties go to the worse class
        if np.count_nonzero(counts) > 1:
            place = category[bucket]
            notes.append(
                f"Bucket {labels[bucket]} counts whole as {regime.classes[place].name}: {counts[place]} of its "
                f"{len(days)} days past due belong there."
            )
    states = {place for state, place in regime.workout_classes.items() if state in STATE_BALANCES}
    by_days = {int(place) for place in category}
    hidden = [place for place in range(len(regime.classes)) if place not in by_days]
    notes += [_hidden_note(regime, place, ends[-1] - 1, states) for place in hidden]
    observable = tuple(place in by_days | states for place in range(len(regime.classes)))
    return Placement(category, observable, tuple(notes))


def _hidden_note(regime: Regime, place: int, last_day: int, states: set[int]) -> str:
    """Why no bucket shows a class."""
    item = regime.classes[place]
    if item.days_from > last_day:
        reason = (
            f"it begins with day {item.days_from}, and the book's last bucket ends with day {last_day}, after which "
            "loans are charged off"
        )
    else:
        reason = f"no bucket of the book has most of its days from day {item.days_from} to the next class"
    if place in states:
        return f"Class {item.name} holds loans in workout alone: {reason}."
    return f"Class {item.name} cannot be observed, which is not the same as empty: {reason}."


# --- stock -----------------------------------------------------------------------------------------------


def classify(results: xr.Dataset, regime: Regime) -> xr.Dataset:
    """Mean stock of a run by class and month.

    Parameters
    ----------
    results : xr.Dataset
        With the coordinate `bucket_first_day` and the attribute `default_bucket`.
    regime : Regime

    Returns
    -------
    xr.Dataset
        `stock`: float64[severity, scenario, strategy, programme, month, category], closing principal of live loans,
        currency, mean over paths; NaN for a class that this book cannot show. `share`: the same over the live balance,
        fraction. `charged_off`: float64[scenario, strategy, programme, month], gross charge-off so far, currency, mean.
        `observable`: bool[category]. Attribute `notes`: sentences, a line each.
    """
    placement = placement_of(results, regime)
    buckets = results["bucket_balance_mean"].transpose(*RUN_DIMS, "month", "bucket").to_numpy()
    states = {state: _mean_over_paths(results, name) for state, name in STATE_BALANCES.items()}
    bounds = [_at_least_class(results, regime, placement, buckets, states, place) for place in _places(regime)]
    worse = np.stack([np.stack(pair) for pair in bounds] + [np.zeros((2, *buckets.shape[:-1]))], axis=-1)
    stock = worse[..., :-1] - worse[..., 1:]
    stock[..., [not seen for seen in placement.observable]] = np.nan
    balance = buckets.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(balance[..., None] > 0.0, stock / balance[..., None], np.where(np.isnan(stock), np.nan, 0.0))
    dims = ("severity", *RUN_DIMS, "month", "category")
    charged_off = _mean_over_paths(results, "charge_off").cumsum(axis=-1)
    coordinates = {name: results[name] for name in (*RUN_DIMS, "month", "month_end") if name in results.coords}
    return xr.Dataset(
        {
            "stock": (dims, stock),
            "share": (dims, share),
            "charged_off": ((*RUN_DIMS, "month"), charged_off),
            "observable": ("category", np.array(placement.observable)),
        },
        {**coordinates, "severity": list(SEVERITY), "category": list(regime.class_names)},
        {"regime": regime.name, "currency": results.attrs["currency"], "notes": "\n".join(placement.notes)},
    )


def placement_of(results: xr.Dataset, regime: Regime) -> Placement:
    """Where the buckets of a result stand in a regime."""
    labels = [str(label) for label in results["bucket"].values]
    return place_buckets(regime, labels, [int(day) for day in results["bucket_first_day"].values])


def _places(regime: Regime) -> range:
    return range(len(regime.classes))


def _mean_over_paths(results: xr.Dataset, name: str) -> Floats:
    """Weighted mean of a book variable: float64[scenario, strategy, programme, month]."""
    mean = results[name].weighted(path_weight(results)).mean("path", skipna=False)
    return np.asarray(mean.transpose(*RUN_DIMS, "month").to_numpy(), float)


def _at_least_class(
    results: xr.Dataset,
    regime: Regime,
    placement: Placement,
    buckets: Floats,
    states: dict[str, Floats],
    place: int,
) -> tuple[Floats, Floats]:
    """Least and most balance in a class or a worse one: bounds of a union of sets whose sizes alone are known."""
    balance = buckets.sum(axis=-1)
    if place == 0:
        return balance, balance
    late = placement.category >= place
    parts = {"days": buckets[..., late].sum(axis=-1)}
    parts |= {
        state: states[state] for state, least in regime.workout_classes.items() if state in states and least >= place
    }
    labels = [str(label) for label in results["bucket"].values]
    first_late = int(np.argmax(late)) if late.any() else len(labels)
    default = labels.index(str(results.attrs["default_bucket"]))
    inside = {
        "in_default": {"repossessed"} | ({"days"} if first_late >= default else set()),
        "arrears": {"repossessed", "days"},
    }
    sizes = {"in_default": states["in_default"], "arrears": buckets[..., 1:].sum(axis=-1)}
    least = np.maximum.reduce(list(parts.values()))
    most = np.minimum(balance, np.minimum.reduce([*_covers(parts, inside, sizes)]))
    return least, np.maximum(most, least)


def _covers(parts: dict[str, Floats], inside: dict[str, set[str]], sizes: dict[str, Floats]) -> Iterator[Floats]:
    """Sizes of collections of sets that hold the union: the parts, some of them replaced by sets that they lie in."""
    for chosen in ((), ("in_default",), ("arrears",), ("in_default", "arrears")):
        held = {name for container in chosen for name in (*inside[container], container)}
        rest = [size for name, size in parts.items() if name not in held]
        yield np.sum([*(sizes[container] for container in chosen), *rest], axis=0)


# --- tables ----------------------------------------------------------------------------------------------


def regime_table(results: xr.Dataset, regimes: Sequence[Regime]) -> pandas.DataFrame:
    """Stock by class, month and run under each of several regimes.

    Returns
    -------
    pandas.DataFrame
        regime, scenario, strategy, programme, month, class, title, days_from, observable, stock_least, stock_most
        (currency, missing where the class cannot be observed), percent_least, percent_most (of the live balance),
        charged_off (gross, so far, in the row of the class that the regime counts it in; else missing).
    """
    rows: list[dict[str, Any]] = []
    for regime in regimes:
        found = classify(results, regime)
        for run in runs(results):
            for month in results["month"].values:
                rows += _month_rows(regime, found.sel(run).sel(month=month), {**run, "month": int(month)})
    return pandas.DataFrame(rows)


def _month_rows(regime: Regime, found: xr.Dataset, told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    stock, share = found["stock"].to_numpy(), 100.0 * found["share"].to_numpy()
    left = regime.workout_classes.get("charged_off")
    for place, item in enumerate(regime.classes):
        yield {
            "regime": regime.name,
            **told,
            "class": item.name,
            "title": item.title,
            "days_from": item.days_from,
            "observable": bool(found["observable"][place]),
            "stock_least": stock[0, place],
            "stock_most": stock[1, place],
            "percent_least": share[0, place],
            "percent_most": share[1, place],
            "charged_off": float(found["charged_off"]) if place == left else np.nan,
        }


def migration(results: xr.Dataset, regime: Regime) -> xr.DataArray:
    """Realised monthly migration between classes by days past due, over the horizon.

    Loans count, not balances. What a regime says of workout states plays no part: moves are stored by bucket.

    Returns
    -------
    xr.DataArray
        float64[scenario, strategy, programme, from_class, to], fraction a month; `to` has the classes that a bucket
        leads to, then the exits. Each row sums to 1, NaN where no loan ever stood in the class.
    """
    placement = placement_of(results, regime)
    counts = results["transition_count_mean"].sum("month", skipna=False).transpose(*RUN_DIMS, "from_bucket", "to_state")
    seen = np.unique(placement.category)
    buckets = len(placement.category)
    exits = [str(name) for name in results["to_state"].values[buckets:]]
    origin = (placement.category[:, None] == seen).astype(float)
    target = np.zeros((buckets + len(exits), len(seen) + len(exits)))
    target[:buckets, : len(seen)] = origin
    target[buckets:, len(seen) :] = np.eye(len(exits))
    moved = np.einsum("...bt,bc,tk->...ck", counts.to_numpy(), origin, target)
    total = moved.sum(axis=-1, keepdims=True)
    names = [regime.class_names[place] for place in seen]
    rates = np.divide(moved, total, out=np.full_like(moved, np.nan), where=total > 0.0)
    coordinates = {name: results[name] for name in RUN_DIMS}
    return xr.DataArray(
        rates,
        {**coordinates, "from_class": names, "to": [*names, *exits]},
        (*RUN_DIMS, "from_class", "to"),
        name="migration",
    )


def migration_table(results: xr.Dataset, regimes: Sequence[Regime]) -> pandas.DataFrame:
    """Migration under each of several regimes: regime, scenario, ..., from_class, to, percent_a_month."""
    rows: list[dict[str, Any]] = []
    for regime in regimes:
        rates = migration(results, regime)
        for run in runs(results):
            one = 100.0 * rates.sel(run)
            rows += [
                {"regime": regime.name, **run, "from_class": str(origin), "to": str(to), "percent_a_month": value}
                for origin, row in zip(rates["from_class"].values, one.to_numpy(), strict=True)
                for to, value in zip(rates["to"].values, row, strict=True)
            ]
    return pandas.DataFrame(rows)
