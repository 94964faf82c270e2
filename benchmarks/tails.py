"""What a method for the tail brings: `python -m benchmarks.tails --json`.

A far expected shortfall of one book, once from many paths drawn plainly, and once from few paths under each of many
seeds, each with a pilot of its own.  The error of the method is the spread over seeds; that of the plain run comes
from its influence function and, beside it, from the spread of its parts.  Time is processor time of all threads:
draws, kernels and sums, pilots included; what both need once (compiling, reading the book, writing files) does not
count.  With `--plain-from` another method, or another number of paths, is judged by an earlier plain run: figure and
error come from its JSON, and some of its paths are timed again.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

import click
import numpy as np
from numpy.typing import NDArray

from outputs.console import LIMIT_FAILED, VOICE, complain, end_with, interruptible, progress_bars, reporting
from scenarios.errors import Fault, InputError
from scenarios.tail import Method

if TYPE_CHECKING:
    from scenarios.tail import Tail
    from simulator.engine import RunSize
    from simulator.study import StudyInputs
    from simulator.totals import ScenarioRun

Floats = NDArray[np.float64]

SCHEMA: Final = "carstress-tails/1"

DEMANDED: Final = 20.0
"""How many times less time the method must take for equal error."""

PARTS: Final = 100
"""Parts of the plain run whose spread tells its error a second time."""

PATHS_AT_ONCE: Final = 20_000
"""Plain paths that are held together, and that are timed again where a plain run is taken from a file."""

THE_SAME: Final = ("study", "loans", "months", "level", "plain_paths")
"""What an earlier plain run must have in common with the one that is asked for."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is measured.

    Attributes
    ----------
    study : str
        Name or path of the study whose book, first scenario and method are taken.
    method : str or None
        Another method than the study's.
    loans, months : int or None
        Others than the study's.
    plain_paths, paths, seeds : int
        Of the plain run; of each run of the method; how many of these.
    level : float
        Of the shortfall, fraction; shifts aim at it.
    """

    study: str
    method: str | None
    loans: int | None
    months: int | None
    plain_paths: int
    paths: int
    seeds: int
    level: float


@dataclass(frozen=True, slots=True)
class Figure:
    """An estimate with its standard error and the processor seconds that it took; percent of opening balance."""

    value: float
    error: float
    seconds: float


class Plain(NamedTuple):
    """The plain run: its figure, and its error from the spread of its parts, a little off where parts are biased."""

    figure: Figure
    error_by_parts: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Plain run and method side by side.

    Attributes
    ----------
    plain : Figure
    plain_error_by_parts : float
        As `Plain` has them.
    method : Figure
        Of one seed: mean over seeds, spread over seeds, mean seconds.
    told_error : float
        Root mean square of the errors that the runs told of themselves.
    pilot_seconds : float
        Part of the method's seconds.
    ratio, ratio_low, ratio_high : float
        Plain seconds over the method's for equal error, and its 95 % interval from the spread's own error.
    bias, bias_low, bias_high : float
        Mean over seeds less the plain figure, with its 95 % interval.
    """

    plain: Figure
    plain_error_by_parts: float
    method: Figure
    told_error: float
    pilot_seconds: float
    ratio: float
    ratio_low: float
    ratio_high: float
    bias: float
    bias_low: float
    bias_high: float

    def failures(self) -> list[str]:
        """What was demanded and is not so."""
        found = []
        if self.ratio < DEMANDED:
            found.append(f"{self.ratio:.1f} times less time for equal error; at least {DEMANDED:.0f} are demanded")
        if not self.bias_low <= 0.0 <= self.bias_high:
            ends = f"{self.bias_low:.4f} to {self.bias_high:.4f}"
            found.append(f"the method is off by {self.bias:.4f} points, 95 % interval {ends}")
        return found


# --- measuring -------------------------------------------------------------------------------------------


