"""What factors do to defaults over many months: computed on the chain, and found again by the engine (3a) to (3d)."""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from calibration.baseline import baseline_book
from calibration.library import find_parameter_set
from known_cases import normal_bound
from scenarios.vocabulary import CURED, ENTER, HARDSHIP, HISTORY_MONTHS, MODIFIED, TYPES
from simulator.book import build_book
from simulator.correlation import (
    Credit,
    Response,
    default_probabilities,
    implied_correlation,
    response_multiplier,
)
from simulator.factors import draw_systematic, factor_name
from simulator.hazards import build_hazards
from simulator.intensities import cause_classes, probabilities_from_intensities
from simulator.kernels.hazards import fill_entry_intensities
from simulator.parameter_groups import Workout
from simulator.parameters import Parameters
from simulator.tape import LoanTape, make_tape
from small_books import changed, equal_loans, macro_at, quiet, run, shipped, tape_of, values

Floats = NDArray[np.float64]

FALSE_ALARM = 1e-4
"""Chance that a test of this file fails on a fresh seed although all is well, shared among its comparisons."""

FOR_GOOD = 600
"""Months of probation after which no run here sees the end of it: each loan defaults once."""


# --- cumulative default -----------------------------------------------------------------------------------------------

FALLS: list[tuple[str, Response, float, float]] = [
    ("us_subprime", "lognormal", 1.0, 0.95),
    ("us_subprime", "lognormal", 1.0, 0.5),
    ("us_prime", "lognormal", 1.0, 0.98),
    ("us_subprime", "probit", 0.1, 0.95),
]


@pytest.mark.parametrize(("name", "response", "strength", "persistence"), FALLS)
def test_cumulative_default_falls_by_as_much_as_computed(
    name: str, response: Response, strength: float, persistence: float
) -> None:
    """First defaults within 12 and 36 months against the chain on a grid; eight comparisons, once in 10,000 seeds.

    Without the factor as many would default as the flat chain says: that figure must be out of reach.
    """
    loans, paths = (600 if name == "us_prime" else 150), 3_000
    parameters = quiet(
        name,
        response=response,
        **{"sigma" if response == "lognormal" else "rho": np.array([strength])},
        shares=(1.0, 0.0, 0.0),
        persistence=persistence,
        probation_months=FOR_GOOD,
    )
    counts = values(run(equal_loans(loans), parameters, paths=paths, months=36, seed=41), "default_count")
    credit = Credit(parameters.intensity[0], parameters.default_bucket, persistence)
    for months in (12, 36):
        share = counts[:, :months].sum(axis=1) / loans
        expected, _ = default_probabilities(credit, response, strength, months)
        flat, _ = default_probabilities(credit, response, 0.0, months)
        reach = normal_bound(FALSE_ALARM, 2 * len(FALLS)) * share.std() / math.sqrt(paths)
        assert abs(share.mean() - expected) < reach, (share.mean(), expected, flat)
        if months == 36 and name == "us_subprime":
            assert flat - expected > 1.5 * reach


# --- mean intensity -----------------------------------------------------------------------------------------------

LOADINGS = [(1.0, 0.0, 0.0), (0.6, 0.25, 0.15), (0.1, 0.2, 0.7), (0.0, 0.0, 1.0)]


@cache
def entries(response: Response, strength: float, shares: tuple[float, float, float]) -> tuple[float, Floats]:
    """Base intensity, and the kernel's of months 1, 12 and 36 on 5,000 paths, float64[path, month, cell]."""
    field = "sigma" if response == "lognormal" else "rho"
    parameters = quiet("us_subprime", response=response, **{field: np.array([strength])}, shares=shares)
    tape = tape_of([{"region": region, "sector": sector} for region in ("CA", "TX") for sector in ("health", "mining")])
    cells = build_book(tape, parameters).cells
    drawn = draw_systematic(cells.factor_names, parameters, range(5_000), 36, 36, seed=42)
    hazards = build_hazards(cells, macro_at(parameters, 36), parameters, 36, 36)._replace(factor=drawn.factor)
    assert cells.factor_names[-1] == factor_name("sector", "mining")
    entry, top, found = np.zeros((37, 4)), np.zeros(37), np.empty((5_000, 3, 4))
    for path in range(5_000):
        fill_entry_intensities(path, hazards, np.ones(4), entry, top)
        assert np.array_equal(top, entry.max(axis=1))
        found[path] = entry[[1, 12, 36]]
    return float(parameters.intensity[0, 0, 1:-1].sum()), found


