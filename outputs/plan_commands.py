"""The command `carstress plan`, and what `carstress run` asks before it starts.

As in `cli.py`, heavy imports stand inside the commands and nothing is computed here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from outputs.console import VOICE, interruptible, progress_bars
from outputs.quantities import bytes_text, parse_bytes, seconds_text
from scenarios.errors import Fault, InputError

if TYPE_CHECKING:
    from outputs.room import Allowance
    from simulator.engine import RunSize
    from simulator.plan import Need
    from simulator.study import StudyInputs
    from simulator.trial import Kernels, Trial

Command = TypeVar("Command", bound=Callable[..., Any])

MANY: Final = click.IntRange(1, 10_000_000)
"""Loans or paths, as many as a study may ask for."""

LIMIT_VARIABLE: Final = "CARSTRESS_MEMORY_LIMIT"

NO_LIMIT: Final = -1
"""Memory limit `none`: nothing is checked."""


class MemorySize(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """An amount of memory, or `none`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes of a text such as ``4GiB``; `NO_LIMIT` of ``none``."""
        if isinstance(value, int):
            return value
        if str(value).strip().lower() == "none":
            return NO_LIMIT
        try:
            return parse_bytes(str(value))
        except ValueError as error:
            self.fail(f"{error}, or `none`.", param, ctx)


def study_options(command: Command) -> Command:
    """Argument and options that `run` and `plan` have in common: what is run, how, and where it goes."""
    seed = click.IntRange(0, 2**64 - 1)
    limit = "Memory that the run may take, as 4GiB; `none` for no check. What is free if not given."
    options = (
        click.option("--paths", type=MANY, help="Number of paths (futures) instead of the study's."),
        click.option("--seed", type=seed, help="Seed of all draws instead of the study's."),
        click.option(
            "--threads",
            type=click.IntRange(1, 1024),
            help="Worker threads; all cores if not given. Changes no result.",
        ),
        click.option("--out", type=click.Path(path_type=Path), help="Folder of the results; runs/NAME if not given."),
        click.option("--memory-limit", type=MemorySize(), envvar=LIMIT_VARIABLE, show_envvar=True, help=limit),
    )
    for option in reversed(options):
        command = option(command)
    return click.argument("study", default="default")(command)


def check_the_book(study: Any, limit: int | None) -> None:
    """Refuse a book to draw that does not fit into memory, before it is drawn.

    Raises
    ------
    InputError
        With what would fit.
    """
    from outputs.room import book_shortage

    allowed = _allowed(limit)
    fault = None if allowed is None else book_shortage(study, allowed)
    if fault is not None:
        raise InputError(fault)


def make_ready(inputs: StudyInputs, size: RunSize) -> tuple[Kernels, Trial]:
    """Have the kernels compiled, and try out what the study takes."""
    from simulator.kernels.compile import CACHE_FOLDER, cache_is_warm
    from simulator.trial import ready_kernels, try_out

    if not cache_is_warm():
        often = "in every run" if CACHE_FOLDER is None else "once"
        VOICE.say(f"Compiling the kernels: half a minute, {often} ...")
    kernels = interruptible(lambda: ready_kernels(inputs, size))
    if kernels.seconds:
        kept = f"kept in {CACHE_FOLDER}" if kernels.lasting else "not kept: every run compiles them"
        VOICE.say(f"Kernels compiled in {seconds_text(kernels.seconds)}, {kept}.")
    return kernels, interruptible(lambda: try_out(inputs, size))


def shortages(
    inputs: StudyInputs, need: Need, trial: Trial, size: RunSize, folder: Path, limit: int | None
) -> list[Fault]:
    """What memory and disk lack for a run."""
    from outputs.room import disk_shortage, memory_shortage, most_output, output_size

    allowed = _allowed(limit)
    memory = None if allowed is None else memory_shortage(inputs, need, size, allowed)
    disk = disk_shortage(most_output(inputs, need), folder)
    if disk is not None:  # roughly; what is compressed takes less
        disk = disk_shortage(output_size(inputs, trial).total, folder)
    return [fault for fault in (memory, disk) if fault is not None]


def check_room(inputs: StudyInputs, size: RunSize, folder: Path, limit: int | None) -> None:
    """Refuse a run that does not fit into memory, or its files onto the disk.

    Raises
    ------
    InputError
        With what it takes, what there is, and what would fit.
    """
    from outputs.room import PUBLISHING
    from simulator.plan import memory_need

    kernels, trial = make_ready(inputs, size)
    need = memory_need(inputs, size, trial, PUBLISHING, kernels.now)
    faults = shortages(inputs, need, trial, size, folder, limit)
    if faults:
        raise InputError(faults)
    if limit is None and _allowed(limit) is None:
        VOICE.say(f"How much memory is free is not known here; the run takes about {bytes_text(need.total)}.")


def _allowed(limit: int | None) -> Allowance | None:
    from outputs.room import allowance
    from simulator.machine import free_memory, resident_memory

    return None if limit == NO_LIMIT else allowance(limit, free_memory(), resident_memory() or 0)


def show_plan(inputs: StudyInputs, size: RunSize, folder: Path, limit: int | None, book: float) -> None:
    """Try a study out, rehearse it, and report what a run of it takes; reading the book took `book` seconds."""
    from outputs.plan import make_plan
    from outputs.plan_view import plan_document, plan_text
    from outputs.room import PUBLISHING
    from simulator.machine import free_disk
    from simulator.plan import memory_need
    from simulator.rehearsal import few_paths, rehearse

    started = time.perf_counter()
    kernels, trial = make_ready(inputs, size)
    book += time.perf_counter() - started - kernels.seconds
    need = memory_need(inputs, size, trial, PUBLISHING, kernels.later)
    few = few_paths(inputs, size, trial)
    VOICE.say("Rehearsing some paths, then pictures, report and files ...")
    with progress_bars(few[0].runs()) as advance:
        rehearsal = interruptible(lambda: rehearse(inputs, few, advance))
    plan = make_plan(inputs, size, need, kernels=kernels, rehearsal=rehearsal, book=book)
    faults = shortages(inputs, need, trial, size, folder, limit)
    checked = _allowed(limit)
    told = (checked, folder, free_disk(folder), faults)
    VOICE.report(plan_text(plan, *told), plan_document(plan, *told))