def compare(wish: Wish, size: RunSize, advance: Callable[[str, int], None], earlier: Path | None = None) -> Verdict:
    """Measure both, or the method alone beside the plain run of an earlier JSON."""
    known = None if earlier is None else stored_plain(earlier, wish)
    inputs = _inputs(wish)
    tail = inputs.study.tail_method
    if tail is None:
        fault = Fault(f"study {wish.study}", "no `tail:`", "a method for the tail", "Name one with --method.")
        raise InputError(fault)
    run, opening = _prepared(inputs, inputs.study.seed), float(inputs.tape.opening_balance)
    _losses(run, range(16), size)  # compiles
    if known is None:
        plain = _plain_of(*_plain(run, wish.plain_paths, size, advance), wish.level, opening)
    else:
        again = min(PATHS_AT_ONCE, wish.plain_paths)
        seconds = _plain(run, again, size, advance)[1] * wish.plain_paths / again
        plain = Plain(replace(known.figure, seconds=seconds), known.error_by_parts)
    runs = []
    for seed in range(wish.seeds):
        runs.append(_one_seed(inputs, tail, wish, seed, size))
        advance("seeds", seed + 1)
    return _verdict(plain, np.array(runs), opening)


def stored_plain(file: Path, wish: Wish) -> Plain:
    """The plain run of an earlier JSON of this benchmark.

    Raises
    ------
    InputError
        The file is no such JSON, or its plain run is another than the one that is asked for.
    """
    try:
        document = json.loads(file.read_text("utf-8"))
        figure = Figure(**document["plain"])
        plain, told = Plain(figure, float(document["plain_error_by_parts"])), document["wish"]
    except (ValueError, TypeError, KeyError) as error:
        remedy = "Make one without --plain-from."
        raise InputError(Fault(str(file), "no plain run", "what --json of this benchmark prints", remedy)) from error
    wished = asdict(wish)
    faults = [
        Fault(str(file), f"wish.{name} = {told.get(name)}", f"{wished[name]}", "Ask for the same plain run.")
        for name in THE_SAME
        if told.get(name) != wished[name]
    ]
    if faults:
        raise InputError(faults)
    return plain


def _inputs(wish: Wish) -> StudyInputs:
    from calibration.library import find_parameter_set
    from scenarios.library import find_study
    from scenarios.schema import SyntheticPortfolio
    from scenarios.tail import tail_of, tail_problems
    from simulator.study import load_inputs

    study = find_study(wish.study)
    changes: dict[str, Any] = {"paths": wish.paths, "months": wish.months or study.months}
    tail = study.tail_method if wish.method is None else tail_of(wish.method)
    if tail is not None:
        changes["tail"] = tail = _aimed(tail, wish.level)
        fits = tail_problems({"tail": tail.model_dump(exclude_none=True), "paths": wish.paths})
        faults = [Fault("--paths", each.found, each.expected, each.remedy) for each in fits]
        if faults:
            raise InputError(faults)
    if wish.loans is not None and isinstance(study.portfolio, SyntheticPortfolio):
        drawn = study.portfolio.synthetic.model_copy(update={"loans": wish.loans})
        changes["portfolio"] = SyntheticPortfolio(synthetic=drawn)
    inputs = load_inputs(study.model_copy(update=changes), find_parameter_set)
    return replace(inputs, scenarios=inputs.scenarios[:1])


def _aimed(tail: Tail, level: float) -> Tail:
    """The method with its shift aimed at the level that is judged."""
    return tail.model_copy(update={"level_percent": 100.0 * level}) if tail.shifts else tail


def _prepared(inputs: StudyInputs, seed: int) -> ScenarioRun:
    from simulator.engine import prepare

    (macro,) = inputs.macro_paths()
    months = inputs.study.months
    return prepare(inputs.tape, macro, inputs.parameters(), inputs.servicing(), months=months, seed=seed)


