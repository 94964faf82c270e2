"""Bad YAML, one case a line: each is answered with place, finding, expectation and remedy, within a second."""
# ruff: noqa: E501  # a table has one case a line

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.errors import Fault, InputError
from scenarios.load import load_any, spec_from_text
from scenarios.schema import KINDS, MacroScenario, Study
from yaml_samples import SCENARIO, heir

CHILD = f"""\
{heir("own", "baseline")}macro:
  unemployment_percent: {{shock: [0, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6]}}
"""

STUDY = """\
kind: study
name: bad
portfolio:
  synthetic: {parameters: us_near_prime, loans: 100, seed: 1, as_of: 2024-12-31}
parameters: us_near_prime
scenarios: [baseline, adverse]
paths: 100
months: 12
seed: 7
limits:
  - {measure: value_at_risk, level: 0.99, scenario: adverse, at_most_percent: 5}
"""

DOCUMENTS = {"scenario": SCENARIO, "child": CHILD, "study": STUDY}

# document, what is replaced, by what, line:column of the first fault, words of the message
CASES = [
    # keys
    ("scenario", "  unemployment_percent: [4", "  unemploymnt_percent: [4", "9:3", "unknown key macro.unemploymnt_percent", "Did you mean `unemployment_percent`?"),
    ("scenario", "name: own", "name: own\nname: worse", "3:1", "key `name` for the second time", "line 2"),
    ("scenario", "beyond: hold", "beyond: hold\nscenarios: []", "15:1", "unknown key scenarios", "one of beyond,"),
    ("scenario", "  all: [", "  suvs: [1, 1, 1, 1]\n  all: [", "13:3", "unknown key used_car_index.suvs", "Did you mean `suv`?"),
    ("scenario", "name: own\n", "", "1:1", "name is missing", "`name:`"),
    ("scenario", "start: 2025Q1\n", "", "1:1", "start is missing", "`2025Q1` or `2025-01`"),
    ("scenario", "source: Assumption, for a test.\n", "", "1:1", "source is missing", "Where its numbers come from"),
    ("scenario", "  prime_rate_percent: [8, 7, 6, 5]\n", "", "9:3", "macro.prime_rate_percent is missing", "Prime rate"),
    ("scenario", ", prime_rate_percent: 8}", "}", "7:11", "jump_off.prime_rate_percent is missing", "Percent a year"),
    ("scenario", "  all: [100", "  suv: [100", "13:3", "used_car_index.all is missing", "`all: {satellite: flat}`"),
    ("scenario", "kind: macro_scenario\n", "", "1:1", "kind is missing", "one of macro_scenario, study"),
    ("scenario", "macro_scenario", "macro_scenarios", "1:7", 'kind = "macro_scenarios"', "Did you mean `macro_scenario`?"),
    ("study", "[baseline, adverse]", "[{name: baseline, weight: 0.7}, adverse]", "6:13", "scenarios[0] = {", "A weight stands in the scenario's own file: `extends: baseline`, `weight: 0.7`."),
    ("scenario", "macro_scenario", "[a]", "1:7", 'kind = ["a"]', "one of macro_scenario, study"),
    # units and ranges
    ("scenario", "[4, 5, 6, 6]", "[4, 5, 55.0, 6]", "9:32", "macro.unemployment_percent[2] = 55.0; expected 0 to 30.", "write 5.5 for 5.5 %"),
    ("scenario", "[4, 5, 6, 6]", "[0.04, 5, 6, 6]", "9:26", "= 0.04, which looks like a fraction", "write 4 for 4 %"),
    ("scenario", "[4, 5, 6, 6]", "[4, -5, 6, 6]", "9:29", "macro.unemployment_percent[1] = -5", "0 to 30"),
    ("scenario", "prime_rate_percent: 8}", "prime_rate_percent: 800}", "7:94", "jump_off.prime_rate_percent = 800; expected -2 to 30", "5.5 %"),
    ("scenario", "[2, 2, 2, 2]", "[2, 2, 2, 200]", "10:47", "= 200; expected -60 to 100", "Rates are in percent"),
    ("scenario", "[100, 90, 80, 80]", "[1.0, 0.9, 0.8, 0.8]", "13:9", "used_car_index.all[0] = 1.0; expected 5 to 1000", "write 80 for a fall by 20 %"),
    ("scenario", "beyond: hold", "weight: 40", "14:9", "weight = 40; expected more than 0 and at most 1", ""),
    ("child", "{shock: [0, 1", "{shock: [0, 100", "6:37", "macro.unemployment_percent[1] = 104.3 (shock on library/macro/baseline.yaml:", "0 to 30"),
    ("scenario", "hold", "hold\nregional_offsets: {unemployment_percent: {CA: 50}}", "15:47", "regional_offsets.unemployment_percent.CA = 50", "-20 to 20"),
    ("scenario", "hold", "hold\nregional_offsets: {unemployment_percent: {CA: -5}}", "15:47", "makes unemployment negative", "at least -4"),
    ("study", "level: 0.99", "level: 99", "11:37", "limits[0].level = 99", "more than 0.5 and less than 1"),
    ("study", "paths: 100", "paths: 0", "7:8", "paths = 0", "1 to 10000000"),
    ("study", "months: 12", "months: 3600", "8:9", "months = 3600", "1 to 1200"),
    ("study", "seed: 7", "seed: -7", "9:7", "seed = -7", "at least 0"),
    # missing months
    ("scenario", "[8, 7, 6, 5]", "[8, 7, 6]", "11:23", "macro.prime_rate_percent has 3 values; expected 4, one a quarter from 2025Q1 to 2025Q4", "1 quarter missing"),
    ("scenario", "end: 2025Q4", "end: 2026Q2", "9:25", "macro.unemployment_percent has 4 values; expected 6", "2 quarters missing"),
    ("scenario", "[100, 90, 80, 80]", "[100, 90, 80, 80, 80]", "13:8", "used_car_index.all has 5 values; expected 4", "1 quarter too many"),
    ("child", "[0, 1, ", "[", "6:33", "macro.unemployment_percent.shock has 18 values; expected 20", "2 quarters missing"),
    ("scenario", "[4, 5, 6, 6]", "[]", "9:25", "macro.unemployment_percent has 0 values", "4 quarters missing"),
    ("scenario", "end: 2025Q4", "end: 2024Q4", "5:6", "end = 2024Q4", "not before start = 2025Q1"),
    ("scenario", "start: 2025Q1", "start: 2025-02", "4:8", "start = 2025-02", "Write a quarter"),
    ("scenario", "start: 2025Q1", "start: 2025Q5", "4:8", 'start = "2025Q5"', "`2025Q1` or `2025-01`"),
    ("scenario", "start: 2025Q1", "start: 2025", "4:8", "start = 2025; expected text", "quotes"),
    # types
    ("scenario", "[4, 5, 6, 6]", "[4, five, 6, 6]", "9:29", 'macro.unemployment_percent[1] = "five"', "a number"),
    ("scenario", "[4, 5, 6, 6]", "[4, 5%, 6, 6]", "9:29", '= "5%"; expected a number', "Write 5 without the sign"),
    ("scenario", "[4, 5, 6, 6]", "[4, true, 6, 6]", "9:29", "= true; expected a number", ""),
    ("scenario", "[4, 5, 6, 6]", "[4, '5', 6, 6]", "9:29", '= "5"; expected a number', "without quotes"),
    ("scenario", "[4, 5, 6, 6]", "[4, 05, 6, 6]", "9:29", '= "05"; expected a number', "leading zeros"),
    ("scenario", "[4, 5, 6, 6]", "[4, 12:30, 6, 6]", "9:29", '= "12:30"; expected a number', ""),
    ("scenario", "[4, 5, 6, 6]", "[4, , 6, 6]", "9:29", "expected the node content", ""),
    ("scenario", "[4, 5, 6, 6]", "4", "9:25", "macro.unemployment_percent = 4", "a list with one number a period"),
    ("scenario", "[4, 5, 6, 6]", "{shok: [0, 0, 0, 0]}", "9:25", "macro.unemployment_percent.shock is missing", "Percentage points"),
    ("scenario", "[4, 5, 6, 6]", "{shock: [0, 0, 0, 0]}", "9:25", "macro.unemployment_percent is a shock without a path below it", "`extends: NAME`"),
    ("scenario", "beyond: hold", "beyond: hlod", "14:9", 'beyond = "hlod"', "Did you mean `hold`?"),
    ("scenario", "beyond: hold", "beyond: {revert: {months: 12.5, to: {}}}", "14:27", "beyond.revert.months = 12.5", "a whole number"),
    ("scenario", "frequency: quarterly", "frequency: weekly", "6:12", 'frequency = "weekly"', "`quarterly` or `monthly`"),
    ("scenario", "all: [100, 90, 80, 80]", "all: {satellite: unemploymnt_gap}", "13:20", 'satellite = "unemploymnt_gap"', "Did you mean `unemployment_gap`?"),
    ("scenario", "all: [100, 90, 80, 80]", "all: {satellite: unemployment_gap, lag_quarter: 1}", "13:38", "unknown key used_car_index.all.lag_quarter", "Did you mean `lag_quarters`?"),
    ("scenario", "name: own", "name: a b", "2:7", 'name = "a b"', "at most 64 letters, digits"),
    ("study", "paths: 100", "paths: １００", "7:8", 'paths = "１００"; expected a whole number', "Write it in the digits 0 to 9."),
    ("study", "  synthetic: {", "  file: x.csv\n  synthetic: {", "4:3", "portfolio.file beside another form; expected one form alone", "Remove it"),
    ("study", "paths: 100", "paths: 1e2", "7:8", "paths = 100.0; expected a whole number", "Write 100."),
    ("study", "seed: 7", "seed: 7\nshift_calendar: yes", "10:17", 'shift_calendar = "yes"', "true or false"),
    ("study", "as_of: 2024-12-31", "as_of: 31/12/2024", "4:70", 'as_of = "31/12/2024"', "2024-12-31"),
    ("study", "as_of: 2024-12-31", "as_of: 2024-02-30", "4:70", 'as_of = "2024-02-30"', "a date"),
    ("study", "  synthetic: {", "  sinthetic: {", "4:3", "portfolio.synthetic is missing", "description"),
    ("study", "parameters: us_near_prime\nsc", "parameters: []\nsc", "5:13", "parameters = []", "at least one value"),
    ("study", "scenarios: [baseline, adverse]", "scenarios: [adverse, adverse]", "6:22", "scenario adverse for the second time", "each scenario once"),
    ("study", "measure: value_at_risk", "measure: var", "11:15", 'limits[0].measure = "var"', "`value_at_risk`"),
    # other files
    ("child", "extends: baseline", "extends: basline", "4:10", "unknown scenario `basline`", "Did you mean `baseline`?"),
    ("child", "extends: baseline", "extends: gone.yaml", "4:10", "gone.yaml does not exist", "the path of a scenario"),
    ("child", "extends: baseline", "extends: bad.yaml", "4:10", "`extends` goes in a circle", "a chain that ends"),
    ("child", "extends: baseline", "extends: [baseline]", "4:10", 'extends = ["baseline"]', "a name or a path"),
    # the text itself
    ("scenario", "[4, 5, 6, 6]", "[4, .nan, 6, 6]", "9:29", "`.nan`; expected a finite number", "leave the key out"),
    ("scenario", "[4, 5, 6, 6]", "[4, 1e400, 6, 6]", "9:29", "`1e400`; expected a finite number", ""),
    ("scenario", "[4, 5, 6, 6]", "[4, NaN, 6, 6]", "9:29", '"NaN"; expected a number', ""),
    ("scenario", "name: own", "name: !!python/name:os.system own", "2:7", "a tag `!!python/name:os.system`", "Remove it"),
    ("scenario", "macro:", "x: &x [1]\ny: [*x, *x]\nmacro:", "8:4", "an anchor `&x`", "aliases are refused"),
    ("scenario", "macro:", "<<: {a: 1}\nmacro:", "8:1", "a merge key `<<`", "extends"),
    ("scenario", "macro:", "? [a, b]\n: 1\nmacro:", "8:3", "a key that is not plain text", ""),
    ("scenario", "  prime_rate_percent", "\tprime_rate_percent", "11:1", "found character '\\t'", "never with tabs"),
    ("scenario", "[4, 5, 6, 6]", "[4, 5, 6, 6", "10:35", "flow sequence begun in line 9, expected ',' or ']'", ""),
    ("scenario", "for a test.", "for: a test.", "3:24", "mapping values are not allowed", "quotes"),
    ("scenario", "for a test.", "for a test.\n---", "4:1", "a second document", "Remove the line"),
    ("scenario", "name: own", 'name: "own', "15:1", "a quoted scalar begun in line 2", ""),
    ("scenario", "name: own", "name: o\x07wn", "2:8", "a control character (U+0007)", "text file"),
    ("scenario", "[4, 5, 6, 6]", "[" * 60, "9:75", "nesting deeper than 50 levels", "brackets"),
]  # fmt: skip


