"""Bad input through the command: where, what, what instead, what to do; exit code 3, no traceback, nothing written.

What each room says of each fault is held in its own tests; here, that it reaches the user whole.
"""
# ruff: noqa: E501  # a table has one case a line

from __future__ import annotations

import time
from pathlib import Path

import pytest

import tape_samples
import yaml_samples
from command_line import SMALL_STUDY, carstress, files_below
from scenarios.library import library_names

SCENARIO = yaml_samples.SCENARIO.replace("end: 2025Q4\n", "").replace("beyond: hold\n", "")
STUDY = SMALL_STUDY.replace("severely_adverse", "own.yaml")
TAPE_STUDY = STUDY.replace(
    "synthetic: {parameters: us_near_prime, loans: 200, seed: 1, as_of: 2024-12-31}", "file: tape.csv"
)
MAPPING = "kind: tape_mapping\nname: ours\nextends: canonical\nfields: {rate: {column: rate, unit: percent}}\n"
ONE_LOAN = tape_samples.as_text(tape_samples.rows(1))
COLUMNS = ONE_LOAN.partition("\n")[0].count(",") + 1
STUDIES = ", ".join(library_names("studies"))

BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 30)]
)
"""Nine to the power of thirty words, were aliases followed."""

SOUND = {"study.yaml": STUDY, "own.yaml": SCENARIO, "taped.yaml": TAPE_STUDY, "map.yaml": MAPPING, "tape.csv": ONE_LOAN}
SECONDS = 5.0
"""A fault is answered before anything is simulated, on a loaded machine too."""

