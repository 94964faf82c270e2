"""How the command line speaks and ends: text or JSON on stdout, the rest on stderr, one exit code a reason."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeVar

import click

from scenarios.errors import InputError, IntegrityError

LIMIT_FAILED, USAGE, BAD_INPUT, RUNTIME_FAILURE, INTEGRITY, INTERRUPTED = 1, 2, 3, 4, 5, 130

LISTEN_SECONDS: Final = 0.1
"""How long an interrupt may go unheard while work goes on."""

SHOWN_FAULTS: Final = 50
"""Faults of an input that are printed; more of them tell nothing new."""

Command = TypeVar("Command", bound=Callable[..., Any])
Found = TypeVar("Found")


@dataclass
class Voice:
    """How a command speaks: results on stdout as text or JSON, everything else on stderr."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False

    @property
    def silent(self) -> bool:
        """Whether to leave out what is said along the way."""
        return self.quiet or self.as_json

    def say(self, text: str) -> None:
        """A message for the person at the terminal."""
        if not self.silent:
            click.echo(text, err=True)

    def report(self, text: str, document: Any) -> None:
        """The command's result."""
        if self.as_json:
            click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
        elif not self.quiet:
            click.echo(text)

    def table(self, rows: list[dict[str, Any]]) -> None:
        """The command's result, rows of equal keys, as aligned text or as JSON."""
        from outputs.wording import align

        cells = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
        self.report(align(cells, text_columns=len(rows[0])), rows)


VOICE = Voice()


def reporting(command: Command) -> Command:
    """Options of every command that reports; they set the `VOICE` instead of being passed on."""
    for flags, name, text in (
        (("-v", "--verbose"), "verbose", "Say more on stderr; a failure prints its traceback."),
        (("-q", "--quiet"), "quiet", "Print nothing but errors."),
        (("--json", "as_json"), "as_json", "Print JSON on stdout instead of text."),
    ):
        command = click.option(*flags, is_flag=True, expose_value=False, callback=_set_voice(name), help=text)(command)
    return command


def _set_voice(name: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    return lambda context, parameter, value: setattr(VOICE, name, value)


@contextmanager
def progress_bars(totals: Mapping[str, int]) -> Iterator[Callable[[str, int], None]]:
    """One bar a name on stderr; silent when stderr is not a terminal. Yields ``advance(name, done)``."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=VOICE.silent or not console.is_terminal) as bars:
        tasks = {name: bars.add_task(name, total=total) for name, total in totals.items()}
        yield lambda name, done: bars.update(tasks[name], completed=done)


def interruptible(work: Callable[[], Found]) -> Found:
    """Do long work in a thread of its own while this one listens for an interrupt, and return what it returns.

    Compiled code and its compiler hear no interrupt; whoever waits for them would keep the user waiting for up to
    half a minute.  The work must leave nothing on disk: it is abandoned where it stands.
    """
    done: Future[Found] = Future()

    def task() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # raised again by the thread that waits
            done.set_exception(error)

    worker = threading.Thread(target=task, name="work", daemon=True)
    worker.start()
    while worker.is_alive():
        worker.join(LISTEN_SECONDS)  # a wait without end would not be interruptible everywhere
    return done.result()


def complain(text: str) -> None:
    """An error, on stderr however quiet."""
    click.echo(text, err=True)


def complain_of(error: InputError) -> None:
    """All faults of an input, one a line."""
    for fault in error.faults[:SHOWN_FAULTS]:
        complain(str(fault))
    if len(error.faults) > SHOWN_FAULTS:
        complain(f"... and {len(error.faults) - SHOWN_FAULTS:,} more faults.")


def exit_code_of(command: click.Command, arguments: list[str]) -> int:
    """Run a command line; returns its exit code, having said on stderr why it is not 0."""
    try:
        code = command.main(arguments, prog_name="carstress", standalone_mode=False)
    except SystemExit:  # click's way out when the reader of our pipe has gone: 1 would say that a limit failed
        return RUNTIME_FAILURE
    except click.ClickException as error:
        error.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        complain("Interrupted; nothing was left half-written.")
        return INTERRUPTED
    except InputError as error:
        complain_of(error)
        return BAD_INPUT
    except IntegrityError as error:
        complain(f"integrity check failed: {error}")
        return INTEGRITY
    except Exception as error:  # the last door: a failure is one line, not a traceback
        if VOICE.verbose:
            traceback.print_exc()
        complain(f"failed: {type(error).__name__}: {error} (-v prints the traceback)")
        return RUNTIME_FAILURE
    return code if isinstance(code, int) else 0


def end_with(command: click.Command, arguments: list[str]) -> NoReturn:
    """Run a command line and end the process with its exit code.

    A stop from outside is an interrupt: what is half-written goes the same way.
    """
    for name in ("SIGTERM", "SIGHUP"):
        stop = getattr(signal, name, None)  # Windows has no SIGHUP
        if stop is not None and signal.getsignal(stop) is signal.SIG_DFL:
            signal.signal(stop, signal.default_int_handler)
    code = exit_code_of(command, arguments)
    if code == INTERRUPTED:  # at once: the interpreter's own way out would wait for threads in compiled code
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
