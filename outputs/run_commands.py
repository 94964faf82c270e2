"""Commands that look into a finished run: `carstress trace`.

As in `cli.py`, heavy imports stand inside the commands and nothing is computed here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from outputs.console import VOICE, interruptible, reporting
from outputs.run_folder import RESULTS, is_run
from scenarios.errors import Fault, InputError

RUNS: Final = Path("runs")
"""Where runs land that are given no other folder."""


def find_run(reference: str) -> Path:
    """A finished run by its folder, its results file, or its name below `runs/`.

    Raises
    ------
    InputError
        There is none; with the nearest names.
    """
    for path in (Path(reference), RUNS / reference):
        if path.is_file() or (path / RESULTS).is_file():
            return path
    from scenarios.explain import nearest

    known = sorted(path.name for path in RUNS.iterdir() if is_run(path)) if RUNS.is_dir() else []
    listed = f"Below {RUNS}/: {', '.join(known)}." if known else "`carstress run` makes one."
    remedy = nearest(reference, known) or listed
    found = f"no finished run `{reference}`"
    raise InputError(Fault("run", found, f"a run's folder, its {RESULTS}, or its name below {RUNS}/", remedy))


@click.command()
@click.argument("run")
@click.argument("loan_id")
@click.option("--path", type=click.IntRange(0, 2**32 - 1), required=True, help="Number of the path, from 0.")
@click.option("--scenario", help="Scenario of the run; its first if not given.")
@click.option("--strategy", help="Collection strategy of the run; its first if not given.")
@reporting
def trace(run: str, loan_id: str, path: int, scenario: str | None, strategy: str | None) -> None:
    """Tell what happened to loan LOAN_ID on one path of RUN, month by month, with the draws that decided it.

    RUN is the folder of a finished run, its results.nc, or its name below runs/. The path is simulated again from that
    file alone, with the whole book; exit code 5 if the book then loses another amount than the run says.
    """
    from outputs.trace import format_story, story_document, trace_loan

    folder = find_run(run)
    story = interruptible(lambda: trace_loan(folder, loan_id, path, scenario, strategy, sound=_announce))
    VOICE.report(format_story(story), story_document(story))


def _announce() -> None:
    """Say why nothing is seen for a while, where that is so."""
    from simulator.kernels.compile import cache_is_warm

    if not cache_is_warm():
        VOICE.say("Compiling the kernels: half a minute, once ...")