@pytest.mark.parametrize("shares", LOADINGS)
@pytest.mark.parametrize("sigma", [0.33, 1.0])
def test_lognormal_factors_of_any_loading_keep_the_mean_intensity(
    sigma: float, shares: tuple[float, float, float]
) -> None:
    """Mean over 5,000 paths by month, and its variance exp(sigma^2) - 1 in cells apart; once in 10,000 seeds."""
    base, found = entries("lognormal", sigma, shares)
    mean = found.mean(axis=2) / base
    bound = normal_bound(FALSE_ALARM, 2 * 3 * len(LOADINGS))
    assert np.all(np.abs(mean.mean(axis=0) - 1.0) < bound * mean.std(axis=0) / math.sqrt(len(mean)))
    logs = np.log(found[:, :, 0] / base)
    # -sigma^2/2 and sigma^2 of a normal logarithm, whatever the loadings: to 4.5 errors of a variance of 15,000
    assert logs.mean() == pytest.approx(-0.5 * sigma**2, abs=bound * sigma / math.sqrt(5_000))
    assert logs.var() == pytest.approx(sigma**2, rel=bound * math.sqrt(2.0 / 5_000))


@pytest.mark.parametrize("shares", LOADINGS)
def test_probit_factors_of_any_loading_keep_the_mean_probability(shares: tuple[float, float, float]) -> None:
    """Mean over 5,000 paths by month; twelve comparisons, which fail once in 10,000 seeds."""
    base, found = entries("probit", 0.1, shares)
    share = -np.expm1(-found).mean(axis=2)
    bound = normal_bound(FALSE_ALARM, 3 * len(LOADINGS))
    gap = np.abs(share.mean(axis=0) + np.expm1(-base))
    assert np.all(gap < bound * share.std(axis=0) / math.sqrt(len(share)))


# --- correlation of defaults within 12 months, histories and types on ------------------------------------------------


def seasoned(name: str) -> Parameters:
    """A shipped set whose loans default by arrears alone: no negative equity, seizure or loss of the car."""
    base = shipped(name)
    none = Workout.neutral(1, len(base.bucket_edges))
    return changed(
        base,
        shares=(1.0, 0.0, 0.0),
        probation_months=FOR_GOOD,
        ltv_coefficient=np.zeros(1),
        pti_coefficient=np.zeros(1),
        score_coefficient=np.zeros(1),
        equity_slope=np.zeros(1),
        equity_cap=np.ones(1),
        equity_mean=np.ones(1),
        seizure=none.seizure,
        total_loss=none.total_loss,
    )


def conditional_default(parameters: Parameters, factor: Floats) -> Floats:
    """12-month PD of a current loan of the seasoned pool given each path of the factor: float64[path].

    The months of (3f) to (3i) in probabilities: clean, cured or modified 0..23 months ago; bucket by type.
    """
    borrower, intensity, worst = parameters.borrower, parameters.intensity[0], parameters.default_bucket
    paths, classes = len(factor), cause_classes(intensity.shape[0])
    recent = borrower.history_multiplier[0][:, :HISTORY_MONTHS]
    history = np.concatenate([np.ones(1), recent[CURED], recent[MODIFIED]])
    by_type = borrower.type_multiplier[0][:, np.maximum(classes[1:worst], 0)]  # [type, bucket, cause]
    moves = probabilities_from_intensities(intensity[1:worst] * by_type)
    current = np.tile(borrower.open_history[0], (paths, 1))
    arrears, default = np.zeros((paths, worst - 1, len(TYPES))), np.zeros(paths)
    last, stays = (HISTORY_MONTHS, 2 * HISTORY_MONTHS), 1.0 - moves.sum(axis=2)
    for month in range(factor.shape[1]):
        g = response_multiplier("lognormal", float(parameters.sigma[0]), np.array(1.0), factor[:, month])
        scale = np.where(classes[0] == ENTER, g[:, None, None] * history[:, None], 1.0)
        leaves = current[:, :, None] * probabilities_from_intensities(intensity[0] * scale)
        remains = current - leaves.sum(axis=2)
        ends = np.exp(-borrower.spell_end[0])
        freed = arrears[:, :, HARDSHIP] * (1.0 - ends)
        arrears = arrears + np.stack([freed, -freed, np.zeros_like(freed)], axis=2)
        flow = np.einsum("pkt,tkc->pktc", arrears, moves)
        default += leaves[:, :, -2].sum(axis=1) + flow[..., worst:-1].sum(axis=(1, 2, 3))
        arrears = arrears * stays.T + flow[..., 1:worst].sum(axis=1).transpose(0, 2, 1)
        arrears[:, 0] += leaves[:, :, 1].sum(axis=1)[:, None] * borrower.type_share[0]
        back, extended = flow[..., 0].sum(axis=2), borrower.modified_share[0, 1:worst]
        current = np.roll(remains, 1, axis=1)
        current[:, 0] = remains[:, [0, *last]].sum(axis=1)
        current[:, 1] = (back * (1.0 - extended)).sum(axis=1)
        current[:, 1 + HISTORY_MONTHS] = (back * extended).sum(axis=1)
    return default


