"""The command as a process: light to start, prompt to stop, silent where nobody watches, honest exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from command_line import COMMAND, SMALL_STUDY, environment, process, study_file

HEAVY = ("numpy", "numba", "xarray", "scipy", "matplotlib", "pandas", "pydantic", "duckdb", "h5py", "jinja2", "rich")
LONG_STUDY = SMALL_STUDY.replace("paths: 100", "paths: 100000").replace("loans: 200", "loans: 2000")

PROMPT_SECONDS = 5.0
"""Far less than compiling the kernels takes, and far more than a loaded machine needs to end a process."""
START_SECONDS = 60.0

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX")


def test_help_imports_nothing_heavy() -> None:
    program = f"import sys, cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    command = [sys.executable, "-c", f"{program}; cli.main()", "--help"]
    answer = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    listed, _, text = answer.stdout.partition("\n")
    assert (answer.returncode, listed, answer.stderr) == (0, "[]", "")
    for words in ("run", "portfolio", "Exit codes: 0 fine, 1 a declared limit failed", "130 interrupted"):
        assert words in text


def test_help_of_every_command_imports_nothing_heavy() -> None:
    lines = [
        "import contextlib, io, sys, cli",
        "from outputs.console import exit_code_of",
        "names = [(), *((name,) for name in cli.carstress.commands)]",
        "for name, group in cli.carstress.commands.items():",
        "    names += [(name, command) for command in getattr(group, 'commands', ())]",
        "assert ('portfolio', 'import') in names",
        "for words in names:",
        "    with contextlib.redirect_stdout(io.StringIO()) as text:",
        "        assert exit_code_of(cli.carstress, [*words, '--help']) == 0",
        "    assert 'Usage: carstress' in text.getvalue()",
        f"print([name for name in {HEAVY!r} if name in sys.modules])",
    ]
    command = [sys.executable, "-c", "\n".join(lines)]
    answer = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert (answer.stdout, answer.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("scenario", "list"), 0, ""),
        (("run", "study.yml", "--paths", "0"), 2, "0 is not in the range 1<=x<="),
        (("run", "gone.yaml"), 3, "gone.yaml does not exist"),
    ],
)
def test_exit_codes_reach_the_shell(words: tuple[str, ...], code: int, said: str) -> None:
    answer = process(*words)
    assert answer.returncode == code
    assert said in answer.stderr
    assert (answer.stdout != "") == (code == 0)


@needs_posix
def test_a_reader_that_leaves_a_pipe_is_no_failed_limit() -> None:
    running = subprocess.Popen([*COMMAND, "schema"], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    running.stdout.close()
    _, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (4, b"")


Running = Callable[..., tuple["subprocess.Popen[bytes]", int]]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Running]:
    """Start a run far too long to wait for; returns the process and where its stderr is read, a terminal if asked."""
    study_file(tmp_path, LONG_STUDY)
    kept: list[subprocess.Popen[bytes]] = []

    def start(*, terminal: bool, **changes: str) -> tuple[subprocess.Popen[bytes], int]:
        reader, writer = os.openpty() if terminal else os.pipe()
        command = [*COMMAND, "run", "study.yaml", "--out", "deep/run"]
        variables = environment(TERM="xterm", COLUMNS="100", **changes)
        running = subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=subprocess.DEVNULL, stderr=writer)
        os.close(writer)
        kept.append(running)
        return running, reader

    yield start
    for running in kept:
        running.kill()
        running.wait()


def read_until(reader: int, words: str) -> str:
    """Text up to and including the words."""
    text = b""
    deadline = time.monotonic() + START_SECONDS
    while words.encode() not in text:
        assert time.monotonic() < deadline, text
        text += os.read(reader, 4096)
    return text.decode()


def read_rest(reader: int) -> str:
    """What is left; a terminal whose other side is closed answers with an error."""
    text = b""
    try:
        while more := os.read(reader, 4096):
            text += more
    except OSError:
        pass
    os.close(reader)
    return text.decode()


def interrupt(running: subprocess.Popen[bytes], reader: int, by: str = "SIGINT") -> tuple[str, float]:
    """Interrupt a process; returns what it still said, and the seconds until it had ended."""
    start = time.monotonic()
    running.send_signal(getattr(signal, by))
    text = read_rest(reader)
    running.wait(timeout=START_SECONDS)
    return text, time.monotonic() - start


@needs_posix
@pytest.mark.parametrize("by", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupt_is_answered_while_kernels_compile(tmp_path: Path, started: Running, by: str) -> None:
    running, reader = started(terminal=False, CARSTRESS_KERNEL_CACHE="0")
    before = read_until(reader, "Compiling the kernels")
    time.sleep(1.0)
    after, seconds = interrupt(running, reader, by)
    assert (running.returncode, seconds < PROMPT_SECONDS) == (130, True)
    assert after.rstrip().endswith("Interrupted; nothing was left half-written.")
    assert "\x1b" not in before + after
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


@needs_posix
@pytest.mark.parametrize("by", ["SIGINT", "SIGTERM"])
def test_an_interrupt_while_files_are_written_leaves_none(tmp_path: Path, by: str) -> None:
    (tmp_path / "slow.py").write_text(SLOW_WRITING, "utf-8")
    command = [sys.executable, "slow.py", "run", "study.yaml", "--out", "deep/run"]
    study_file(tmp_path, SMALL_STUDY)
    reader, writer = os.pipe()
    variables = environment(NUMBA_DISABLE_JIT="1")
    with subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=subprocess.DEVNULL, stderr=writer) as running:
        os.close(writer)
        try:
            read_until(reader, "half of a file is written")
            after, _ = interrupt(running, reader, by)
        finally:
            running.kill()
    assert running.returncode == 130
    assert after.rstrip().endswith("Interrupted; nothing was left half-written.")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "slow.py", "study.yaml"]


SLOW_WRITING = """\
import sys, time
import cli, outputs.publish, simulator.study

def run(inputs, *, size, progress):
    return few(inputs.with_run(paths=4))

def write(folder, pictures):
    folder.mkdir()
    (folder / "half.svg").write_text("<svg")
    print("half of a file is written", file=sys.stderr, flush=True)
    time.sleep(60)

few, simulator.study.run_study = simulator.study.run_study, run
outputs.publish.write_figures = write
cli.main()
"""
"""A run of few paths that takes its time over the first picture."""


@needs_posix
def test_progress_is_drawn_on_a_terminal_and_an_interrupt_gives_it_back(tmp_path: Path, started: Running) -> None:
    running, reader = started(terminal=True, NUMBA_DISABLE_JIT="1")
    read_until(reader, "severely_adverse ")
    drawn = read_until(reader, "0/100000")
    after, seconds = interrupt(running, reader)
    assert (running.returncode, seconds < PROMPT_SECONDS) == (130, True)
    assert "\x1b[" in drawn
    assert "\x1b[?25h" in after, "the cursor is shown again"
    assert after.rstrip().endswith("Interrupted; nothing was left half-written.")
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]