def faults_of(path: Path) -> list[str]:
    start = time.process_time()
    with pytest.raises(InputError) as caught:
        load_any(path, KINDS)
    assert time.process_time() - start < 1.0
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize(("document", "old", "new", "where", "found", "remedy"), CASES)
def test_bad_yaml(tmp_path: Path, document: str, old: str, new: str, where: str, found: str, remedy: str) -> None:
    assert DOCUMENTS[document].count(old) >= 1
    path = tmp_path / "bad.yaml"
    path.write_text(DOCUMENTS[document].replace(old, new, 1), encoding="utf-8")
    faults = faults_of(path)
    assert faults[0].startswith(f"{path}:{where}: ")
    message = "\n".join(faults)
    assert found in message
    assert remedy in message
    assert "; expected " in faults[0]
    assert "Traceback" not in message


def test_the_documents_are_sound_before_they_are_spoilt(tmp_path: Path) -> None:
    for text in DOCUMENTS.values():
        path = tmp_path / "good.yaml"
        path.write_text(text, encoding="utf-8")
        assert load_any(path, KINDS)


def test_all_faults_of_a_file_come_at_once_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    spoilt = SCENARIO.replace("[4, 5, 6, 6]", "[4, 55, 0.05, 6]").replace("[8, 7, 6, 5]", "[8, 7, 6]")
    path.write_text(spoilt.replace("quarterly", "quartely").replace("beyond", "beyon"), encoding="utf-8")
    lines = [fault.removeprefix(f"{path}:").split(":")[0] for fault in faults_of(path)]
    assert lines == ["6", "9", "9", "11", "14"]


