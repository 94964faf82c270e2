"""The simple job of the benchmark: the engine and its peers do the same job, and who does another is found out."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kstest

from benchmarks import compare as module
from benchmarks.agreement import FALSE_ALARM, Agreement, judge
from benchmarks.compare import DEMANDED, ENOUGH, LOANS, MONTHS, PATIENCE, Comparison, Size, Timing, compare, peer_makers
from benchmarks.engine_peer import Engine
from benchmarks.exact import Expected, competing_moves, expected_loss, stated_moves
from benchmarks.job import (
    MISSED,
    Job,
    Market,
    parameters,
    reference_entry,
    simple_job,
    simple_macro,
    simple_tape,
    solved_correlation,
)
from benchmarks.numpy_peers import Compacted
from benchmarks.peers import TITLES, peers
from command_line import environment
from known_cases import assert_shares, normal_bound
from outputs.console import exit_code_of
from scenarios.vocabulary import CHARGED_OFF, PREPAID
from simulator.engine import simulate
from simulator.intensities import transition_matrix

ROOT = Path(__file__).resolve().parents[1]

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is an extra of its own: pip install -e '.[peers]'"
)

NAMES = ("numpy", "numpy_float32", "numpy_compacted", "numba")
JAX_NAMES = ("jax", "jax_tuned")

SMALL = Size(loans=10_000, months=48, paths=32, repeats=1, cores=2)
"""Some 700 defaults a path: enough for a normal law of the path's loss, and for an error of 1 % to be seen."""


