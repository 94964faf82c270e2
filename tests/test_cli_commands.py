"""Every command but `run`: what it prints, what it writes, how it ends."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest

import tape_samples
from calibration.library import parameter_set_names
from command_line import SMALL_STUDY, Answer, carstress, files_below, study_file
from scenarios.library import find_scenario, library_names
from simulator.tape import read_tape

BENCH_KEYS = {
    "parameters",
    "loan_months_per_second",
    "nominal_loan_months_per_second",
    "month_major_per_second",
    "live_share",
    "delinquent_share",
    "threads",
    "loans",
    "paths",
    "months",
    "seconds",
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder for every test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- usage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Usage: carstress [OPTIONS] COMMAND"),
        (("rum",), "No such command 'rum'"),
        (("run", "--pahts", "5"), "No such option '--pahts'"),
        (("run", "--paths", "many"), "'many' is not a valid integer range"),
        (("run", "--paths", "0"), "0 is not in the range 1<=x<="),
        (("run", "--threads", "0"), "0 is not in the range 1<=x<="),
        (("run", "--seed", "-1"), "-1 is not in the range 0<=x<=18446744073709551615"),
        (("run", "a.yaml", "b.yaml"), "unexpected extra argument"),
        (("portfolio",), "Usage: carstress portfolio"),
        (("portfolio", "synth", "--seed", "1", "--out", "x.csv"), "Missing option '--as-of'"),
        (("portfolio", "synth", "--as-of", "2024-12-31", "--out", "x.csv"), "Missing option '--seed'"),
        (("portfolio", "synth", "--seed", "1", "--as-of", "31.12.2024"), "'31.12.2024' does not match"),
        (("portfolio", "describe", "x.csv", "--format", "xml"), "'xml' is not one of 'canonical', 'reg_ab'"),
        (("portfolio", "import", "x.csv"), "Missing option '--out'"),
        (("scenario", "show"), "Missing argument 'NAME'"),
        (("validate",), "Missing argument 'FILES...'"),
        (("init",), "Missing argument 'FOLDER'"),
        (("trace", "told", "0001"), "Missing option '--path'"),
        (("trace", "told", "0001", "--path", "-1"), "-1 is not in the range 0<=x<="),
        (("trace", "--path", "1"), "Missing argument 'RUN'"),
        (("regime", "show"), "Missing argument 'NAME'"),
        (("regime", "apply", "told"), "Missing argument 'NAME'"),
        (("bench", "--months", "121"), "121 is not in the range 1<=x<=120"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_exit_code_2(here: Path, words: tuple[str, ...], said: str) -> None:
    answer = carstress(*words)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert not files_below(here)


def test_version() -> None:
    try:
        version = importlib.metadata.version("carstress")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("carstress is not installed: the checkout has no version of its own")
    assert carstress("--version") == Answer(0, f"carstress, version {version}\n", "")


# --- portfolio -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["book.csv", "book.parquet"])
def test_a_book_is_drawn_and_described(here: Path, name: str) -> None:
    words = ["portfolio", "synth", "--loans", 50, "--seed", 3, "--as-of", "2024-12-31", "--minimum-remaining-term", 24]
    answer = carstress(*map(str, words), "--out", name)
    assert (answer.code, answer.err) == (0, "")
    assert "50 read = 50 used + 0 rejected" in answer.out
    assert answer.out.endswith(f"50 loans written to {name}\n")
    tape = read_tape(name, strict=True)
    assert (len(tape), tape.as_of.isoformat(), tape.currency) == (50, "2024-12-31", "USD")
    assert tape["remaining_term"].min() >= 24

    described = carstress("portfolio", "describe", name, "--json")
    assert (described.code, described.err) == (0, "")
    document = described.document
    assert (document["loans"], document["as_of"], document["currency"]) == (50, "2024-12-31", "USD")
    assert document["balance"] == pytest.approx(tape.opening_balance, abs=0.005)
    report = document["load_report"]
    assert (report["rows_read"], report["rows_used"], report["rejected"]) == (50, 50, [])
    text = carstress("portfolio", "describe", name)
    assert "50 loans as of 2024-12-31, USD" in text.out
    for words in ("averages, weighted by balance", "region", "days past due", "score"):
        assert words in text.out

    kept = files_below(here)
    again = carstress("portfolio", "synth", "--seed", 4, "--as-of", "2024-12-31", "--out", name)
    assert (again.code, again.out) == (3, "")
    assert f"{name}: an existing file; expected a new name" in again.err
    assert files_below(here) == kept


def test_a_book_is_a_function_of_its_seed(here: Path) -> None:
    def drawn(name: str, seed: int, *more: str) -> bytes:
        words = ("--loans", "20", "--as-of", "2024-06-30", "--out", name, *more)
        assert carstress("portfolio", "synth", "--seed", str(seed), *words, "-q") == Answer(0, "", "")
        return (here / name).read_bytes()

    one = drawn("one.csv", 1)
    assert drawn("same.csv", 1) == one
    assert drawn("same.csv", 2, "--force") != one
    assert b",USD\n" in one
    assert b",CNY\n" in drawn("other.csv", 1, "--parameters", "cn_auto_finance")


def test_a_lenders_file_is_imported_by_a_mapping(here: Path) -> None:
    table = tape_samples.rows(4)
    for row in table:
        row["rate"] = f"{100 * float(row['rate']):.2f}"
    table[2]["rate"] = "9.9%"
    header = ["contract" if name == "loan_id" else name for name in tape_samples.HEADER]
    renamed = [{"contract": row["loan_id"], **row} for row in table]
    tape_samples.write(here, tape_samples.as_text(renamed, header))
    mapping = "fields: {loan_id: {column: contract}, rate: {column: rate, unit: percent}}\n"
    (here / "map.yaml").write_text(f"kind: tape_mapping\nname: ours\nextends: canonical\n{mapping}", "utf-8")

    words = ("portfolio", "import", "tape.csv", "--mapping", "map.yaml", "--out", "book.parquet")
    strict = carstress(*words, "--strict")
    assert (strict.code, strict.out) == (3, "")
    assert "tape.csv: 1 of 4 rows rejected; expected none rejected (strict)." in strict.err
    assert "tape.csv:4: rate: rate = '9.9%'" in strict.err
    assert not (here / "book.parquet").exists()

    answer = carstress(*words, "--json")
    assert (answer.code, answer.err) == (0, "")
    report = answer.document["load_report"]
    assert (report["rows_read"], report["rows_used"], report["rows_rejected"]) == (4, 3, 1)
    (row,) = report["rejected"]
    assert (row["line"], row["column"], row["loan_id"]) == (4, "rate", "00125")
    tape = read_tape("book.parquet", strict=True)
    assert tape["loan_id"].tolist() == ["00123", "00124", "00126"]
    assert tape["rate"].tolist() == pytest.approx([0.0999] * 3)


# --- scenarios and parameters ----------------------------------------------------------------------


def test_scenarios_are_listed() -> None:
    names = library_names("macro")
    text = carstress("scenario", "list")
    assert (text.code, text.err) == (0, "")
    assert [line.split()[0] for line in text.out.splitlines()] == ["name", *names]
    rows = carstress("scenario", "list", "--json").document
    assert [row["name"] for row in rows] == list(names)
    assert all(row["months"] > 0 and row["title"] for row in rows)
    assert carstress("scenario", "list", "-q") == Answer(0, "", "")


@pytest.mark.parametrize("name", library_names("macro"))
def test_a_scenario_is_shown_as_written_and_resolved(here: Path, name: str) -> None:
    shown = carstress("scenario", "show", name)
    assert (shown.code, shown.err) == (0, "")
    assert f"\nname: {name}\n" in shown.out
    document = carstress("scenario", "show", name, "--json").document
    assert document == find_scenario(name).model_dump(mode="json")
    resolved = carstress("scenario", "show", name, "--resolved")
    assert resolved.code == 0
    assert "extends:" not in resolved.out
    assert f"# library/macro/{name}.yaml:" in resolved.out
    # What is shown is a scenario of its own, and the same one.
    (here / "resolved.yaml").write_text(resolved.out, "utf-8")
    assert carstress("validate", "resolved.yaml").code == 0
    assert carstress("scenario", "show", "resolved.yaml").out == resolved.out
    again = find_scenario("resolved.yaml")
    assert again.macro == find_scenario(name).macro
    assert again.used_car_index == find_scenario(name).used_car_index


def test_parameter_sets_are_listed_and_shown() -> None:
    names = parameter_set_names()
    assert len(names) == 8
    assert [row["name"] for row in carstress("parameters", "list", "--json").document] == list(names)
    assert [line.split()[0] for line in carstress("parameters", "list").out.splitlines()] == ["name", *names]
    for name in names:
        shown = carstress("parameters", "show", name)
        assert shown.code == 0
        assert "source:" in shown.out
        assert "confidence:" in shown.out
        assert carstress("parameters", "show", name, "--json").document["name"] == name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("scenario", "show", "basline"), "Did you mean `baseline`?"),
        (("scenario", "show", "gone.yaml"), "the file gone.yaml does not exist; expected the path of a scenario"),
        (("parameters", "show", "us_near_prim"), "Did you mean `us_near_prime`?"),
        (("regime", "show", "ifrs_9"), "Did you mean `ifrs9`?"),
        (("regime", "apply", "gone", "ifrs9"), "run: no finished run `gone`; expected a run's folder"),
        (("trace", "gone", "0001", "--path", "1"), "run: no finished run `gone`; expected a run's folder"),
    ],
)
def test_what_is_not_there_is_exit_code_3_with_the_nearest_name(words: tuple[str, ...], said: str) -> None:
    answer = carstress(*words)
    assert (answer.code, answer.out) == (3, "")
    assert said in answer.err


# --- validate, schema, init, bench -----------------------------------------------------------------


def test_validate_follows_a_study_to_all_that_it_names(here: Path) -> None:
    assert carstress("init", "book").code == 0
    assert carstress("validate", "book/study.yaml", "book/my_recession.yaml") == Answer(
        0, "book/study.yaml: fine\nbook/my_recession.yaml: fine\n", ""
    )
    assert carstress("validate", "book/study.yaml", "--json").document["faults"] == []
    scenario = here / "book" / "my_recession.yaml"
    scenario.write_text(scenario.read_text("utf-8").replace("[0.5, 1.2", "[50.5, 1.2"), "utf-8")
    study_file(here / "book", SMALL_STUDY.replace("seed: 7", "sead: 7"), "other.yaml")
    answer = carstress("validate", "book/study.yaml", "book/other.yaml", "--json")
    assert answer.code == 3
    faults = answer.document["faults"]
    assert len(faults) == 3
    assert faults[0].startswith("book/my_recession.yaml:17:13: macro.unemployment_percent[0] = 54.8")
    assert any("unknown key sead" in fault and "Did you mean `seed`?" in fault for fault in faults)
    assert answer.err.splitlines() == faults


def test_validate_follows_a_mapping_to_its_base(here: Path) -> None:
    (here / "map.yaml").write_text("kind: tape_mapping\nname: ours\nextends: gone.yaml\n", "utf-8")
    answer = carstress("validate", "map.yaml")
    assert answer.code == 3
    assert "map.yaml:3:10: the file gone.yaml does not exist; expected the path of a tape mapping" in answer.err
    (here / "map.yaml").write_text("kind: tape_mapping\nname: ours\nfields: {loan_id: {column: id}}\n", "utf-8")
    assert "map.yaml:3:9: no source for as_of_date, " in carstress("validate", "map.yaml").err
    (here / "map.yaml").write_text("kind: tape_mapping\nname: ours\nextends: reg_ab\n", "utf-8")
    assert carstress("validate", "map.yaml").code == 0


def test_validate_reads_parameter_sets(here: Path) -> None:
    text = carstress("parameters", "show", "us_prime").out
    (here / "set.yaml").write_text(text, "utf-8")
    assert carstress("validate", "set.yaml").code == 0
    (here / "set.yaml").write_text(text.replace("kind: parameter_set", "kind: parameter_sets"), "utf-8")
    answer = carstress("validate", "set.yaml")
    assert answer.code == 3
    assert "Did you mean `parameter_set`?" in answer.err


def test_schema_knows_all_kinds_of_file() -> None:
    answer = carstress("schema")
    assert (answer.code, answer.err) == (0, "")
    kinds = {"macro_scenario", "study", "regime", "parameter_set", "tape_mapping", "tape_market", "tape_profile"}
    kinds |= {"collection_strategy", "contact_rules"}
    document = answer.document
    assert set(document["properties"]["kind"]["enum"]) == kinds
    used = {reference.split("/")[-1] for reference in _references(document)}
    assert used <= set(document["$defs"])
    assert document["$defs"]["Study"]["properties"]["paths"]["description"].startswith("Futures that are drawn")


def _references(document: object) -> list[str]:
    if isinstance(document, dict):
        own = [document["$ref"]] if isinstance(document.get("$ref"), str) else []
        return own + [name for value in document.values() for name in _references(value)]
    return [name for value in document for name in _references(value)] if isinstance(document, list) else []


def test_init_writes_a_study_that_validates_and_never_overwrites(here: Path) -> None:
    answer = carstress("init", "deep/book", "--json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.document["files"] == ["deep/book/my_recession.yaml", "deep/book/study.yaml"]
    (here / "deep" / "book" / "my_recession.yaml").write_text("mine", "utf-8")
    kept = files_below(here)
    again = carstress("init", "deep/book")
    assert again.code == 3
    assert again.err.count("the file exists already; expected a free name") == 2
    assert files_below(here) == kept
    assert carstress("init", "deep/book/study.yaml").code == 2
    assert carstress("init", "next").out.endswith("Next: carstress run next/study.yaml\n")


def test_bench_counts_what_it_times() -> None:
    words = ("bench", "--loans", "300", "--months", "6", "--paths", "4", "--threads", "2")
    answer = carstress(*words, "--json")
    assert (answer.code, answer.err) == (0, "")
    near_prime, found = answer.document["jobs"]
    assert set(found) == set(near_prime) == BENCH_KEYS
    assert (near_prime["parameters"], found["parameters"]) == ("us_near_prime", "us_prime")
    assert near_prime["delinquent_share"] > found["delinquent_share"]
    assert (found["loans"], found["months"], found["paths"], found["threads"]) == (300, 6, 4, 2)
    assert 0 < found["delinquent_share"] < found["live_share"] < 1
    assert found["loan_months_per_second"] == pytest.approx(
        found["live_share"] * found["nominal_loan_months_per_second"]
    )
    assert found["month_major_per_second"] > 0
    text = carstress(*words)
    assert len(text.out.splitlines()) == 6
    assert "us_prime: " in text.out
    assert "million live loan-months a second on 2 threads" in text.out
    assert "300 loans x 4 paths x 6 months" in text.out


def test_json_is_one_document_whatever_was_asked_before() -> None:
    # The options of one command do not reach the next one in the same process.
    assert carstress("scenario", "list", "-q").out == ""
    assert json.loads(carstress("parameters", "list", "--json").out)
    assert carstress("parameters", "list").out.startswith("name ")
