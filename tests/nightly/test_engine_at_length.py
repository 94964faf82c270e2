"""The engine's known answers and agreements on large samples and on books that change with the seed.

`tests/nightly/run` draws a fresh seed. Each statistical test fails about once in a million seeds although all is well.
"""

from __future__ import annotations

import math
import os
from hashlib import blake2b

import numpy as np
import pytest
from scipy.special import ndtri

from busy_books import busy_macro, busy_servicing, busy_seven_buckets, busy_tiers
from comparisons import assert_same_bits
from drawn_care import drawn_care
from known_cases import (
    ABSORBED,
    AFTER,
    DIRECT_CHAIN,
    POOLS,
    PUBLISHED_CHAIN,
    Pool,
    absorbed_in_the_end,
    assert_shares,
    exact_distribution,
    gap_bound,
    largest_gap,
    normal_bound,
    plain_philox,
)
from plain_books import TRACED, plain_world
from reference import simulate_plain
from scenarios.vocabulary import TRACE_VARIABLES
from simulator.engine import RunSize, simulate
from simulator.factors import draw_systematic
from simulator.kernels.random import philox
from simulator.servicing import Servicing
from small_books import (
    BUCKET_DAYS,
    chain,
    changed,
    current_only,
    endless_loans,
    equal_loans,
    mixed_book,
    run,
    shipped,
    tape_of_columns,
    values,
)

pytestmark = pytest.mark.nightly

FALSE_ALARM = 1e-6
SEED = os.environ.get("CARSTRESS_NIGHTLY_SEED", "20250101")


def seed_of(name: str) -> int:
    """A seed of 64 bits for each test and case."""
    return int.from_bytes(blake2b(f"{SEED}:{name}".encode(), digest_size=8).digest(), "little")


# --- known answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("matrix", [PUBLISHED_CHAIN, DIRECT_CHAIN], ids=["published", "direct"])
@pytest.mark.parametrize("bucket", range(4))
def test_absorbing_chain(matrix: tuple[tuple[float, ...], ...], bucket: int) -> None:
    """A million loans from each bucket: absorption, and 18 shares after 12, 36 and 60 months from current."""
    loans, paths = 40_000, 25
    bound = normal_bound(FALSE_ALARM, 2 + 18)
    seed = seed_of(f"chain {matrix[0][0]} {bucket}")
    results = run(endless_loans(loans, BUCKET_DAYS[bucket]), chain(matrix), paths=paths, months=1_200, seed=seed)
    counts = np.array([values(results, f"{name}_count").sum() for name in ("charge_off", "prepaid")])
    assert counts.sum() == loans * paths
    assert_shares(counts, absorbed_in_the_end(matrix)[bucket], loans * paths, bound)
    if matrix is not PUBLISHED_CHAIN:
        return
    assert absorbed_in_the_end(matrix)[bucket, 0] == pytest.approx(ABSORBED[bucket], abs=5e-9)
    moved = values(results, "transition_count_mean") * paths
    for month, shares in AFTER.items() if bucket == 0 else ():
        stands = np.concatenate([moved[month - 1].sum(axis=0)[:4], moved[:month].sum(axis=(0, 1))[4:6]])
        assert_shares(stands, shares, loans * paths, bound)


MORE_POOLS = tuple(
    Pool(200, probability, correlation, math.nan, math.nan, {})
    for probability, correlation in ((0.01, 0.03), (0.01, 0.10), (0.02, 0.01), (0.05, 0.15), (0.10, 0.05))
)


@pytest.mark.parametrize("pool", [*POOLS, *MORE_POOLS], ids=str)
def test_finite_pools(pool: Pool) -> None:
    """Whole distribution of defaults over 200,000 paths."""
    paths = 200_000
    parameters = current_only(
        -math.log1p(-pool.probability),
        response="probit",
        rho=np.array([pool.correlation]),
        shares=(1.0, 0.0, 0.0),
    )
    results = run(equal_loans(pool.loans), parameters, paths=paths, months=1, seed=seed_of(str(pool)))
    counts = np.sort(values(results, "charge_off_count")[:, 0])
    assert largest_gap(counts, exact_distribution(pool)) < gap_bound(FALSE_ALARM, paths)


def test_philox_at_length() -> None:
    random = np.random.default_rng(seed_of("philox"))
    for address in random.integers(0, 2**32, size=(200_000, 6)).tolist():
        found = [int(word) for word in philox(*(np.uint64(word) for word in address))]
        assert found == plain_philox(address[:4], address[4:])


def test_quoted_correlation_of_prices_and_credit() -> None:
    """12-month sums in three years of 200,000 paths, by Fisher's z."""
    # Quoted are the returns without jumps and without reversion.
    parameters = changed(shipped("us_near_prime"), jump_intensity=0.0, reversion=0.0)
    quoted = parameters.sets[0].used_car_index.correlation_with_credit.value
    returns, credit = [], []
    for first in range(0, 200_000, 25_000):
        paths = range(first, first + 25_000)
        drawn = draw_systematic((), parameters, paths, 36, 36, seed=seed_of("correlation"))
        log_index = np.log(drawn.index[:, ::12, 0])
        returns.append(np.diff(log_index, axis=1))
        credit.append(drawn.factor[:, 0, 1:].reshape(-1, 3, 12).sum(axis=2))
    # The first segment's own residual differs from a typical one's: bring the correlation to the typical share.
    total = parameters.index_innovation_sd**2
    common = total * parameters.index_common_share
    share = (common + parameters.index_residual_sd[0] ** 2) / total
    for year in range(3):
        found = np.corrcoef(*(np.concatenate(part)[:, year] for part in (returns, credit)))[0, 1]
        gap = math.atanh(found) - math.atanh(quoted / math.sqrt(share))
        assert abs(gap) * math.sqrt(200_000 - 3) < normal_bound(FALSE_ALARM, 3)