def pair_correlation(counts: Floats, loans: int) -> float:
    """Asset correlation at which pairs default together as often as counted."""
    joint = (counts * (counts - 1.0)).mean() / (loans * (loans - 1.0))
    return implied_correlation(float(counts.mean() / loans), float(joint))


CORRELATED_LOANS, CORRELATED_PATHS = 1_000, 4_000


@cache
def yearly_defaults(name: str, kind: str) -> tuple[Parameters, xr.Dataset]:
    """First defaults within 12 months of one cell's current loans: equal ones, or those of the set's baseline book."""
    quoted = {"shares": (1.0, 0.0, 0.0), "probation_months": FOR_GOOD}
    if kind == "chain":
        tape, parameters = equal_loans(CORRELATED_LOANS), quiet(name, sigma=shipped(name).sigma, **quoted)
    elif kind == "histories":
        tape, parameters = equal_loans(CORRELATED_LOANS), seasoned(name)
    else:
        tape, parameters = (
            one_cell(baseline_book(find_parameter_set(name), CORRELATED_LOANS)),
            changed(shipped(name), **quoted),
        )
    return parameters, run(tape, parameters, paths=CORRELATED_PATHS, months=12, seed=44)


def one_cell(tape: LoanTape) -> LoanTape:
    """The loans of a tape without arrears, in one region and sector."""
    kept = tape["days_past_due"] == 0
    columns = {name: column[kept] for name, column in tape.columns.items()}
    one = {"region": np.full(int(kept.sum()), "TX"), "sector": np.full(int(kept.sum()), "unknown")}
    return make_tape({**columns, **one}, as_of=tape.as_of, currency=tape.currency, report=tape.report)


def realised_correlation(name: str, kind: str) -> float:
    """Asset correlation at which pairs of loans default together as often as the engine's do."""
    results = yearly_defaults(name, kind)[1]
    counts = values(results, "default_count").sum(axis=1).astype(np.float64)
    loans = float(results.attrs["opening_count"])
    joint = (counts * (counts - 1.0)).mean() / (loans * (loans - 1.0))
    return implied_correlation(float(counts.mean() / loans), float(joint))


@pytest.mark.parametrize("name", ["us_near_prime", "us_subprime"])
def test_defaults_of_a_seasoned_pool_come_together_as_its_chain_says(name: str) -> None:
    """Engine against conditional chain on the same factor paths, histories and types on.

    Given the factor, loans are independent: the counts' mean and pairs miss the chain's by sampling of borrowers alone.
    Four comparisons, which fail once in 10,000 seeds.
    """
    loans, paths, bound = CORRELATED_LOANS, CORRELATED_PATHS, normal_bound(FALSE_ALARM, 4)
    parameters, results = yearly_defaults(name, "histories")
    counts = values(results, "default_count").sum(axis=1).astype(np.float64)
    p = conditional_default(parameters, results["global_factor"].to_numpy())
    miss = counts - loans * p
    assert abs(miss.mean()) < bound * miss.std() / math.sqrt(paths)
    pairs = counts * (counts - 1.0) / (loans * (loans - 1.0)) - p**2
    assert abs(pairs.mean()) < bound * pairs.std() / math.sqrt(paths)


CORRELATION_ROW = re.compile(r"^\| (us_\w+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", flags=re.MULTILINE)


def test_the_table_shows_how_correlated_defaults_are() -> None:
    """Quoted, and realised by the published chain, with histories and types, and by the whole set on its own book.

    An error of the realised ones is about .0007 on another seed; the seed is fixed.
    """
    shown = CORRELATION_ROW.findall((Path(__file__).parents[1] / "docs" / "targets.md").read_text("utf-8"))
    assert [row[0] for row in shown] == ["us_near_prime", "us_subprime"]
    for name, *figures in shown:
        quoted = shipped(name).sets[0].systematic.correlation.value
        found = [realised_correlation(name, kind) for kind in ("chain", "histories", "whole")]
        fresh = f"| {name} | {quoted:.3f} | " + " | ".join(f"{item:.4f}" for item in found) + " |"
        assert [float(item) for item in figures] == pytest.approx([quoted, *found], abs=2e-4), f"expected {fresh}"
        assert found[0] == pytest.approx(quoted, rel=0.12)
        assert found[1:] == pytest.approx([quoted, quoted], rel=0.25)