def _losses(run: ScenarioRun, paths: range, size: RunSize) -> Floats:
    from simulator.engine import advance

    kept = advance(run, paths, size).by_path
    return np.asarray(kept["ultimate_loss"].sum(axis=1) + kept["ultimate_loss_after_horizon"])


def _plain(run: ScenarioRun, paths: int, size: RunSize, advance: Callable[[str, int], None]) -> tuple[Floats, float]:
    """Losses of plain paths, and the processor seconds that they took."""
    parts, start = [], time.process_time()
    for first in range(0, paths, PATHS_AT_ONCE):
        parts.append(_losses(run, range(first, min(first + PATHS_AT_ONCE, paths)), size))
        advance("plain paths", min(first + PATHS_AT_ONCE, paths))
    return np.concatenate(parts), time.process_time() - start


def _plain_of(losses: Floats, seconds: float, level: float, opening: float) -> Plain:
    """What losses of plain paths say of the shortfall, percent of opening balance."""
    from outputs import estimators

    scale = 100.0 / opening
    found = estimators.expected_shortfall(estimators.draw_up_sample(losses), level)
    parts = [estimators.expected_shortfall(estimators.draw_up_sample(each), level).value for each in _parts(losses)]
    figure = Figure(scale * found.value, scale * found.standard_error, seconds)
    return Plain(figure, scale * float(np.std(parts, ddof=1)) / math.sqrt(len(parts)))


def _one_seed(
    inputs: StudyInputs, tail: Tail, wish: Wish, seed: int, size: RunSize
) -> tuple[float, float, float, float]:
    """Shortfall by the method, the error that it tells, seconds in all and of the pilot."""
    from outputs import estimators
    from simulator.tail_pilot import Question, run_pilot
    from simulator.tail_proposal import batches_of, components, log_weights, strata_of

    start = time.process_time()
    study, servicing, own = inputs.study, inputs.servicing(), inputs.study.seed + 1 + seed
    question = Question(inputs.tape, inputs.macro_paths(), inputs.parameters(), servicing, study.months, own, tail)
    proposal = run_pilot(question, wish.paths, size=size).proposal
    piloted = time.process_time()
    paths = range(wish.paths)
    run = replace(_prepared(inputs, own), proposal=proposal)
    parts = [_losses(run, paths[first : first + PATHS_AT_ONCE], size) for first in range(0, wish.paths, PATHS_AT_ONCE)]
    losses, z = np.concatenate(parts), components(proposal, paths, own)[:, 0]
    ties = estimators.Ties(
        batch=batches_of(proposal, paths),
        shared=proposal.scrambles > 0,
        cluster=np.arange(wish.paths),
        stratum=strata_of(proposal, z),
    )
    sample = estimators.draw_up_sample(losses, log_weights(proposal, z), ties=ties)
    found = estimators.expected_shortfall(sample, wish.level)
    end = time.process_time()
    return found.value, found.standard_error, end - start, piloted - start


def _verdict(plain: Plain, runs: Floats, opening: float) -> Verdict:
    from scipy.stats import chi2

    from outputs.estimators import Z

    scale, figure, seeds = 100.0 / opening, plain.figure, len(runs)
    spread = float(np.std(runs[:, 0], ddof=1))
    method = Figure(scale * float(runs[:, 0].mean()), scale * spread, float(runs[:, 2].mean()))
    ratio = figure.seconds * figure.error**2 / (method.seconds * method.error**2)
    low, high = (float(chi2.ppf(share, seeds - 1)) / (seeds - 1) for share in (0.025, 0.975))
    bias = method.value - figure.value
    half = Z * math.hypot(figure.error, method.error / math.sqrt(seeds))
    return Verdict(
        plain=figure,
        plain_error_by_parts=plain.error_by_parts,
        method=method,
        told_error=scale * math.sqrt(float((runs[:, 1] ** 2).mean())),
        pilot_seconds=float(runs[:, 3].mean()),
        ratio=ratio,
        ratio_low=ratio * low,
        ratio_high=ratio * high,
        bias=bias,
        bias_low=bias - half,
        bias_high=bias + half,
    )