# file, what is replaced, by what, the command, words of the answer
YAML_CASES = [
    ("study.yaml", "paths: 100", "pahts: 100", "run study.yaml", ["study.yaml:7:1: unknown key pahts", "Did you mean `paths`?"]),
    ("own.yaml", "  prime_rate_percent: [", "  prime_rat_percent: [", "run study.yaml", ["own.yaml:10:3: unknown key macro.prime_rat_percent", "Did you mean `prime_rate_percent`?"]),
    ("map.yaml", "unit:", "units:", "portfolio describe tape.csv --mapping map.yaml", ["map.yaml:4:31: unknown key fields.rate.units", "Did you mean `unit`?"]),
    ("study.yaml", "seed: 7", "seed: 7\nseed: 8", "run study.yaml", ["study.yaml:10:1: key `seed` for the second time", "line 9"]),
    ("own.yaml", "[4, 5, 6, 6]", "[4, 55, 6, 6]", "run study.yaml", ["own.yaml:8:29: macro.unemployment_percent[1] = 55; expected 0 to 30.", "write 5.5 for 5.5 %"]),
    ("own.yaml", "[4, 5, 6, 6]", "[0.04, 5, 6, 6]", "run study.yaml", ["own.yaml:8:26: ", "looks like a fraction", "write 4 for 4 %"]),
    ("own.yaml", "[8, 7, 6, 5]", "[8, 7, 6]", "run study.yaml", ["own.yaml:10:23: macro.prime_rate_percent has 3 values; expected 4", "1 quarter missing"]),
    ("study.yaml", "months: 6", "months: 13", "run study.yaml", ["own.yaml:8:3: scenario own ends after 12 months (2025-12) but the horizon is 13 months", "`beyond: hold`"]),
    ("study.yaml", "2024-12-31", "2024-11-30", "run study.yaml", ["own.yaml:4:8: scenario own starts in 2025-01 but the tape is dated 2024-11; expected a tape dated 2024-12", "shift_calendar: true"]),
    ("study.yaml", "parameters: us_near_prime\n", "parameters: us_nere_prime\n", "run study.yaml", ["study.yaml:5:13: unknown parameter set `us_nere_prime`", "Did you mean `us_near_prime`?"]),
    ("study.yaml", "{parameters: us_near_prime", "{parameters: us_nere_prime", "run study.yaml", ["study.yaml:4:27: unknown parameter set `us_nere_prime`", "Did you mean `us_near_prime`?"]),
    ("study.yaml", "parameters: us_near_prime\n", "parameters: cn_auto_finance\n", "run study.yaml", ["study.yaml:5:13: parameter set cn_auto_finance is in CNY but the tape is in USD"]),
    ("study.yaml", "[baseline, own.yaml]", "[basline, own.yaml]", "run study.yaml", ["study.yaml:6:13: unknown scenario `basline`", "Did you mean `baseline`?"]),
    ("study.yaml", "own.yaml]", "gone.yaml]", "run study.yaml", ["study.yaml:6:23: the file gone.yaml does not exist", "Relative paths start from this file's folder."]),
    ("own.yaml", "[4, 5, 6, 6]", "[4, .nan, 6, 6]", "run study.yaml", ["own.yaml:8:29: `.nan`; expected a finite number"]),
    ("study.yaml", "name: small", "name: !!python/object/apply:os.system [touch hacked]", "run study.yaml", ["study.yaml:2:7: a tag `!!python/object/apply:os.system`", "Remove it"]),
    ("study.yaml", SMALL_STUDY[:12], BOMB + "\n" + SMALL_STUDY[:12], "run study.yaml", ["study.yaml:1:5: an anchor `&a0`", "aliases are refused"]),
    ("study.yaml", STUDY, "", "run study.yaml", ["study.yaml:1:1: nothing in the file"]),
    ("study.yaml", "small", "sm\0all", "run study.yaml", ["study.yaml:2:9: binary data (byte 0x00)", "expected UTF-8 text"]),
    ("taped.yaml", "tape.csv", "gone.csv", "run taped.yaml", ["taped.yaml:4:9: the file gone.csv does not exist", "Relative paths start from this file's folder."]),
    ("taped.yaml", "file: tape.csv", "{file: tape.csv, mapping: gone.yaml}", "run taped.yaml", ["taped.yaml:4:29: the file gone.yaml does not exist"]),
    ("taped.yaml", "kind: study", "kind: tape_mapping", "run taped.yaml", ["taped.yaml:1:7: kind = \"tape_mapping\""]),
]  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with sound files."""
    monkeypatch.chdir(tmp_path)
    for name, text in SOUND.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def refusal(here: Path, command: str) -> str:
    """What a command says that ends with 3, at once, and writes nothing."""
    kept = files_below(here)
    start = time.process_time()
    answer = carstress(*command.split())
    assert time.process_time() - start < SECONDS
    assert (answer.code, answer.out) == (3, "")
    assert "Traceback" not in answer.err
    assert files_below(here) == kept
    return answer.err


def test_the_files_are_sound_before_they_are_spoilt() -> None:
    assert carstress("validate", "study.yaml", "own.yaml", "taped.yaml", "map.yaml").code == 0
    assert carstress("portfolio", "describe", "tape.csv").code == 0


@pytest.mark.parametrize(("name", "old", "new", "command", "words"), YAML_CASES)
def test_bad_yaml(here: Path, name: str, old: str, new: str, command: str, words: list[str]) -> None:
    assert old in SOUND[name]
    (here / name).write_text(SOUND[name].replace(old, new, 1), encoding="utf-8")
    said = refusal(here, command)
    for word in words:
        assert word in said
    assert "; expected " in said


def test_all_faults_of_all_files_at_once(here: Path) -> None:
    (here / "own.yaml").write_text(SCENARIO.replace("[4, 5, 6, 6]", "[4, 55, 66, 6]"), "utf-8")
    (here / "study.yaml").write_text(
        STUDY.replace("[baseline,", "[basline,").replace("parameters: us_near_prime\n", "parameters: us_nere_prime\n"),
        "utf-8",
    )
    lines = refusal(here, "run study.yaml").splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        "study.yaml:5:13",
        "study.yaml:6:13",
        "own.yaml:8:29",
        "own.yaml:8:33",
    ]


@pytest.mark.parametrize("command", ["run taped.yaml", "validate taped.yaml", "portfolio describe tape.csv", "portfolio import tape.csv --out book.csv"])  # fmt: skip
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["tape.csv: an empty file; expected a header and at least one loan."]),
        (b"\x89PNG\r\n\x1a\n\x00\x00", ["tape.csv:1: byte 0x89 that is not utf-8; expected text in utf-8."]),
        (ONE_LOAN.splitlines()[0].encode(), ["tape.csv: a header without rows; expected at least one loan"]),
        (ONE_LOAN.replace("days_past_due", "days_past_do").encode(), ["tape.csv:1: days_past_due: no such column", "The nearest is 'days_past_do'."]),
    ],
    ids=["empty", "binary", "header only", "missing column"],
)  # fmt: skip
def test_a_tape_that_cannot_be_read(here: Path, command: str, content: bytes, words: list[str]) -> None:
    (here / "tape.csv").write_bytes(content)
    said = refusal(here, command)
    for word in words:
        assert word in said


# column of the spoilt cell on line 3, what stands there, words of the answer
CELL_CASES = [
    ("rate", "NaN", "tape.csv:3: rate: rate = 'NaN'; expected a number."),
    ("current_balance", "-1000.00", "tape.csv:3: current_balance: current_balance = '-1000.00'; expected an amount"),
    ("loan_id", "00123", "tape.csv:3: loan_id: loan_id = '00123' on lines 2, 3; expected an id that occurs once."),
    ("score", "655,1,2", f"tape.csv:3: a row of {COLUMNS + 2} cells; expected {COLUMNS} cells, as the header has."),
    ("as_of_date", "2024-13-31", "tape.csv:3: as_of_date: as_of_date = '2024-13-31'; expected"),
    ("days_past_due", "ten", "tape.csv:3: days_past_due: days_past_due = 'ten'; expected"),
]


@pytest.mark.parametrize(("column", "cell", "fault"), CELL_CASES, ids=[case[0] for case in CELL_CASES])
def test_a_row_with_a_fault_is_reported_and_left_out(here: Path, column: str, cell: str, fault: str) -> None:
    text = tape_samples.as_text(tape_samples.with_cell(column, cell)).replace('"655,1,2"', "655,1,2")
    (here / "tape.csv").write_text(text, "utf-8")
    assert fault in refusal(here, "portfolio import tape.csv --strict --out book.csv")
    answer = carstress("portfolio", "describe", "tape.csv")
    assert answer.code == 0
    used = 2 if column == "loan_id" else 3
    assert f"4 read = {used} used + {4 - used} rejected" in answer.out
    found = fault.removeprefix("tape.csv:3: ")
    if column == "loan_id":
        assert f"lines 2, 3: {found}" in answer.out
    else:
        assert f"line 3: {'row: ' if column == 'score' else ''}{found}" in answer.out


@pytest.mark.parametrize(("column", "cell", "fault"), CELL_CASES, ids=[case[0] for case in CELL_CASES])
def test_a_run_without_a_usable_row_is_refused(here: Path, column: str, cell: str, fault: str) -> None:
    table = tape_samples.rows(2)
    for row in table:
        row[column] = cell
    text = tape_samples.as_text(table).replace('"655,1,2"', "655,1,2")
    (here / "tape.csv").write_text(text, "utf-8")
    said = refusal(here, "run taped.yaml")
    assert said.startswith("tape.csv: 2 of 2 rows rejected; expected at least one usable row.\n")
    assert fault in said
    assert fault.replace("tape.csv:3", "tape.csv:2") in said


def test_a_tape_dated_otherwise_runs_from_its_own_date_if_asked(here: Path) -> None:
    (here / "tape.csv").write_text(ONE_LOAN.replace("2024-12-31", "2024-06-30"), "utf-8")
    said = refusal(here, "run taped.yaml")
    for words in ("2024-06", "own", "baseline", "shift_calendar: true"):
        assert words in said
    (here / "taped.yaml").write_text(TAPE_STUDY + "shift_calendar: true\n", "utf-8")
    assert carstress("validate", "taped.yaml").code == 0


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            "run gone.yaml",
            f"study: the file gone.yaml does not exist; expected the path of a study. Shipped ones need no path: {STUDIES}. `carstress init FOLDER` writes one to start from.",
        ),
        ("run studi.yaml", "Did you mean `study.yaml`?"),
        (
            "run study",
            f"unknown study `study`; expected one of {STUDIES}, or a path ending in .yaml. Did you mean `study.yaml`?",
        ),
        ("run gone.nc", "gone.nc: no such file; expected the results of a run."),
        ("run folder", "folder/results.nc: no such file; expected the results of a run."),
        (
            "run nonsense",
            f"unknown study `nonsense`; expected one of {STUDIES}, or a path ending in .yaml. `carstress init FOLDER`",
        ),
        ("validate gone.yaml folder", "gone.yaml: the file cannot be opened (no such file or directory)"),
        ("portfolio describe gone.csv", "gone.csv"),
        ("portfolio describe folder", "folder"),
        ("portfolio describe tape.csv --mapping reg_abc", "unknown tape mapping `reg_abc`"),
        ("portfolio import tape.csv --out gone/book.csv", "gone: no such folder; expected an existing folder"),
        ("portfolio import tape.csv --out book.xlsx", "ending '.xlsx'; expected .csv or .parquet"),
        ("run study.yaml --out folder", "folder: the folder exists already; expected a name that is free."),
        (
            "run study.yaml --out tape.csv/run",
            "tape.csv/run: no folder can be made there (not a directory); expected a place to write to",
        ),
        (f"run study.yaml --out {'x' * 300}", "no folder can be made there (file name too long)"),
        ("init tape.csv/book", "no file can be written there (not a directory)"),
        ("init .", "study.yaml: the file exists already; expected a free name."),
        ("portfolio import tape.csv --out folder.csv --force", "folder.csv: a folder; expected a file's name."),
        (f"portfolio import tape.csv --out {'x' * 300}.csv", "no file can be written there (file name too long)"),
        (
            "portfolio synth --seed 1 --as-of 0001-12-31 --out new.csv",
            "as_of = 0001-12-31; expected a year from 1996 to 2100.",
        ),
        (
            "portfolio synth --seed 1 --as-of 2024-12-31 --out tape.csv",
            "tape.csv: an existing file; expected a new name. Choose another, or replace it with --force.",
        ),
        ("run study.yaml --out tape.csv --force", "tape.csv: is a file or a link; expected a name that is free"),
    ],
)
def test_a_file_or_folder_that_is_not_as_it_should_be(here: Path, command: str, said: str) -> None:
    (here / "folder").mkdir()
    (here / "folder" / "note.txt").write_text("mine", "utf-8")
    (here / "folder.csv").mkdir()
    assert said in refusal(here, command)


def test_a_place_that_cannot_be_written_to_is_refused_before_anything_is_simulated(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("outputs.run_folder.tempfile.mkdtemp", refuse)
    assert "deep/run: no folder can be made there (permission denied)" in refusal(here, "run study.yaml --out deep/run")


def test_a_tape_that_is_a_folder(here: Path) -> None:
    (here / "tape.csv").unlink()
    (here / "tape.csv").mkdir()
    assert "tape.csv: a folder or a device; expected a CSV, XML, gzipped or Parquet file." in refusal(
        here, "run taped.yaml"
    )


@pytest.mark.parametrize("options", ["run --paths 0", "run --paths 10000001", "run --seed -1", "run --threads 2000", "bench --loans 10000001", "portfolio synth --loans 10000001"])  # fmt: skip
def test_numbers_out_of_range_are_usage(here: Path, options: str) -> None:
    answer = carstress(*options.split())
    assert (answer.code, answer.out) == (2, "")
    assert "is not in the range" in answer.err


def test_a_results_file_that_is_damaged(here: Path) -> None:
    (here / "results.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    assert "results.nc: not readable" in refusal(here, "run results.nc")