def chain(entry: float) -> NDArray[np.float64]:
    """Monthly matrix of the job as its issue prints it, written out once more: live states, default, prepaid."""
    return np.array(
        [
            [1.0 - entry - 0.015, entry, 0.0, 0.0, 0.0, 0.015],
            [0.35, 0.30, 0.35, 0.0, 0.0, 0.0],
            [0.20, 0.0, 0.25, 0.55, 0.0, 0.0],
            [0.10, 0.0, 0.0, 0.15, 0.75, 0.0],
            [0.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        ]
    )


@cache
def small_job() -> Job:
    return simple_job(simple_tape(SMALL.loans, SMALL.months), SMALL.months)


def still(job: Job, paths: int) -> tuple[Job, Market]:
    """The job with one b for all loans and z switched off: every loan falls behind with the set's own probability."""
    alike = np.full_like(job.log_odds, np.log(-np.log1p(-reference_entry())))
    flat = np.ones((paths, job.months))
    return replace(job, log_odds=alike), Market(range(paths), 0.0 * flat, flat)


def closed_form_loss(job: Job) -> tuple[float, float]:
    """Mean and variance of a still path's loss: each loan's months of default from the powers of the matrix."""
    defaulted = [np.linalg.matrix_power(chain(reference_entry()), month)[0, 4] for month in range(job.months + 1)]
    chance = np.diff(defaulted)
    months = np.arange(1, job.months + 1)
    owed = job.balance[:, None] - (months - MISSED) * job.instalment[:, None]
    lost = np.maximum(owed - job.proceeds[:, None] * job.decay, 0.0)
    mean, square = lost @ chance, lost**2 @ chance
    return float(mean.sum()), float((square - mean**2).sum())


# --- the engine is configured to the job -----------------------------------------------------------------------


def test_the_engines_monthly_matrix_is_the_jobs() -> None:
    found = transition_matrix(parameters().intensity[0])
    assert found == pytest.approx(chain(reference_entry())[:4], abs=1e-12)
    assert parameters().sigma[0] == pytest.approx(0.5, abs=1e-9)
    assert (parameters().persistence, parameters().shares) == (0.95, (1.0, 0.0, 0.0))
    correlation = parameters().sets[0].systematic.correlation.value
    assert solved_correlation() == pytest.approx(correlation, rel=1e-10), "run python -m benchmarks.job"
    law = small_job().law
    assert (law.prepay, law.cure, law.roll) == (0.015, (0.35, 0.20, 0.10), (0.35, 0.55, 0.75))


def test_both_laws_of_entry_are_one_at_the_reference_and_near_it() -> None:
    """Competing intensities and stated probabilities: equal at the reference, apart in second order elsewhere."""
    entry, prepay = reference_entry(), small_job().law.prepay
    at = -np.log1p(-entry)
    assert competing_moves(np.array(at), entry, prepay) == pytest.approx((entry, prepay), rel=1e-12)
    scale = np.array([0.2, 0.5, 2.0, 5.0])
    stated, competing = stated_moves(at * scale, prepay), competing_moves(at * scale, entry, prepay)
    assert competing[0] == pytest.approx(stated[0], rel=1e-3)
    assert competing[1] == pytest.approx(prepay * (1.0 - at * (scale - 1.0) / 2.0), rel=1e-3)


def test_the_full_job_defaults_at_three_percent_a_year_and_its_laws_hardly_differ() -> None:
    tape = simple_tape(LOANS, MONTHS)
    job, market = simple_job(tape, MONTHS), Engine(tape, MONTHS, seed=1, cores=2).market(256)
    own, engines = expected_loss(job, market), expected_loss(job, market, reference_entry())
    assert own.annual_default == pytest.approx(0.03, abs=0.003)
    assert engines.mean == pytest.approx(own.mean, rel=2e-3)
    assert engines.mean.mean() == pytest.approx(own.mean.mean(), rel=1e-3)


def test_the_market_is_the_jobs() -> None:
    """z: stationary, AR(1) .95; the index: independent of it, 2 % a month. Four tests, fail once in 10,000 seeds."""
    market = Engine(simple_tape(1, 60), 60, seed=2, cores=1).market(400)
    z, index = market.factor, np.log(market.index)
    steps = (z[:, 1:] - 0.95 * z[:, :-1]) / np.sqrt(1.0 - 0.95**2)
    returns = np.diff(index, axis=1, prepend=0.0) / 0.02 + 0.01  # the mean of exp is 1
    together = np.sqrt(steps.size) * np.mean(steps * returns[:, 1:])
    for sample in (z[:, 0], steps.ravel(), returns.ravel(), np.array([together])):
        assert kstest(sample, "norm").pvalue > FALSE_ALARM / 4.0


# --- closed form: one b, z off ------------------------------------------------------------------------------------


def test_expected_loss_is_the_matrix_powers() -> None:
    job, market = still(small_job(), paths=2)
    mean, variance = closed_form_loss(job)
    for reference in (None, reference_entry()):
        found = expected_loss(job, market, reference)
        assert found.mean == pytest.approx([mean, mean], rel=1e-9)
        assert found.variance == pytest.approx([variance, variance], rel=1e-8)
        expected = np.linalg.matrix_power(chain(reference_entry()), job.months)[0]
        assert found.default_share.sum() == pytest.approx(expected[4], rel=1e-12)


def test_the_engines_loans_stand_where_the_chain_says() -> None:
    """100,000 loans of one b without factor after 48 months, in six states; fails once in 10,000 seeds."""
    alike = replace(
        parameters(), sigma=np.zeros(1), borrower=replace(parameters().borrower, score_coefficient=np.zeros(1))
    )
    macro, paths = simple_macro(SMALL.months), 10
    tape = simple_tape(SMALL.loans, SMALL.months)
    results = simulate(tape, macro, alike, paths=paths, months=SMALL.months, seed=3)
    moved = results["transition_count_mean"].to_numpy()[0, 0, 0] * paths
    stands = moved[-1].sum(axis=0)[:4]
    exits = moved.sum(axis=(0, 1))[4:]
    labels = results["to_state"].to_numpy()[4:].tolist()
    assert labels[:2] == ["charged_off", "prepaid"], (CHARGED_OFF, PREPAID)
    assert exits[2:].tolist() == [0.0, 0.0]
    expected = np.linalg.matrix_power(chain(reference_entry()), SMALL.months)[0]
    trials = SMALL.loans * paths
    assert_shares(np.concatenate([stands, exits[:2]]), expected, trials, normal_bound(FALSE_ALARM, 6))


@pytest.mark.parametrize("name", [*NAMES, *(pytest.param(name, marks=needs_jax) for name in JAX_NAMES)])
def test_a_peers_still_paths_lose_what_the_matrix_says(name: str) -> None:
    """Mean and spread of 64 paths of 10,000 loans of one hazard; each fails once in 10,000 seeds."""
    job, market = still(small_job(), paths=64)
    mean, variance = closed_form_loss(job)
    losses = peer_makers(job, cores=2)[name]()(market, 5)
    assert losses.shape == (64,)
    assert np.unique(losses).size == 64
    alike = np.ones(64)
    found = judge(losses, Expected(mean * alike, variance * alike, alike, alike), float(job.balance.sum()))
    assert found.holds(1), found


# --- all together ---------------------------------------------------------------------------------------------------


@cache
def small_comparison(names: tuple[str, ...]) -> Comparison:
    return compare(names, SMALL, lambda: None)


def test_the_engine_and_its_peers_agree_on_losses() -> None:
    """64 paths of five implementations, mean and spread of each; fails once in 10,000 seeds."""
    found = small_comparison(NAMES)
    assert list(found.timings) == ["engine", *NAMES]
    assert found.failures() == []
    for timing in found.timings.values():
        low, high = timing.agreement.off_by[1:]
        assert high - low < 0.025, "too few paths to tell anything"
        assert timing.median <= timing.speed


@needs_jax
def test_jax_agrees_too() -> None:
    """64 paths of two implementations and the engine; fails once in 10,000 seeds."""
    assert small_comparison(JAX_NAMES).failures() == []


@cache
def market_of_small_job() -> Market:
    return Engine(simple_tape(SMALL.loans, SMALL.months), SMALL.months, seed=4, cores=2).market(64)


def judged(job: Job, losses: NDArray[np.float64]) -> Agreement:
    return judge(losses, expected_loss(job, market_of_small_job()), float(job.balance.sum()))


def test_another_law_is_found_out() -> None:
    job = small_job()
    lazy = replace(job, law=replace(job.law, cure=(0.30, 0.20, 0.10)))
    assert judged(job, Compacted(job).losses(market_of_small_job(), 6)).holds(5)
    found = judged(job, Compacted(lazy).losses(market_of_small_job(), 6))
    assert not found.holds(5)
    assert found.off_by[1] > 0.0, "who cures less, loses more"


def test_draws_that_loans_share_are_found_out() -> None:
    """Four copies of a quarter of the book have the mean of the book, and twice its spread."""
    job, market = small_job(), market_of_small_job()
    quarter = replace(
        job, **{name: getattr(job, name)[::4] for name in ("log_odds", "balance", "instalment", "proceeds")}
    )
    share = expected_loss(job, market).mean / expected_loss(quarter, market).mean
    found = judged(job, share * Compacted(quarter).losses(market, 7))
    assert not found.holds(5)
    assert found.p_mean > FALSE_ALARM
    assert found.spread[0] == pytest.approx(2.0, rel=0.3)


def comparison_at(speed: float, loans: int = LOANS, cores: int = 2, **speeds: float) -> Comparison:
    """A comparison of right losses and given speeds."""
    agreement = Agreement((0.01,) * 3, (0.01,) * 3, (0.0,) * 3, (1.0,) * 3, p_mean=0.5, p_spread=0.5)
    size = Size(loans, MONTHS, paths=2, repeats=1, cores=cores)
    timings = {name: Timing(found, found, 1.0, agreement) for name, found in {"engine": 1e9, **speeds}.items()}
    return Comparison(size, 1, timings, {1: speed, 2: speed}, law_gap=0.0, annual_default=0.03, live_share=0.6)


def test_a_slow_peer_makes_the_comparison_worthless() -> None:
    numpy, jax = (ENOUGH * DEMANDED[name][0] * 1e6 for name in ("numpy", "jax"))
    assert comparison_at(1.0, numpy=numpy, jax=jax).failures() == []
    assert comparison_at(1.0, numpy=numpy, jax=jax).ratio("numpy") == 1e9 / numpy
    (said,) = comparison_at(1.0, numpy=0.99 * numpy, jax=jax).failures()
    assert "numpy reaches 109 million loan-months a second; expected at least 110" in said
    assert "flatters the engine" in said
    assert len(comparison_at(1.0, numpy=numpy / 2, jax=jax / 2).failures()) == 2
    assert comparison_at(0.5, numpy=numpy / 2, jax=jax / 2).failures() == [], "a machine half as fast"
    assert comparison_at(1.0, cores=1, numpy=numpy, jax=jax / 2).failures() == [], "one core of two"
    assert comparison_at(1.0, loans=1_000, numpy=1.0, jax=1.0).failures() == [], "a small job is not judged"


def test_a_disturbed_peer_gets_more_rounds_before_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    size = replace(SMALL, loans=500, paths=8)
    monkeypatch.setattr(module, "LOANS", size.loans)
    monkeypatch.setattr(module, "MONTHS", size.months)
    monkeypatch.setattr(module, "DEMANDED", {"numpy": (1e9, 1)})
    rounds: list[None] = []
    found = compare(("numpy",), size, lambda: rounds.append(None))
    assert (found.rounds, len(rounds)) == (PATIENCE, PATIENCE + 1)
    assert "numpy reaches" in found.failures()[0]
    monkeypatch.setattr(module, "DEMANDED", {"numpy": (1e-9, 1)})
    assert compare(("numpy",), size, lambda: None).rounds == size.repeats


# --- the command ---------------------------------------------------------------------------------------------------


def command(*words: str, before: str = "") -> subprocess.CompletedProcess[str]:
    program = f"import sys\n{before}\nimport runpy\nsys.argv = ['peers', *{list(words)!r}]\n"
    program += "runpy.run_module('benchmarks.peers', run_name='__main__')\n"
    line = [sys.executable, "-c", program]
    return subprocess.run(line, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300, check=False)


SMALL_WORDS = ("--loans", "500", "--months", "24", "--paths", "8", "--repeats", "1", "--cores", "1024")


def test_command_in_json() -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):  # in this process, so that kernels compile once
        assert exit_code_of(peers, ["--json", "--only", "numpy", *SMALL_WORDS]) == 0
    found = json.loads(out.getvalue())
    assert found["schema"] == "carstress-peers/1"
    assert found["engine"] / found["numpy"] == pytest.approx(found["engine_over_numpy"])
    assert found["engine_live"] < found["engine"]
    assert set(found["losses"]) == {"engine", "numpy"}
    assert found["losses"]["engine"]["mean"][0] == pytest.approx(found["losses"]["numpy"]["mean"][0], rel=0.3)
    assert (found["failures"], found["demanded"]) == ([], {})
    assert {"processor", "cores_used", "versions", "speed_of_cores"} <= set(found["machine"])
    assert found["machine"]["versions"]["numpy"] == np.__version__


def test_command_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(peers, ["--only", "numpy_compacted", "--only", "numpy", *SMALL_WORDS]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[1:4]] == ["engine", "numpy", "numpy_compacted"]
    assert "500 loans x 24 months x 8 paths" in lines[5]
    assert "Demanded" not in "".join(lines), "a small job is not judged"


def test_every_peer_has_a_title() -> None:
    assert ["engine", *peer_makers(small_job(), cores=1)] == list(TITLES)


def test_command_without_jax_says_how_to_get_it() -> None:
    answer = command("--only", "jax", *SMALL_WORDS, before="sys.modules['jax'] = None")
    assert (answer.returncode, answer.stdout) == (3, "")
    assert "no JAX" in answer.stderr
    assert "pip install -c constraints.txt -e '.[peers]'" in answer.stderr


def test_help_names_every_option_and_imports_nothing_heavy() -> None:
    watch = "import atexit; atexit.register(lambda: print('jax' in sys.modules, 'numba' in sys.modules))"
    answer = command("--help", before=watch)
    assert answer.returncode == 0, answer.stderr
    for word in ("--loans", "--months", "--paths", "--repeats", "--cores", "--only", "--json"):
        assert word in answer.stdout
    assert answer.stdout.splitlines()[-1] == "False False"
