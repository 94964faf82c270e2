"""Published tables -> scenarios: the shipped ones come out again, and every fault of a table is answered."""
# ruff: noqa: E501  # a table has one case a line

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from command_line import carstress, files_below
from outputs.scenario_commands import SATELLITES
from scenarios.digest import file_digest
from scenarios.library import find_scenario
from scenarios.load import read_spec
from scenarios.macro import monthly_macro
from scenarios.published_table import FED_COLUMNS
from scenarios.schema import MacroScenario, Satellite
from scenarios.show import INTERPOLATION

SharedData = Callable[[str], Path]

TABLES = {
    "fed_2024_baseline": ("2024-Table_3A_Supervisory_Baseline", "2024-Table_2A_Historic"),
    "fed_2024_severely_adverse": ("2024-Table_4A_Supervisory_Severely_Adverse", "2024-Table_2A_Historic"),
    "fed_2025_baseline": ("2025-Table_2A_Supervisory_Baseline", "2025-Table_1A_Historic"),
    "fed_2025_severely_adverse": ("2025-Table_3A_Supervisory_Severely_Adverse", "2025-Table_1A_Historic"),
}

TABLE = """\
Scenario Name,Date,Real GDP growth,Real disposable income growth,Unemployment rate,Prime rate
Supervisory Dire,2025 Q1,-8.9,-6.0,5.6,4.8
Supervisory Dire,2025 Q2,-6.7,-3.5,6.8,3.1
Supervisory Dire,2025 Q3,-8.0,-3.5,8.1,3.1
"""
HISTORY = """\
Scenario Name,Date,Real disposable income growth,Unemployment rate,Prime rate
Actual,2024 Q3,1.1,4.2,8.4
Actual,2024 Q4,2.5,4.0,7.5
"""
PRICES = """\
Date,Manheim,ev
2024 Q3,210,90
2024 Q4,200,80
2025 Q1,190,60
2025 Q2,180,40
2025 Q3,170,20
"""
FILES = {"table.csv": TABLE, "history.csv": HISTORY, "prices.csv": PRICES}
IMPORT = ("scenario", "import-fed", "table.csv")
COLUMN = ("--used-car-path", "prices.csv", "--used-car-column", "Manheim")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with sound files."""
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    return tmp_path


def imported(*options: str) -> MacroScenario:
    answer = carstress(*IMPORT, *options, "--out", "made.yaml", "--force")
    assert (answer.code, answer.err) == (0, "")
    return read_spec(Path("made.yaml"), MacroScenario)


def refusal(here: Path, *options: str, code: int = 3) -> str:
    kept = files_below(here)
    answer = carstress(*IMPORT, *options)
    assert (answer.code, answer.out) == (code, "")
    assert "Traceback" not in answer.err
    assert files_below(here) == kept
    return answer.err


# --- what is made -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_the_shipped_scenarios_come_out_of_the_published_tables(here: Path, shared_data: SharedData, name: str) -> None:
    table, history = (shared_data("fed_scenarios") / f"{stem}_Domestic.csv" for stem in TABLES[name])
    used_car = "satellite:flat" if name.endswith("baseline") else "satellite:unemployment_gap"
    out = ("--out", "made.yaml")
    answer = carstress("scenario", "import-fed", table, "--history", history, "--used-car", used_car, *out)
    assert answer.code == 0, answer.err
    made, shipped = read_spec(here / "made.yaml", MacroScenario), find_scenario(name)
    told = {"description", "source"}
    assert made.model_dump(exclude=told) == shipped.model_dump(exclude=told)
    assert file_digest(table) in made.source
    assert file_digest(history) in made.source
    first, month = shipped.first_month
    as_of = (first - 1, 12) if month == 1 else (first, month - 1)
    ours, theirs = (monthly_macro(item, as_of, 39, 39) for item in (made, shipped))
    np.testing.assert_array_equal(ours.macro, theirs.macro)
    np.testing.assert_array_equal(ours.used_car_index, theirs.used_car_index)


def test_the_text_on_standard_output_is_a_scenario_that_says_how_it_was_made(here: Path) -> None:
    answer = carstress(*IMPORT, "--history", "history.csv")
    assert answer.code == 0
    (here / "made.yaml").write_text(answer.out, encoding="utf-8")
    assert carstress("validate", "made.yaml").code == 0
    made = find_scenario("made.yaml")
    assert (made.name, made.title) == ("fed_2025_dire", "Federal Reserve 2025, supervisory dire")
    assert (made.start, made.end, made.months) == ("2025Q1", "2025Q3", 9)
    assert made.jump_off.model_dump() == {
        "unemployment_percent": 4.0,
        "disposable_income_growth_percent": 2.5,
        "prime_rate_percent": 7.5,
        "fuel_price_index": 100.0,
    }
    assert made.macro.unemployment_percent == (5.6, 6.8, 8.1)
    assert made.macro.disposable_income_growth_percent == (-6.0, -3.5, -3.5)
    assert made.macro.prime_rate_percent == (4.8, 3.1, 3.1)
    plain = " ".join(answer.out.replace("#", " ").split())
    for field, column in FED_COLUMNS.items():
        assert f"{column}: {INTERPOLATION[field]}." in plain
    assert "not used: Real GDP growth." in plain
    assert "Assumption, confidence L" in plain
    assert "assumption, confidence L: satellite unemployment_gap, -20 percent" in made.source
    assert all(file_digest(here / name) in made.source for name in ("table.csv", "history.csv"))
    assert "table.csv: Supervisory Dire, 3 quarters, 2025Q1 to 2025Q3" in answer.err


def test_the_record_says_what_was_read_used_and_ignored(here: Path) -> None:
    document = carstress(*IMPORT, "--json").document
    assert document["schema"] == "carstress-scenario-import/1"
    assert document["tables"] == [
        {
            "file": "table.csv",
            "sha256": file_digest(here / "table.csv"),
            "scenario_name": "Supervisory Dire",
            "quarters": 3,
            "first": "2025Q1",
            "last": "2025Q3",
        }
    ]
    assert {name: item["field"] for name, item in document["columns_used"].items()} == {
        column: field for field, column in FED_COLUMNS.items()
    }
    assert all(item["interpolation"] for item in document["columns_used"].values())
    assert document["columns_ignored"] == ["Real GDP growth"]
    assert document["jump_off"]["quarter"] == "2024Q4"
    assert document["jump_off"]["values"]["unemployment_percent"] == 4.1  # of the shipped history
    assert "shipped history" in document["jump_off"]["source"]
    used_car = document["used_car_index"]
    assert (used_car["assumption"], used_car["confidence"]) == (True, "L")
    written = carstress(*IMPORT, "--json", "--out", "made.yaml").document
    assert written == document | {"file": "made.yaml"}
    assert (here / "made.yaml").read_text(encoding="utf-8") == document["yaml"]


def test_a_later_jump_off_starts_later_and_takes_the_tables_own_values() -> None:
    made = imported("--jump-off", "2025Q1", "--used-car", "satellite:flat")
    assert (made.start, made.macro.unemployment_percent) == ("2025Q2", (6.8, 8.1))
    assert made.jump_off.unemployment_percent == 5.6
    assert made.name == "fed_2025_dire"


def test_words_of_the_user_survive_as_they_were_given() -> None:
    source = "  # 'Table 3A': \"final\", {2025}\n  of June:  - [x]"
    made = imported("--name", "true", "--title", "yes: # no", "--source", source)
    assert (made.name, made.title) == ("true", "yes: # no")
    assert made.source.startswith("# 'Table 3A': \"final\", {2025} of June: - [x]: table.csv (SHA-256 ")


def test_quotes_byte_order_marks_line_ends_and_blank_rows_are_no_matter(here: Path) -> None:
    expected = imported()
    text = TABLE.replace("Unemployment rate", '" unemployment  rate"').replace("2025 Q2", '"2025Q2"') + ",,,,,\n\n"
    (here / "table.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert imported().macro == expected.macro


def test_names_that_do_not_print_are_escaped(here: Path) -> None:
    text = TABLE.replace("Supervisory Dire", "D\x07i\u202ere").replace("Real GDP growth", "G\x1bDP")
    (here / "table.csv").write_text(text, encoding="utf-8")
    odd = here / "pri\x07ces.csv"
    odd.write_text(PRICES, encoding="utf-8")
    made = imported("--used-car-path", str(odd), "--used-car-column", "ev")
    assert made.name == "fed_2025_d_i_re"
    assert "pri\\x07ces.csv" in made.source
    assert "\\u202e" in made.title
    text = (here / "made.yaml").read_text(encoding="utf-8")
    assert all(line.isprintable() for line in text.split("\n"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(0, len(TABLE) - 1), letter=st.sampled_from('0-.,;"\n\r\t %eN\x00\xe9\ud800'))
def test_a_table_with_one_wrong_letter_is_read_or_refused(here: Path, place: int, letter: str) -> None:
    spoilt = TABLE[:place] + letter + TABLE[place + 1 :]
    (here / "table.csv").write_bytes(spoilt.encode("utf-8", "surrogatepass"))
    answer = carstress(*IMPORT)
    assert answer.code in (0, 3), answer.err
    if answer.code == 0:
        (here / "made.yaml").write_text(answer.out, encoding="utf-8")
        assert read_spec(here / "made.yaml", MacroScenario).source
    else:
        assert all(line.startswith(("table.csv:", "--used-car:", "--history:")) for line in answer.err.splitlines())


# --- the used-car price -------------------------------------------------------------------------------


def test_the_command_offers_the_schemas_satellites() -> None:
    assert get_args(Satellite.model_fields["satellite"].annotation) == SATELLITES


def test_a_satellite_takes_the_wished_fall_and_lag() -> None:
    path = imported("--peak-to-trough", "-35", "--lag-quarters", "1").used_car_index["all"]
    assert path == Satellite(satellite="unemployment_gap", peak_to_trough_percent=-35, lag_quarters=1)
    assert imported().used_car_index["all"] == Satellite(satellite="unemployment_gap")


def test_a_column_of_prices_is_put_on_100_in_the_jump_off_quarter(here: Path) -> None:
    made = imported(*COLUMN)
    assert made.used_car_index == {"all": (95.0, 90.0, 85.0)}
    assert f"prices.csv (SHA-256 {file_digest(here / 'prices.csv')}), column Manheim for all" in made.source
    assert "confidence L" not in made.source
    (here / "prices.csv").write_text(PRICES.replace("Manheim", "all"), encoding="utf-8")
    assert imported("--used-car-path", "prices.csv").used_car_index == {"all": (95, 90, 85), "ev": (75, 50, 25)}


def test_another_scenario_lends_its_used_car_index(here: Path) -> None:
    made = imported("--used-car-path", "used_car_crash")
    levels: dict[Any, Any] = dict(find_scenario("used_car_crash").used_car_index)
    assert made.used_car_index == {name: path[:3] for name, path in levels.items()}
    assert "assumption, confidence L: that of scenario used_car_crash, shipped" in made.source
    lent = imported("--used-car-path", "fed_2025_severely_adverse").used_car_index["all"]
    # By hand: -20 % of the gap over its largest, (10.0 - 4.1), two quarters later.
    assert lent == (100.0, 100.0, round(100 - 20 * (5.6 - 4.1) / (10.0 - 4.1), 4))


# --- faults -------------------------------------------------------------------------------------------

# what is replaced in the table, by what, words of the answer
FAULTS = [
    ("Prime rate", "Prime rat", ["table.csv:1: Prime rate: column `Prime rate` is missing", "Did you mean `Prime rat`?"]),
    ("Prime rate", "Base", ["column `Prime rate` is missing; expected one of that name", "The columns that are not used are `Real GDP growth`, `Base`"]),
    ("Scenario Name,Date,", "Scenario Name,Day,", ["table.csv:1: Date: column `Date` is missing"]),
    ("Real GDP growth", "prime rate", ["table.csv:1: Prime rate: column `Prime rate` 2 times; expected it once. Remove or rename the others."]),
    (TABLE.splitlines()[2] + "\n", "", ["table.csv:3: Date: 2025Q3 after 2025Q1; expected 2025Q2. 1 quarter missing."]),
    ("2025 Q3", "2025 Q2", ["table.csv:4: Date: 2025Q2 after 2025Q2; expected 2025Q3. Put the rows in order, each quarter once."]),
    ("2025 Q2", "2025-06-30", ["table.csv:3: Date: `2025-06-30`; expected a quarter, as in 2025 Q1."]),
    ("6.8,3.1", "n/a,3.1", ["table.csv:3: Unemployment rate: `n/a`; expected a number."]),
    ("6.8,3.1", ",3.1", ["table.csv:3: Unemployment rate: an empty cell; expected a number. Fill it in"]),
    ("6.8,3.1", "6.8 %,3.1", ["`6.8 %`; expected a number. Write 6.8, without the sign."]),
    ("6.8,3.1", '"6,8",3.1', ["`6,8`; expected a number. Write a decimal point: 6.8."]),
    ("6.8,3.1", "nan,3.1", ["`nan`; expected a number"]),
    ("6.8,3.1", "1e999,3.1", ["`1e999`; expected a number"]),
    ("6.8,3.1", "680,3.1", ["table.csv:3: Unemployment rate: 680; expected 0 to 30, percent.", "100 basis points are 1"]),
    ("6.8,3.1", "0.068,3.1", ["table.csv:3: Unemployment rate: 0.068, which looks like a fraction; expected percent", "Write 6.8 for 6.8 %."]),
    ("6.8,3.1", "6.8", ["table.csv:3: 5 cells; expected 6, as the first line has. Look for a missing or an unquoted comma."]),
    ("6.8,3.1", "6,8,3.1", ["table.csv:3: 7 cells; expected 6"]),
    ("Dire,2025 Q2", "Baseline,2025 Q2", ["table.csv:3: Scenario Name: scenario `Supervisory Baseline` in a table of `Supervisory Dire`; expected one named scenario in the file. Split the file"]),
    (TABLE, TABLE.replace("Supervisory Dire", ""), ["table.csv:2: Scenario Name: scenario ``; expected one named scenario"]),
    (TABLE, TABLE.replace(",", ";"), ["table.csv:1: one column only, its name with semicolons; expected cells separated by commas."]),
    (TABLE, TABLE.splitlines()[0], ["table.csv:1: column names only; expected rows below them."]),
    (TABLE, "", ["table.csv:1: nothing in the file; expected column names and rows below them."]),
    (TABLE, " \n\n", ["table.csv:1: nothing in the file"]),
    ("8.9", "8\0.9", ["table.csv:2:28: binary data (byte 0x00); expected UTF-8 text."]),
    ("-8.9", '"-8.9', ["table.csv:2: no CSV (", "Look for an open quotation mark"]),
    ("-6.0", '"-6.0"x', ["table.csv:2: no CSV ("]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), FAULTS, ids=lambda value: repr(value)[:40])
def test_a_fault_of_the_table_says_where_what_and_what_to_do(here: Path, old: str, new: str, words: list[str]) -> None:
    assert old in TABLE
    (here / "table.csv").write_text(TABLE.replace(old, new, 1), encoding="utf-8")
    said = refusal(here)
    assert all(word in said for word in words), said
    assert len(said.splitlines()) == 1


def test_a_table_in_fractions_is_refused_once_a_column(here: Path) -> None:
    rows = [line.split(",") for line in TABLE.splitlines()]
    fractions = [rows[0]] + [[*row[:3], *(f"{float(cell) / 100:g}" for cell in row[3:])] for row in rows[1:]]
    (here / "table.csv").write_text("\n".join(",".join(row) for row in fractions), encoding="utf-8")
    said = refusal(here).splitlines()
    assert len(said) == 3
    assert "table.csv:4: Unemployment rate: no value above 0.081: the column looks like fractions" in "\n".join(said)
    assert "Multiply the column by 100: 8.1 for 8.1 %." in "\n".join(said)


def test_all_faults_of_all_files_and_options_come_at_once(here: Path) -> None:
    (here / "table.csv").write_text(TABLE.replace("6.8", "x").replace("2025 Q3", "2025 Q4"), encoding="utf-8")
    (here / "history.csv").write_text(HISTORY.replace("8.4", "y"), encoding="utf-8")
    (here / "prices.csv").write_text(PRICES.replace("190", "z"), encoding="utf-8")
    said = refusal(here, "--history", "history.csv", *COLUMN, "--name", "a b", "--title", "\x1b[1m")
    places = [re.match(r"[^ ]+", line) for line in said.splitlines()]
    starts = ["--name:", "--title:", "table.csv:3:", "table.csv:4:", "history.csv:2:", "prices.csv:4:"]
    assert [place[0] for place in places if place] == starts


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--jump-off", "2026Q1"), "--jump-off: `2026Q1`; expected a quarter from 2024Q4 to 2025Q2"),
        (("--jump-off", "soon"), "--jump-off: `soon`; expected a quarter"),
        (("--history", "gone.csv"), "gone.csv: the file cannot be opened (no such file or directory)"),
        (("--history", "prices.csv"), "prices.csv:1: Prime rate: column `Prime rate` is missing"),
        (("--used-car-path", "gone.csv"), "gone.csv: the file cannot be opened"),
        (("--used-car-path", "gone.yaml"), "--used-car-path: the file gone.yaml does not exist"),
        (("--used-car-path", "used_car_crsh"), "Did you mean `used_car_crash`?"),
        (("--used-car-path", "fed_2024_baseline"), "start = 2024Q1, 12 months before the table's; expected 2025Q1"),
        (("--used-car-path", "prices.csv"), "a column `all` beside those of segments. Name the price of all segments"),
        ((*COLUMN[:3], "Manhiem"), "column `Manhiem` is missing; expected one of that name. Did you mean `Manheim`?"),
        (("--jump-off", "2025Q1", "--history", "history.csv", "--lag-quarters", "0", "--out", "x.txt"), "ending `.txt`"),
        (("--out", "no/such/x.yaml"), "no file can be written there (no such file or directory)"),
        (("--out", "."), "ending ``; expected .yaml or .yml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_a_wrong_option_or_file_is_bad_input(here: Path, options: tuple[str, ...], words: str) -> None:
    assert words in refusal(here, *options)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("2024 Q4,200,80\n", "", "prices.csv:3: Date: 2025Q1 after 2024Q3; expected 2024Q4. 1 quarter missing."),
        ("2024 Q3,210,90\n2024 Q4,200,80\n", "", "without 2024Q4; expected every quarter from the jump-off's, 2024Q4"),
        ("2025 Q3,170,20\n", "", "without 2025Q3"),
        ("190", "-10", "prices.csv:4: Manheim: -10; expected a level above 0."),
        ("190", "1.90", "quarter 1 of the scenario at 0.95 where the jump-off is 100; expected 5 to 1000."),
    ],
)
def test_a_fault_of_the_price_file_is_answered(here: Path, old: str, new: str, words: str) -> None:
    assert old in PRICES
    (here / "prices.csv").write_text(PRICES.replace(old, new), encoding="utf-8")
    said = refusal(here, *COLUMN)
    assert words in said
    assert len(said.splitlines()) == 1


def test_a_satellite_of_unemployment_needs_a_rise(here: Path) -> None:
    mild = TABLE.replace(",5.6,", ",4.3,").replace(",6.8,", ",4.3,").replace(",8.1,", ",4.2,")
    (here / "table.csv").write_text(mild, encoding="utf-8")
    said = refusal(here)
    assert "--used-car: unemployment rises by 0.2 points only under satellite:unemployment_gap" in said
    assert "Write `--used-car satellite:flat`" in said
    assert imported("--used-car", "satellite:flat").used_car_index["all"] == Satellite(satellite="flat")


def test_a_quarter_that_the_shipped_history_lacks_needs_a_history(here: Path) -> None:
    (here / "table.csv").write_text(TABLE.replace("2025 Q", "2091 Q"), encoding="utf-8")
    said = refusal(here)
    assert "--history: no value of 2090Q4" in said
    assert "Give the publication's historic table" in said
    assert "history.csv:1: Date: quarters 2024Q3 to 2024Q4; expected 2090Q4" in refusal(
        here, "--history", "history.csv"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--used-car", "satellite:flt"), "'satellite:flt' is not one of"),
        (("--used-car", "satellite:flat", *COLUMN), "exclude each other"),
        (("--used-car", "satellite:flat", "--lag-quarters", "1"), "belong to --used-car satellite:unemployment_gap"),
        ((*COLUMN, "--peak-to-trough", "-5"), "belong to --used-car satellite:unemployment_gap"),
        (("--used-car-column", "x"), "names a column of the CSV file"),
        (("--peak-to-trough", "20"), "20.0 is not in the range -90<=x<=0"),
    ],
)
def test_options_that_contradict_each_other_are_wrong_usage(here: Path, options: tuple[str, ...], said: str) -> None:
    assert said in refusal(here, *options, code=2)


def test_a_file_is_replaced_with_force_only(here: Path) -> None:
    (here / "made.yaml").write_text("mine", encoding="utf-8")
    assert "made.yaml: the file exists already; expected a name that is free" in refusal(here, "--out", "made.yaml")
    assert imported().name == "fed_2025_dire"
    assert set(files_below(here)) == {*FILES, "made.yaml"}
