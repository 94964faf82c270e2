"""The engine's speed beside the same job in NumPy, JAX and numba: `python -m benchmarks.peers --json`.

All are timed in one run on the same cores, in turns, each on the same paths of factor and index, and each is judged by
its losses.  Speeds are nominal: loans x months x paths a second, whether a loan is still alive or not.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from outputs.console import LIMIT_FAILED, VOICE, complain, end_with, interruptible, progress_bars, reporting

if TYPE_CHECKING:
    from benchmarks.compare import Comparison

SCHEMA = "carstress-peers/1"

TITLES = {
    "engine": "carstress, configured to the job",
    "numpy": "NumPy as the job reads",
    "numpy_float32": "the same in single precision",
    "numpy_compacted": "NumPy on lists, with every trick",
    "jax": "JAX, jit and scan, blocks of paths",
    "jax_tuned": "JAX, a thread a core, leaner draws",
    "numba": "numba, plain loop with np.random",
}
"""What is timed, and what it is called."""

EXIT_CODES = """\b
Exit codes: 0 fine, 1 a peer is too slow to be fair or losses disagree, 2 usage,
3 bad input or JAX is not installed, 4 runtime failure, 130 interrupted."""


@click.command(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--loans", type=click.IntRange(1, 10_000_000), default=100_000, show_default=True)
@click.option("--months", type=click.IntRange(4, 160), default=60, show_default=True)
@click.option("--paths", type=click.IntRange(2, 100_000), default=64, show_default=True, help="Paths of one timing.")
@click.option(
    "--repeats",
    type=click.IntRange(1, 1_000),
    default=5,
    show_default=True,
    help="Timings of each, after one that compiles; the fastest counts. More where a peer is disturbed.",
)
@click.option("--cores", type=click.IntRange(1, 1_024), default=2, show_default=True, help="Cores to keep to.")
@click.option(
    "--only",
    type=click.Choice([name for name in TITLES if name != "engine"]),
    multiple=True,
    help="Time this peer beside the engine; may be given several times. All of them if not given.",
)
@reporting
def peers(loans: int, months: int, paths: int, repeats: int, cores: int, only: tuple[str, ...]) -> None:
    """Time the engine beside NumPy, JAX and numba on the simple job, and compare their losses.

    Speeds of a smaller job than the default are printed and not judged: a call's own cost weighs more in it.
    """
    from benchmarks.machine import keep_to_cores

    cores = keep_to_cores(cores)
    from benchmarks.compare import Size, compare

    size = Size(loans, months, paths, repeats, cores)
    with progress_bars({"rounds": repeats + 1}) as advance:
        rounds = itertools.count(1)
        found = interruptible(lambda: compare(only or tuple(TITLES), size, lambda: advance("rounds", next(rounds))))
    VOICE.report(table(found), document(found))
    for sentence in found.failures():
        complain(sentence)
    if found.failures():
        raise click.exceptions.Exit(LIMIT_FAILED)


def document(found: Comparison) -> dict[str, Any]:
    """The comparison as JSON: speeds in nominal loan-months a second, losses as shares of the opening balance."""
    from benchmarks.agreement import FALSE_ALARM
    from benchmarks.machine import describe

    others = [name for name in found.timings if name != "engine"]
    return {
        "schema": SCHEMA,
        **{name: timing.speed for name, timing in found.timings.items()},
        **{f"engine_over_{name}": found.ratio(name) for name in others},
        "engine_live": found.timings["engine"].speed * found.live_share,
        "median": {name: timing.median for name, timing in found.timings.items()},
        "cores_busy": {name: timing.cores_busy for name, timing in found.timings.items()},
        "demanded": found.demanded(),
        "losses": {name: asdict(timing.agreement) for name, timing in found.timings.items()},
        "law_gap": found.law_gap,
        "annual_default": found.annual_default,
        "live_share": found.live_share,
        "false_alarm": FALSE_ALARM,
        "job": asdict(found.size),
        "rounds": found.rounds,
        "machine": {**describe(found.size.cores), "speed_of_cores": found.speed_of},
        "failures": found.failures(),
    }


def table(found: Comparison) -> str:
    """The comparison for a reader."""
    from benchmarks.agreement import FALSE_ALARM
    from benchmarks.machine import describe
    from outputs.wording import align

    rows = [["", "million/s", "engine x", "cores", "loss %", "95 %", "sd %", "off by %", "95 %"]]
    for name, timing in found.timings.items():
        agreement = timing.agreement
        (mean, low, high), off = agreement.mean, agreement.off_by
        rows.append(
            [
                f"{name}: {TITLES[name]}",
                f"{timing.speed / 1e6:,.0f}",
                f"{found.ratio(name):.2f}",
                f"{timing.cores_busy:.1f}",
                f"{100 * mean:.3f}",
                f"{100 * low:.3f} to {100 * high:.3f}",
                f"{100 * agreement.sd[0]:.3f}",
                f"{100 * off[0]:+.3f}",
                f"{100 * off[1]:+.3f} to {100 * off[2]:+.3f}",
            ]
        )
    size, machine = found.size, describe(found.size.cores)
    demands = ", ".join(f"{name} {floor / 1e6:.0f}" for name, floor in found.demanded().items())
    speeds = ", ".join(f"{speed:.0%} ({cores})" for cores, speed in sorted(found.speed_of.items()))
    lines = [
        align(rows, text_columns=1),
        "",
        f"Nominal loan-months: {size.loans:,} loans x {size.months} months x {size.paths} paths, best of "
        f"{found.rounds}; {found.live_share:.0%} live; {found.annual_default:.2%} of live loans default a year.",
        f"{machine['processor']}: {machine['cores_used']} of {machine['cores_present']} cores, at {speeds} of the "
        "reference machine's speed. " + (f"Demanded: {demands}." if demands else ""),
        "Off by: mean loss over its exact expectation on these paths. The engine's expectation is "
        f"{found.law_gap:+.3%} beside the job's, since its causes compete (methodology (2)).",
        f"All agree, or this ends with exit code 1; by chance that happens once in {1 / FALSE_ALARM:,.0f} runs.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    end_with(peers, sys.argv[1:])
