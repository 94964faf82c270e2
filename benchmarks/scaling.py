"""How the time of a run grows with its loans and with its paths: `python -m benchmarks.scaling --json`.

The same study's book in several sizes, and one size on several numbers of paths, all timed in turns in one process.
Seconds are those of the processor, all threads together, and the fastest of some repeats counts: what else goes on in
the machine weighs less in them.  Time grows with the power of the size that a straight line through the logarithms has
as its slope; more than `MOST` fails.
"""

from __future__ import annotations

import datetime
import itertools
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from outputs.console import LIMIT_FAILED, VOICE, complain, end_with, interruptible, progress_bars, reporting

if TYPE_CHECKING:
    from simulator.engine import RunSize
    from simulator.parameters import Parameters
    from simulator.tape import LoanTape

SCHEMA: Final = "carstress-scaling/1"

MOST: Final = 1.05
"""Largest exponent of loans and of paths."""

STEPS: Final = 5
"""Sizes from the smallest to the largest, evenly spaced in logarithms."""

SEED: Final = 1
AS_OF: Final = datetime.date(2024, 12, 31)
PATH_LOANS: Final = 20_000
"""Loans of the runs that differ in paths."""

EXIT_CODES: Final = """\b
Exit codes: 0 fine, 1 time grows faster than loans or paths to the power of 1.05, 2 usage,
3 bad input, 4 runtime failure, 130 interrupted."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One size, and the seconds that it took.

    Attributes
    ----------
    size : int
        Loans or paths.
    seconds : float
        Of the processor, all threads together: the whole run, from the tape to the Dataset.
    arranging : float
        Of these, turning the book into arrays.
    wall : float
        By the clock.
    """

    size: int
    seconds: float
    arranging: float
    wall: float


