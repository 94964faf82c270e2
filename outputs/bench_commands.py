"""The command `carstress bench`. As in `cli.py`, heavy imports stand inside it and nothing is computed here."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from outputs.console import VOICE, interruptible, reporting
from outputs.plan_commands import MANY

if TYPE_CHECKING:
    from simulator.bench import Benchmark, StrategyBenchmark
    from simulator.parameter_set import ParameterSet


@click.command()
@click.option(
    "--parameters",
    "names",
    multiple=True,
    default=("us_near_prime", "us_prime"),
    show_default=True,
    help="Parameter set of the book; give it again for another job.",
)
@click.option("--loans", type=MANY, default=100_000, show_default=True, help="Number of loans.")
@click.option("--months", type=click.IntRange(1, 120), default=60, show_default=True, help="Horizon.")
@click.option("--paths", type=MANY, default=64, show_default=True, help="Number of paths.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Worker threads; all cores if not given.")
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    help="Time the jobs under this collection strategy instead, shipped or a file; again for several.",
)
@reporting
def bench(
    names: tuple[str, ...], loans: int, months: int, paths: int, threads: int | None, strategies: tuple[str, ...]
) -> None:
    """Time the reference jobs: loans with at least MONTHS to go, one scenario, on this machine."""
    from calibration.library import find_parameter_set
    from scenarios.library import find_scenario, find_strategy
    from scenarios.vocabulary import REFERENCE_STRATEGY
    from simulator.bench import run_benchmark, run_strategies

    sets, baseline = [find_parameter_set(name) for name in names], find_scenario("baseline")
    size: dict[str, Any] = {"loans": loans, "months": months, "paths": paths, "threads": threads}
    ladders = [find_strategy(name) for name in strategies]

    def timed(item: ParameterSet) -> Benchmark | StrategyBenchmark:
        if not ladders:
            return run_benchmark(item, baseline, **size)
        observed = None if item.observed_under == REFERENCE_STRATEGY else find_strategy(item.observed_under)
        return run_strategies(item, baseline, ladders, observed=observed, **size)

    found = interruptible(lambda: [timed(each) for each in sets])
    VOICE.report("\n".join(str(each) for each in found), {"jobs": [asdict(each) for each in found]})
