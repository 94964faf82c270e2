"""The reference jobs: how many loan-months a second the engine steps on this machine."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scenarios.counted import counted
from scenarios.library import find_strategy
from scenarios.macro import monthly_macro
from scenarios.schema import MacroScenario, Synthetic
from scenarios.strategy import CollectionStrategy
from scenarios.vocabulary import REFERENCE_STRATEGY
from simulator.engine import RunSize, advance, available_cores, prepare
from simulator.horizon import months_needed
from simulator.parameter_set import ParameterSet
from simulator.parameters import build_parameters
from simulator.servicing import Servicing
from simulator.study import draw_tape
from simulator.totals import ScenarioRun, Totals

LOANS = 100_000
MONTHS = 60
PATHS = 64
SEED = 1
"""The reference job: near-prime loans with at least as many months to go as are simulated, one scenario."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One timing of the reference job; compilation, drawing the book and labelling are not timed.

    Attributes
    ----------
    parameters : str
        Parameter set of the book.
    loan_months_per_second : float
        Live loan-months, as summed by the kernel, a second: the engine's speed.
    nominal_loan_months_per_second : float
        loans x months x paths a second, whether the loan still lives or not.
    live_share : float
        Live over nominal loan-months.
    delinquent_share : float
        Share of live loan-months that opened in arrears.
    month_major_per_second : float
        Live loan-months a second where the whole book meets each month, as it must where a pool or a fire sale
        couples its loans; the same paths, timed in turn with the other schedule.
    """

    parameters: str
    loan_months_per_second: float
    nominal_loan_months_per_second: float
    live_share: float
    delinquent_share: float
    month_major_per_second: float
    threads: int
    loans: int
    paths: int
    months: int
    seconds: float

    def __str__(self) -> str:
        """Three lines for the terminal."""
        together = self.month_major_per_second
        return (
            f"{self.parameters}: {self.loan_months_per_second / 1e6:.0f} million live loan-months a second on "
            f"{self.threads} threads ({self.nominal_loan_months_per_second / 1e6:.0f} million nominal)\n"
            f"{self.loans:,} loans x {self.paths} paths x {self.months} months in {self.seconds:.1f} s; "
            f"{self.live_share:.0%} live, {self.delinquent_share:.1%} of them in arrears\n"
            f"month by month over the whole book, as with a pool: {together / 1e6:.0f} million live loan-months "
            f"a second ({together / self.loan_months_per_second:.2f} of the above)"
        )


def run_benchmark(
    described: ParameterSet,
    scenario: MacroScenario,
    *,
    loans: int = LOANS,
    months: int = MONTHS,
    paths: int = PATHS,
    threads: int | None = None,
) -> Benchmark:
    """Time the reference job on a synthetic book of a parameter set under one scenario.

    Timed is what grows with paths: draws, kernels, checks and sums.  Compiling, drawing the book and turning
    it into arrays are not.
    """
    (run,) = _prepared(described, scenario, [Servicing()], loans=loans, months=months)
    size = RunSize(threads=threads or available_cores())
    advance(run, range(1), size)
    totals, seconds = _timed(run, paths, size)
    _, together = _timed(run, paths, replace(size, month_major=True))
    opened = totals.transition.sum(axis=(0, 2))
    live, nominal = int(opened.sum()), loans * months * paths
    return Benchmark(
        parameters=described.name,
        loan_months_per_second=live / seconds,
        nominal_loan_months_per_second=nominal / seconds,
        live_share=live / nominal,
        delinquent_share=float(opened[1:].sum() / live),
        month_major_per_second=live / together,
        threads=size.threads or 1,
        loans=loans,
        paths=paths,
        months=months,
        seconds=seconds,
    )


@dataclass(frozen=True, slots=True)
class StrategyBenchmark:
    """One timing of the reference job under several collection strategies, one after another on the same paths.

    Attributes
    ----------
    strategy_loan_months_per_second : float
        Live loan-months of all strategies together, a second.
    by_strategy : dict of str to float
        Live loan-months a second under each.
    """

    parameters: str
    strategy_loan_months_per_second: float
    by_strategy: dict[str, float]
    threads: int
    loans: int
    paths: int
    months: int
    seconds: float

    def __str__(self) -> str:
        """A line for all, and one for each."""
        each = "\n".join(f"  {name}: {found / 1e6:.0f} million" for name, found in self.by_strategy.items())
        return (
            f"{self.parameters} under {counted(len(self.by_strategy), 'strategy', 'strategies')}: "
            f"{self.strategy_loan_months_per_second / 1e6:.0f} million live strategy-loan-months a second on "
            f"{self.threads} threads, {self.seconds:.1f} s\n{each}"
        )


def run_strategies(  # noqa: PLR0913 - a job, its strategies and its size
    described: ParameterSet,
    scenario: MacroScenario,
    strategies: Sequence[CollectionStrategy],
    *,
    observed: CollectionStrategy | None = None,
    loans: int = LOANS,
    months: int = MONTHS,
    paths: int = PATHS,
    threads: int | None = None,
) -> StrategyBenchmark:
    """Time the reference job under each of the strategies; what is timed is as in `run_benchmark`."""
    servicings = [Servicing(item, (observed,)) for item in strategies]
    size, live, seconds = RunSize(threads=threads or available_cores()), {}, {}
    for run in _prepared(described, scenario, servicings, loans=loans, months=months):
        advance(run, range(1), size)
        totals, seconds[run.servicing.name] = _timed(run, paths, size)
        live[run.servicing.name] = int(totals.transition.sum())
    return StrategyBenchmark(
        parameters=described.name,
        strategy_loan_months_per_second=sum(live.values()) / sum(seconds.values()),
        by_strategy={name: live[name] / seconds[name] for name in live},
        threads=size.threads or 1,
        loans=loans,
        paths=paths,
        months=months,
        seconds=sum(seconds.values()),
    )


def time_jobs(
    sets: Sequence[ParameterSet],
    scenario: MacroScenario,
    strategies: Sequence[CollectionStrategy] = (),
    **size: Any,
) -> list[Benchmark | StrategyBenchmark]:
    """The reference job of each set: as observed, or under strategies; `size` as `run_benchmark` takes it."""
    found: list[Benchmark | StrategyBenchmark] = []
    for item in sets:
        observed = None if item.observed_under == REFERENCE_STRATEGY else find_strategy(item.observed_under)
        if strategies:
            found.append(run_strategies(item, scenario, strategies, observed=observed, **size))
        else:
            found.append(run_benchmark(item, scenario, **size))
    return found


def _prepared(
    described: ParameterSet, scenario: MacroScenario, servicings: Sequence[Servicing], *, loans: int, months: int
) -> Iterator[ScenarioRun]:
    """The reference book under a scenario, once for each servicing."""
    parameters = build_parameters([described])
    year, month = divmod(scenario.first_month[0] * 12 + scenario.first_month[1] - 2, 12)
    as_of = datetime.date(year, month + 1, 28)
    tape = draw_tape(Synthetic(loans=loans, seed=SEED, as_of=as_of, minimum_remaining_term=months), described)
    macro = monthly_macro(scenario, (year, month + 1), months, months_needed(parameters, months))
    for servicing in servicings:
        yield prepare(tape, macro, parameters, servicing, months=months, seed=SEED)


def _timed(run: ScenarioRun, paths: int, size: RunSize) -> tuple[Totals, float]:
    """What some paths leave, and the seconds that they took."""
    start = time.perf_counter()
    totals = advance(run, range(paths), size)
    return totals, time.perf_counter() - start