SCRAPS = (
    "",
    "null",
    "[]",
    "{}",
    "[1, 2]",
    "{a: 1}",
    "-1",
    "1e300",
    "true",
    "text",
    "'",
    '"',
    ": ",
    "- ",
    "\n",
    "#",
    "@",
)


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(sorted(DOCUMENTS)), st.integers(0, 700), st.integers(0, 40), st.sampled_from(SCRAPS))
def test_a_file_with_a_scrap_in_it_is_read_or_answered_with_faults(name: str, at: int, cut: int, scrap: str) -> None:
    text = DOCUMENTS[name]
    spec = {"study": Study}.get(name, MacroScenario)
    faults: tuple[Fault, ...] = ()
    try:
        spec_from_text(text[:at] + scrap + text[at + cut :], "bad.yaml", spec)
    except InputError as error:
        faults = error.faults
    assert all(fault.where.count(":") == 2 and fault.found and fault.expected for fault in faults)


@pytest.mark.parametrize(
    ("content", "where", "found"),
    [
        (b"", ":1:1", "nothing in the file"),
        (b"# only a comment\n", ":1:1", "nothing in the file"),
        (b"- a\n- b\n", ":1:1", "a list in the file"),
        (b"words\n", ":1:1", "a single value in the file"),
        (b"a: 1\n\x00\x01\x02", ":2:1", "binary data (byte 0x00)"),
        (b"\x89PNG\r\n\x1a\n\x00", ":1:1", "binary data (byte 0x89)"),
        (b"name: caf\xe9\n", ":1:10", "binary data (byte 0xE9)"),
        ("kind: study".encode("utf-16"), ":1:1", "binary data (byte 0xFF)"),
        (b"x" * 2_000_000, ":1:1", "more than 1048576 bytes"),
        (b"#" * 300_000, ":1:1", "300000 characters"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_files_that_are_no_yaml(tmp_path: Path, content: bytes, where: str, found: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    (fault,) = faults_of(path)
    assert fault.startswith(f"{path}{where}: {found}")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + STUDY.encode())
    assert load_any(path, KINDS)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path / "gone.yaml")
    assert fault.startswith(f"{tmp_path / 'gone.yaml'}: the file cannot be opened (no such file or directory)")
    assert "expected a readable file" in fault
    (fault,) = faults_of(tmp_path)
    assert fault.startswith(f"{tmp_path}: a folder or a device; expected a file")
