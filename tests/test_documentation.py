"""The documentation's blocks are executed, file by file, each in a folder of its own.

In a Markdown file: a ```python block is executed, all blocks of a file in one namespace; in a ```bash block each
`carstress ...` line is run, and ends with exit code 0 or with the N of a comment `# exits with N`.  A comment
`<!-- file: NAME -->` before a block writes the block to that file, for the blocks after it; `<!-- not run: REASON -->`
leaves a block out.  A block in any other language is text.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROSE = [*FILES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>not run|file): (?P<note>.+?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$",
    flags=re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]+)?\)")
INLINE_COMMAND = re.compile(r"`carstress ([a-z]+)((?: [a-z][a-z-]*)?)")
GROUPS = ("portfolio", "scenario", "regime", "parameters")
NAMED_FILE = re.compile(r"`((?:scenarios|simulator|calibration|outputs|tests|docs|\.ci)/[\w./-]*)`")
CITATION = re.compile(r"methodology,? (?:equations? )?((?:\(\w+\)(?:, | and )?)+)")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: where its text starts, its language, its mark and the mark's text."""

    line: int
    language: str
    mark: str
    note: str
    text: str


def blocks(path: Path) -> Iterator[Block]:
    text = path.read_text("utf-8")
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("text")) + 1
        yield Block(line, match["language"], match["mark"] or "", match["note"] or "", match["text"])


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def command(words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Run `carstress WORDS...` in this process (compiled kernels stay warm) and return its exit code."""
    from cli import main

    monkeypatch.setattr(sys, "argv", words)
    try:
        main()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


def run_commands(block: Block, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for offset, line in enumerate(block.text.replace("\\\n", " ").splitlines()):
        words = shlex.split(line, comments=True)
        if not words:
            continue
        place = f"{where}:{block.line + offset}"
        assert words[0] == "carstress", (
            f"{place}: only carstress is run here; mark the block '<!-- not run: REASON -->'"
        )
        expected = re.search(r"# exits with (\d+)", line)
        code = command(words, monkeypatch)
        assert code == (int(expected[1]) if expected else 0), f"{place}: `{line}` exits with {code}"


def run_blocks(path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the blocks of a file in the working folder; return how many were run or written."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    done = 0
    for block in blocks(path):
        if block.mark == "not run":
            continue
        if block.mark == "file":
            Path(block.note).write_text(block.text, "utf-8")
        elif block.language == "bash":
            run_commands(block, path.name, monkeypatch)
        elif block.language == "python":
            padded = "\n" * (block.line - 1) + block.text
            exec(compile(padded, str(path), "exec"), namespace)
        else:
            continue
        done += 1
    return done


def has_blocks(path: Path) -> bool:
    return any(block.language in ("bash", "python") for block in blocks(path))


@pytest.mark.parametrize("path", [path for path in FILES if has_blocks(path)], ids=relative)
def test_blocks_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if run_blocks(path, monkeypatch) == 0:
        reasons = [f"line {block.line}: {block.note}" for block in blocks(path) if block.mark == "not run"]
        pytest.skip(f"{relative(path)} has no block to run" + "".join(f"; {reason}" for reason in reasons))


@pytest.mark.parametrize("path", PROSE, ids=relative)
def test_fences_are_closed_and_marks_are_understood(path: Path) -> None:
    text = path.read_text("utf-8")
    fences = re.findall(r"^```", text, flags=re.MULTILINE)
    assert len(fences) == 2 * len(list(blocks(path))), "a fence is not closed, or nested"
    marks = re.findall(r"^<!-- (?:not run|file): .+? -->$", text, flags=re.MULTILINE)
    assert len(marks) == sum(bool(block.mark) for block in blocks(path)), "a mark stands before no block"


def anchors(path: Path) -> set[str]:
    """Return the anchors of a Markdown file's headings, as readers' pages make them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PROSE, ids=relative)
def test_links_within_the_project_lead_somewhere(path: Path) -> None:
    for target, anchor in LINK.findall(path.read_text("utf-8")):
        found = path.parent / target
        assert found.exists(), f"{relative(path)} links to {target}, which is not there"
        if anchor and found.suffix == ".md":
            assert anchor[1:] in anchors(found), f"{relative(path)} links to {target}{anchor}: no such heading"


@pytest.mark.parametrize("path", PROSE, ids=relative)
def test_files_named_in_prose_exist(path: Path) -> None:
    for name in NAMED_FILE.findall(path.read_text("utf-8")):
        assert (ROOT / name).exists(), f"{relative(path)} names {name}, which is not there"


def test_equations_cited_in_code_are_in_the_methodology() -> None:
    text = (ROOT / "docs" / "methodology.md").read_text("utf-8")
    numbered = set(re.findall(r"^> \((\w+)\)", text, flags=re.MULTILINE))
    for room in ("scenarios", "simulator", "calibration", "outputs", "tests"):
        for path in (ROOT / room).rglob("*.py"):
            for group in CITATION.findall(path.read_text("utf-8")):
                missing = set(re.findall(r"\((\w+)\)", group)) - numbered
                assert not missing, f"{relative(path)} cites {missing}; docs/methodology.md has {sorted(numbered)}"


def test_what_is_said_to_be_absent_is_not_a_measure_of_ours() -> None:
    from outputs.report import LIMITATIONS

    text = (ROOT / "docs" / "methodology.md").read_text("utf-8")
    measures, absent = text.split("## Measures")[1].split("## What is not in this version")
    named = re.findall(r"^> \(\w+\) ([A-Z][a-z][\w -]+?)(?::| of )", measures, flags=re.MULTILINE)
    assert {"Exceedance", "Paired difference", "Contribution", "Loss given charge-off"} <= set(named)
    for item in [*re.split(r"^\* ", absent, flags=re.MULTILINE), *LIMITATIONS]:
        for name in named:
            assert name.lower() not in item.lower(), f"'{item.strip()}' denies what the methodology defines: {name}"


@pytest.mark.parametrize("path", PROSE, ids=relative)
def test_commands_named_in_prose_exist(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, second in set(INLINE_COMMAND.findall(path.read_text("utf-8"))):
        words = [name, second.strip()] if name in GROUPS and second else [name]
        code = command(["carstress", *words, "--help"], monkeypatch)
        assert code == 0, f"{relative(path)} names `carstress {' '.join(words)}`: {capsys.readouterr().err}"


def test_a_wrong_block_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text("```python\nvalue = 1\n```\n\n```python\nassert value == 2\n```\n", "utf-8")
    with pytest.raises(AssertionError):
        run_blocks(page, monkeypatch)


def test_a_command_other_than_ours_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="only carstress is run"):
        run_commands(Block(1, "bash", "", "", "rm thing\n"), "page.md", monkeypatch)