@dataclass(frozen=True, slots=True)
class Growth:
    """Timings of rising sizes of one kind."""

    what: str
    timings: tuple[Timing, ...]

    @property
    def exponent(self) -> float:
        """Slope of the logarithm of seconds in that of the size, least squares."""
        return slope([timing.size for timing in self.timings], [timing.seconds for timing in self.timings])

    @property
    def last_step(self) -> float:
        """The same between the two largest sizes, where costs that do not grow weigh least."""
        return slope(*zip(*((timing.size, timing.seconds) for timing in self.timings[-2:]), strict=True))

    def record(self) -> dict[str, Any]:
        """As plain values."""
        rows = [asdict(timing) for timing in self.timings]
        return {"exponent": self.exponent, "last_step": self.last_step, "timings": rows}


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Slope of the least-squares line through the logarithms."""
    x, y = ([math.log(value) for value in values] for values in (sizes, seconds))
    middle = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - middle[0]) * (b - middle[1]) for a, b in zip(x, y, strict=True))
    return above / sum((a - middle[0]) ** 2 for a in x)


def spaced(smallest: int, largest: int) -> tuple[int, ...]:
    """Sizes evenly spaced in logarithms, each once."""
    ratio = (largest / smallest) ** (1.0 / (STEPS - 1))
    return tuple(sorted({round(smallest * ratio**step) for step in range(STEPS)}))


class Bench:
    """The reference scenario on books of one parameter set, kept so that each is drawn once."""

    def __init__(self, name: str, months: int, size: RunSize) -> None:
        from calibration.library import find_parameter_set
        from scenarios.library import find_scenario
        from scenarios.macro import monthly_macro
        from simulator.horizon import months_needed
        from simulator.parameters import build_parameters

        self.described, self.months, self.size = find_parameter_set(name), months, size
        self.parameters: Parameters = build_parameters([self.described])
        needed = months_needed(self.parameters, months)
        self.macro = monthly_macro(find_scenario("baseline"), (AS_OF.year, AS_OF.month), months, needed)
        self.books: dict[int, LoanTape] = {}

    def book(self, loans: int) -> LoanTape:
        """A book of so many loans."""
        from scenarios.schema import Synthetic
        from simulator.study import draw_tape

        if loans not in self.books:
            self.books[loans] = draw_tape(Synthetic(loans=loans, seed=SEED, as_of=AS_OF), self.described)
        return self.books[loans]

    def timed(self, loans: int, paths: int, size: int) -> Timing:
        """One run of so many loans and paths, of which `size` is the one that varies.

        What an earlier run has kept of the tape is made anew.
        """
        from simulator.engine import advance, prepare
        from simulator.labels import label_results
        from simulator.servicing import Servicing
        from simulator.tape import LoanTape

        kept = self.book(loans)
        tape = LoanTape(kept.columns, kept.as_of, kept.currency, kept.report)
        begun, clock = time.process_time(), time.perf_counter()
        run = prepare(tape, self.macro, self.parameters, Servicing(), months=self.months, seed=SEED)
        arranged = time.process_time()
        totals = advance(run, range(paths), self.size)
        label_results(run, totals, tape=tape, trace=(), paths=range(paths))
        seconds, wall = time.process_time() - begun, time.perf_counter() - clock
        return Timing(size, seconds, arranged - begun, wall)


def measure(
    bench: Bench,
    loans: Sequence[int],
    paths: Sequence[int],
    *,
    fixed: tuple[int, int],
    repeats: int,
    tick: Callable[[], None] = lambda: None,
) -> tuple[Growth, Growth]:
    """Time all sizes in turns; `fixed` are the loans of the runs that differ in paths, and the paths of the others."""
    path_loans, loan_paths = fixed
    jobs = [("loans", size, size, loan_paths) for size in loans] + [("paths", size, path_loans, size) for size in paths]
    best: dict[tuple[str, int], Timing] = {}
    bench.timed(loans[0], 1, loans[0])  # compiles
    for _ in range(repeats):
        for what, size, count, number in jobs:
            timing = bench.timed(count, number, size)
            earlier = best.get((what, size))
            best[what, size] = timing if earlier is None or timing.seconds < earlier.seconds else earlier
            tick()
    grown = {what: tuple(timing for (kind, _), timing in best.items() if kind == what) for what in ("loans", "paths")}
    return Growth("loans", grown["loans"]), Growth("paths", grown["paths"])


@click.command(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--smallest", type=click.IntRange(100, 1_000_000), default=10_000, show_default=True, help="Loans.")
@click.option("--largest", type=click.IntRange(1_000, 10_000_000), default=1_000_000, show_default=True, help="Loans.")
@click.option("--paths", type=click.IntRange(4, 100_000), default=32, show_default=True, help="Paths of each book.")
@click.option("--most-paths", type=click.IntRange(64, 1_000_000), default=2_048, show_default=True)
@click.option("--months", type=click.IntRange(1, 120), default=36, show_default=True)
@click.option("--repeats", type=click.IntRange(1, 100), default=3, show_default=True, help="The fastest counts.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Worker threads; all cores if not given.")
@click.option("--parameters", default="us_near_prime", show_default=True, help="Parameter set of the books.")
@reporting
def scaling(  # noqa: PLR0913 - a click command has one parameter an option
    smallest: int,
    largest: int,
    paths: int,
    most_paths: int,
    months: int,
    repeats: int,
    threads: int | None,
    parameters: str,
) -> None:
    """Time books of several sizes and runs of several numbers of paths, and say by which power time grows."""
    from simulator.engine import RunSize, available_cores

    if largest <= smallest:
        raise click.BadParameter(f"{largest} is not above --smallest {smallest}", param_hint="'--largest'")
    bench = Bench(parameters, months, RunSize(threads=threads or available_cores()))
    loans, numbers = spaced(smallest, largest), spaced(max(most_paths // 16, 1), most_paths)
    fixed, rounds = (min(PATH_LOANS, largest), paths), itertools.count(1)
    with progress_bars({"runs": repeats * (len(loans) + len(numbers))}) as advance:
        tick = lambda: advance("runs", next(rounds))  # noqa: E731 - one use
        found = interruptible(lambda: measure(bench, loans, numbers, fixed=fixed, repeats=repeats, tick=tick))
    settings = {"months": months, "paths_of_books": paths, "loans_of_paths": fixed[0], "threads": bench.size.threads}
    VOICE.report(text(found), document(found, {**settings, "repeats": repeats, "parameters": parameters}))
    failures = failing(found)
    for sentence in failures:
        complain(sentence)
    if failures:
        raise click.exceptions.Exit(LIMIT_FAILED)


def failing(found: Sequence[Growth]) -> list[str]:
    """What grows too fast, in sentences."""
    return [
        f"Time grows with {growth.what} to the power of {growth.exponent:.3f}; expected at most {MOST}."
        for growth in found
        if growth.exponent > MOST
    ]


def document(found: Sequence[Growth], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Exponents and timings as plain values."""
    growths = {growth.what: growth.record() for growth in found}
    return {"schema": SCHEMA, **growths, "most": MOST, "job": dict(settings), "failures": failing(found)}


def text(found: Sequence[Growth]) -> str:
    """Exponents and timings for a reader."""
    from outputs.wording import align

    lines = []
    for growth in found:
        rows = [[growth.what, "processor s", "of it the book", "clock s", "ns each"]]
        rows += [
            [
                f"{timing.size:,}",
                f"{timing.seconds:.3f}",
                f"{timing.arranging:.3f}",
                f"{timing.wall:.3f}",
                f"{1e9 * timing.seconds / timing.size:,.0f}",
            ]
            for timing in growth.timings
        ]
        lines += [align(rows, text_columns=0), ""]
        power = f"Time grows with {growth.what} to the power of {growth.exponent:.3f}"
        lines += [f"{power}, {growth.last_step:.3f} in the last step; at most {MOST} is expected.", ""]
    return "\n".join(lines).rstrip()


if __name__ == "__main__":
    end_with(scaling, sys.argv[1:])