# --- agreements -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phone", [False, True], ids=["nobody waits", "phone"])
@pytest.mark.parametrize("kind", ["lognormal", "probit", "seven buckets"])
@pytest.mark.parametrize("case", range(3))
def test_reference_on_fresh_books(kind: str, case: int, phone: bool) -> None:
    """States exactly, amounts to 1e-9; a uniform within the response table's error fails a run in about 10,000."""
    seed, months, paths = seed_of(f"reference {kind} {case} {phone}"), 40, 20
    parameters = busy_seven_buckets(seed) if kind == "seven buckets" else busy_tiers(kind, seed)
    servicing = busy_servicing(parameters, times=1.0 + seed % 7) if phone else Servicing()
    tape, macro = mixed_book(80, seed), busy_macro(parameters, months)
    ids, where = tuple(tape["loan_id"].tolist()), {"months": months, "seed": seed, "servicing": servicing}
    engine = simulate(tape, macro, parameters, paths=paths, trace=ids, **where)
    plain = simulate_plain(plain_world(tape, macro, parameters, **where), paths)
    expected = np.array([[path["history"][loan] for path in plain] for loan in ids])
    units = {name: unit for name, unit, _ in TRACE_VARIABLES}
    for item, name in enumerate(TRACED):
        if units[name] == "currency":
            np.testing.assert_allclose(values(engine, name), expected[..., item], rtol=1e-9, atol=1e-9)
        else:
            assert np.array_equal(values(engine, name), expected[..., item]), name
    late = np.zeros(paths)
    for place, path in enumerate(plain):
        late[place] = sum(
            amount for (name, month), amount in path["book"].items() if name == "recovery" and month > months
        )
    np.testing.assert_allclose(values(engine, "recovery_after_horizon"), late, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("month_major", [False, True])
@pytest.mark.parametrize("case", range(12))
def test_reference_on_fresh_care(case: int, month_major: bool) -> None:
    """Watch lists and rungs for loans without arrears with drawn figures, in both schedules."""
    seed, months, paths = seed_of(f"care {case}"), 15, 8
    random = np.random.default_rng(seed)
    kind = str(random.choice(["lognormal", "probit", "seven buckets"]))
    parameters = busy_seven_buckets(seed) if kind == "seven buckets" else busy_tiers(kind, seed)
    servicing = drawn_care(random, parameters)
    tape, macro = mixed_book(60, seed), busy_macro(parameters, months)
    ids, where = tuple(tape["loan_id"].tolist()), {"months": months, "seed": seed, "servicing": servicing}
    size = RunSize(threads=2, path_block=3, month_major=month_major)
    engine = simulate(tape, macro, parameters, paths=paths, trace=ids, size=size, **where)
    plain = simulate_plain(plain_world(tape, macro, parameters, **where), paths)
    expected = np.array([[path["history"][loan] for path in plain] for loan in ids])
    for item, name in enumerate(TRACED):
        np.testing.assert_allclose(values(engine, name), expected[..., item], rtol=1e-9, atol=1e-9, err_msg=name)
    for figure in ("asked", "served", "reached", "contacts", "cost", "followed", "averted"):
        means = np.zeros((months, len(servicing.rung_names)))
        for month, place in np.ndindex(*means.shape):
            means[month, place] = np.mean([path["rung"].get((figure, month + 1, place), 0.0) for path in plain])
        np.testing.assert_allclose(values(engine, f"rung_{figure}_mean"), means, rtol=1e-9, atol=1e-9, err_msg=figure)


@pytest.mark.parametrize("phone", [False, True], ids=["nobody waits", "phone"])
@pytest.mark.parametrize("case", range(6))
def test_bits_on_fresh_books(case: int, phone: bool) -> None:
    """However a run is cut and its tape is ordered; where nothing couples the loans, in either schedule."""
    random = np.random.default_rng(seed_of(f"bits {case} {phone}"))
    tape = mixed_book(int(random.integers(60, 9_000)), int(random.integers(2**32)))
    order = random.permutation(len(tape))
    shuffled = tape_of_columns({name: column[order] for name, column in tape.columns.items()})
    parameters = busy_tiers(str(random.choice(["lognormal", "probit"])), int(random.integers(2**32)))
    paths, months, seed = int(random.integers(1, 100)), int(random.integers(1, 40)), int(random.integers(2**63))
    macro = busy_macro(parameters, months)
    servicing = busy_servicing(parameters, times=len(tape) / 60.0) if phone else None
    where = {"paths": paths, "months": months, "seed": seed, "servicing": servicing}
    other = RunSize(int(random.integers(2, 6)), int(random.integers(1, paths + 1)), month_major=True)
    first = simulate(tape, macro, parameters, size=RunSize(threads=1, path_block=paths), **where)
    second = simulate(shuffled, macro, parameters, size=other, **where)
    assert_same_bits(second, first)


def test_normal_draws_reach_their_tails() -> None:
    """Global factor over 400,000 paths: counts beyond ten levels."""
    parameters = shipped("us_near_prime")
    factor = draw_systematic((), parameters, range(400_000), 0, 0, seed=seed_of("tails")).factor[:, 0, 0]
    levels = np.array([1e-4, 1e-3, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999])
    counts = (factor[:, None] <= ndtri(levels)).sum(axis=0)
    assert_shares(counts, levels, factor.size, normal_bound(FALSE_ALARM, levels.size))