def _parts(losses: Floats) -> list[Floats]:
    return np.array_split(losses, min(PARTS, max(2, losses.size // 1000)))


# --- the command -----------------------------------------------------------------------------------------

EXIT_CODES = """\b
Exit codes: 0 fine, 1 too slow or biased, 2 usage, 3 bad input,
4 runtime failure, 130 interrupted."""


@click.command(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--study", default="tail", show_default=True, help="Study whose book, first scenario and method are taken."
)
@click.option("--method", type=click.Choice(get_args(Method)), help="Another method than the study's.")
@click.option("--loans", type=click.IntRange(1, 10_000_000), help="Loans instead of the study's.")
@click.option("--months", type=click.IntRange(1, 120), help="Horizon instead of the study's.")
@click.option("--plain-paths", type=click.IntRange(2_000, 100_000_000), default=2_000_000, show_default=True)
@click.option("--paths", type=click.IntRange(500, 10_000_000), default=4_096, show_default=True, help="Of each seed.")
@click.option("--seeds", type=click.IntRange(3, 10_000), default=100, show_default=True)
@click.option("--level", type=click.FloatRange(0.9, 0.9999), default=0.999, show_default=True, help="Of the shortfall.")
@click.option(
    "--plain-from",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON of an earlier run whose plain figure counts; paths, loans, months, level as in it.",
)
@click.option("--threads", type=click.IntRange(1, 1024), help="Worker threads; all cores if not given.")
@reporting
def tails(threads: int | None, plain_from: Path | None, **options: Any) -> None:
    """Measure the time that a method for the tail takes for equal error of a far shortfall, and its bias."""
    from simulator.engine import RunSize, available_cores

    wish, size = Wish(**options), RunSize(threads=threads or available_cores())
    plain_paths = wish.plain_paths if plain_from is None else min(PATHS_AT_ONCE, wish.plain_paths)
    with progress_bars({"plain paths": plain_paths, "seeds": wish.seeds}) as advance:
        found = interruptible(lambda: compare(wish, size, advance, plain_from))
    failures = found.failures()
    VOICE.report(words(found, wish), {"schema": SCHEMA, **asdict(found), "wish": asdict(wish), "failures": failures})
    for sentence in failures:
        complain(sentence)
    if failures:
        raise click.exceptions.Exit(LIMIT_FAILED)


def words(found: Verdict, wish: Wish) -> str:
    """The verdict for a reader."""
    from outputs.wording import align, percent_level

    rows = [
        ["", "paths", "ES, % of opening", "error", "processor s"],
        _row("plain", wish.plain_paths, found.plain),
        _row(f"method, one of {wish.seeds} seeds", wish.paths, found.method),
    ]
    lines = [
        f"Expected shortfall at {percent_level(wish.level)}",
        align(rows, text_columns=1),
        f"Plain error by its parts {found.plain_error_by_parts:.5f}; error that the method tells of itself "
        f"{found.told_error:.5f}; pilot {found.pilot_seconds:.1f} s.",
        f"Time for equal error: {found.ratio:.1f} times less (95 %: {found.ratio_low:.1f} to {found.ratio_high:.1f}).",
        f"Bias {found.bias:+.5f} points (95 %: {found.bias_low:+.5f} to {found.bias_high:+.5f}).",
    ]
    return "\n".join(lines)


def _row(name: str, paths: int, figure: Figure) -> list[str]:
    return [name, f"{paths:,}", f"{figure.value:.5f}", f"{figure.error:.5f}", f"{figure.seconds:.1f}"]


def main() -> None:
    """Entry point of the module."""
    end_with(tails, sys.argv[1:])


if __name__ == "__main__":
    main()
