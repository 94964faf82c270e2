"""`carstress run`: words, files, options, exit codes; the same inputs give the same bytes."""

from __future__ import annotations

import contextlib
import csv
import datetime
import errno
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import outputs.publish
import simulator.engine
import tape_samples
from cli import carstress as command
from command_line import SMALL_STUDY, Answer, carstress, files_below, study_file
from outputs.capital import capital_view, irb_other_retail
from outputs.console import exit_code_of
from outputs.manifest import read_manifest, verify_run
from outputs.store import read_inputs, read_results
from scenarios.vocabulary import BOOK_VARIABLES

LEVELS = {(None, "expected_loss"), (None, "standard_deviation")} | {
    (level, measure) for level in (0.95, 0.99, 0.999) for measure in ("value_at_risk", "expected_shortfall")
}
ONE_SCENARIO = SMALL_STUDY.replace(", severely_adverse", "").replace("paths: 100", "paths: 20")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a study and its run `first`."""
    folder = tmp_path_factory.mktemp("home")
    study_file(folder)
    return folder


@pytest.fixture(scope="module")
def first(home: Path) -> Answer:
    """Answer of `carstress run study.yaml --json --out first`, on two threads."""
    with contextlib.chdir(home):
        return carstress("run", "study.yaml", "--json", "--out", "first", "--threads", 2)


@pytest.fixture(scope="module")
def original(home: Path, first: Answer) -> xr.Dataset:
    """Results of the run `first`."""
    assert first.code == 0
    return read_results(home / "first")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take most of a small run's time; tests that look at other things leave them out."""
    monkeypatch.setattr(outputs.publish, "draw_pictures", lambda *_, **__: ())


def nothing_left(folder: Path) -> bool:
    """Whether a folder holds the study alone, without finished, unfinished or replaced runs."""
    return [path.name for path in folder.iterdir()] == ["study.yaml"]


def test_json_names_folder_files_and_the_summary_by_scenario_and_measure(home: Path, first: Answer) -> None:
    assert (first.code, first.err) == (0, "")
    document = first.document
    assert document["folder"] == str(home / "first")
    named = {Path(path).relative_to(home / "first").as_posix() for path in document["files"]}
    assert named == set(files_below(home / "first"))
    assert {"results.nc", "report.html", "manifest.json", "figures/loss_distribution.svg"} <= named
    found = {(row["scenario"], row["level"], row["measure"]) for row in document["summary"]}
    assert found == {(name, *label) for name in ("baseline", "severely_adverse") for label in LEVELS}
    for row in document["summary"]:
        assert math.isfinite(row["value"])
        assert row["standard_error"] is None or row["standard_error"] >= 0
        assert row["unreliable"] == (row["level"] is not None and row["level"] > 0.9)  # 100 paths: 5 beyond 95 %
    assert (document["limits"], document["weighted"], document["warnings"]) == ([], [], [])
    (top,) = document["top_of_range"]  # 100 paths: no shortfall is reliable
    assert (top["scenario"], top["paths"], top["measure"], top["level"]) == (
        "severely_adverse",
        100,
        "expected_loss",
        None,
    )
    assert top["added_percent"] == pytest.approx(top["percent_of_opening"] - top["central_percent"])
    assert top["added_percent"] > 0.0
    assert document["tape"] == read_manifest(home / "first")["tape"]
    assert (document["tape"]["rows_used"], document["tape"]["rejected_by_reason"]) == (200, [])


def test_pictures_have_their_data_beside_them(home: Path, first: Answer) -> None:
    names = {Path(path).name for path in first.document["files"] if "/figures/" in path}
    stems = {name.partition(".")[0] for name in names}
    assert len(stems) >= 10
    assert {"loss_distribution", "exceedance_curve", "cumulative_net_loss", "delinquency"} <= stems
    assert names == {f"{stem}.{suffix}" for stem in stems for suffix in ("svg", "png", "csv")}


def test_manifest_holds_what_identifies_the_run(home: Path, original: xr.Dataset) -> None:
    manifest = read_manifest(home / "first")
    assert verify_run(home / "first") == ()
    assert (manifest["seed"], manifest["rng_scheme"]) == (7, original.attrs["rng_scheme"])
    assert list(manifest["input_files"]) == ["study.yaml"]
    assert set(manifest["inputs"]) == {"tape", "study", "scenarios", "parameters", "strategies", "observed"}
    assert len({*manifest["inputs"].values()}) == 6
    report = (home / "first" / "report.html").read_text("utf-8")
    assert all(digest in report for digest in manifest["inputs"].values())


def test_manifest_says_when_and_how_the_run_was_made(home: Path, original: xr.Dataset) -> None:
    assert original.sizes["path"] == 100
    record = read_manifest(home / "first")["run_record"]
    assert record["command"][:2] == ["carstress", "run"]
    assert record["threads"] == 2
    started, simulated, written = (
        datetime.datetime.fromisoformat(record[name]) for name in ("started", "simulated", "written")
    )
    assert started.tzinfo is not None
    assert started < simulated <= written
    assert record["duration_seconds"] == pytest.approx((written - started).total_seconds(), abs=0.1)
    assert record["simulation_seconds"] == pytest.approx((simulated - started).total_seconds(), abs=0.1)


def test_same_inputs_give_the_same_bytes_on_any_number_of_threads(home: Path, first: Answer) -> None:
    assert first.code == 0
    with contextlib.chdir(home):
        assert carstress("run", "study.yaml", "-q", "--out", "again", "--threads", 1).code == 0
    one, other = files_below(home / "first"), files_below(home / "again")
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == ["manifest.json"]
    manifests = [json.loads(files["manifest.json"]) for files in (one, other)]
    for manifest in manifests:
        del manifest["run_record"], manifest["content_sha256"]
    assert manifests[0] == manifests[1]


def test_a_run_can_be_repeated_from_its_file_alone(home: Path, original: xr.Dataset, here: Path) -> None:
    shutil.copy(home / "first" / "results.nc", here / "kept.nc")
    answer = carstress("run", "kept.nc", "-q", "--out", "other")
    assert (answer.code, answer.out, answer.err) == (0, "", "")
    repeated = read_results(here / "other")
    assert original.identical(repeated)
    assert original.attrs == repeated.attrs
    for name in original.variables:
        one, other = original[name].to_numpy(), repeated[name].to_numpy()
        assert one.dtype == other.dtype
        assert one.tolist() == other.tolist() if one.dtype.kind in "OUT" else one.tobytes() == other.tobytes(), name
    manifest = read_manifest(here / "other")
    assert manifest["run_id"] == read_manifest(home / "first")["run_id"]
    assert list(manifest["input_files"]) == ["kept.nc"]


@pytest.mark.usefixtures("no_pictures")
def test_a_folder_is_repeated_with_other_paths_and_seed(home: Path, original: xr.Dataset, here: Path) -> None:
    answer = carstress("run", home / "first", "--paths", 20, "--seed", 8, "--out", "other", "--json")
    assert answer.code == 0
    results = read_results(here / "other")
    assert (results.sizes["path"], results.attrs["seed"]) == (20, "8")
    study = json.loads(str(read_inputs(here / "other")["study"]))
    assert (study["paths"], study["seed"]) == (20, 8)
    loss, other = results["ultimate_loss"].to_numpy(), original["ultimate_loss"].isel(path=slice(20)).to_numpy()
    assert loss.shape == other.shape
    assert not np.array_equal(loss, other)


def test_words_for_a_person_go_where_they_belong(here: Path) -> None:
    study_file(here, ONE_SCENARIO)
    answer = carstress("run", "study.yaml")
    assert answer.code == 0
    assert "200 read = 200 used + 0 rejected" in answer.err
    assert "200 loans x 20 paths x 6 months under baseline" in answer.err
    assert "\x1b" not in answer.err, "progress is drawn on terminals only"
    for words in ("EL", "SD", "VaR 99.9 %", "ES 95 %", "+/- s.e.", "% of opening", "Results: runs/small/", "USD"):
        assert words in answer.out
    assert "* unreliable: fewer than 10 paths lie beyond it" in answer.out

    kept = files_below(here)
    refused = carstress("run", "study.yaml", "--seed", 1)
    assert (refused.code, refused.out) == (3, "")
    assert refused.err == (
        "runs/small: the folder exists already; expected a name that is free. "
        "Choose another name with --out, or replace it with --force.\n"
    )
    assert files_below(here) == kept


@pytest.mark.usefixtures("no_pictures")
def test_force_replaces_an_earlier_run(here: Path) -> None:
    study_file(here, ONE_SCENARIO)
    for seed in (1, 2):
        assert carstress("run", "study.yaml", "--seed", seed, "-q", "--force") == Answer(0, "", "")
        assert read_manifest(here / "runs" / "small")["seed"] == seed
        assert [path.name for path in (here / "runs").iterdir()] == ["small"]


def test_force_never_replaces_what_is_no_run(here: Path) -> None:
    study_file(here)
    (here / "photos").mkdir()
    (here / "photos" / "cat.png").write_bytes(b"cat")
    answer = carstress("run", "study.yaml", "--out", "photos", "--force")
    assert answer.code == 3
    assert "photos: the folder exists, is not empty and holds no run" in answer.err
    assert files_below(here / "photos") == {"cat.png": b"cat"}


@pytest.mark.usefixtures("no_pictures")
def test_a_run_of_a_year_has_capital_and_is_classified(here: Path) -> None:
    study_file(here, ONE_SCENARIO.replace("months: 6", "months: 12"))
    assert carstress("run", "study.yaml", "-q") == Answer(0, "", "")
    results = read_results(here / "runs" / "small")

    view = capital_view(results)
    assert view is not None
    rows = {(row["approach"], row["part"]): row for row in view.rows}
    tier = rows["irb_other_retail", "us_near_prime"]
    formula = irb_other_retail(tier["pd_12m_percent"] / 100.0, tier["lgd_percent"] / 100.0)
    assert tier["capital"] == pytest.approx(float(formula.capital) * tier["exposure"], rel=1e-12)
    assert 1.0 < tier["pd_12m_percent"] < 20.0
    assert 20.0 < tier["lgd_percent"] < 90.0
    assert 0.0 < view.simulated.value < view.standardised < results.attrs["opening_balance"]
    with (here / "runs" / "small" / "tables" / "capital.csv").open(encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == len(view.rows)

    answer = carstress("regime", "apply", "small", "ifrs9", "--json")
    assert (answer.code, answer.err) == (0, "")
    stock = [row for row in answer.document["stock"] if (row["month"], row["class"]) == (12, "stage 3")]
    in_default = float(results["defaulted_balance"].isel(month=-1).mean())
    assert [row["stock_least"] for row in stock] == pytest.approx([in_default], rel=1e-12)
    assert [row["stock_most"] for row in stock] == pytest.approx([in_default], rel=1e-12)
    moves = [row["percent_a_month"] for row in answer.document["migration"] if row["from_class"] == "stage 1"]
    assert sum(moves) == pytest.approx(100.0, rel=1e-12)
    text = carstress("regime", "apply", "runs/small", "cn_m_buckets")
    assert (text.code, text.err) == (0, "")
    assert "M1     1 to 30         not observed" in text.out


@pytest.mark.usefixtures("no_pictures")
def test_a_limit_that_fails_is_exit_code_1_with_results_written(here: Path) -> None:
    limits = """\
limits:
  - {measure: expected_loss, scenario: baseline, at_most_percent: 100}
  - {measure: value_at_risk, level: 0.9, scenario: baseline, at_most_percent: 0}
"""
    study_file(here, ONE_SCENARIO + limits)
    answer = carstress("run", "study.yaml", "--out", "r")
    assert answer.code == 1
    assert "limit holds: baseline: EL = " in answer.out
    assert "limit FAILS: baseline: VaR 90 % = " in answer.out
    assert verify_run(here / "r") == ()
    with (here / "r" / "tables" / "limits.csv").open(encoding="utf-8") as stream:
        assert len(list(csv.reader(stream))) == 3


@pytest.mark.usefixtures("no_pictures")
def test_rejected_rows_are_shown_by_line_and_column_and_reconciled(here: Path) -> None:
    table = tape_samples.rows(6)
    table[1]["rate"] = "NaN"
    table[2]["current_balance"] = "-5"
    table[3]["loan_id"] = table[4]["loan_id"]
    lines = tape_samples.as_text(table).splitlines()
    columns = lines[0].count(",") + 1
    lines[6] += ",one,more"
    tape_samples.write(here, "\n".join(lines) + "\n")
    portfolio = "  file: tape.csv\n  rejected_at_most_percent: 100\n"
    drawn = "  synthetic: {parameters: us_near_prime, loans: 200, seed: 1, as_of: 2024-12-31}\n"
    study_file(here, ONE_SCENARIO.replace(drawn, portfolio))
    answer = carstress("run", "study.yaml", "--out", "r")
    assert answer.code == 0
    assert "6 read = 1 used + 5 rejected" in answer.err
    summed = read_manifest(here / "r")["tape"]
    assert (summed["rows_read"], summed["rows_used"], summed["rows_rejected"]) == (6, 1, 5)
    assert summed["balance_read_cents"] == summed["balance_used_cents"] + summed["balance_rejected_cents"]
    reasons = {reason["column"]: (reason["rows"], reason["lines"]) for reason in summed["rejected_by_reason"]}
    assert reasons == {
        "loan_id": (2, "lines 5, 6"),
        "rate": (1, "line 3"),
        "current_balance": (1, "line 4"),
        "": (1, "line 7"),
    }
    report = (here / "r" / "report.html").read_text("utf-8")
    rejected = (here / "r" / "tables" / "rejected_rows.csv").read_text("utf-8")
    for line, column, found in (
        (3, "rate", "rate = 'NaN'; expected a number"),
        (4, "current_balance", "current_balance = '-5'; expected an amount"),
        (5, "loan_id", "loan_id = '00127' on lines 5, 6; expected an id that occurs once"),
        (7, "", f"a row of {columns + 2} cells; expected {columns} cells"),
    ):
        assert found in answer.err
        assert f"line{'s 5, 6' if line == 5 else f' {line}'}: {column or 'row'}: " in answer.err
        assert found.replace("'", "&#39;") in report
        assert any(row.startswith(f"{line},") and f",{column}," in row for row in rejected.splitlines())


def spoil_writing(monkeypatch: pytest.MonkeyPatch, here: Path, error: BaseException) -> None:
    """Make a run fail where results.nc is written and the report is not."""

    def fail(path: Path, _: object) -> None:
        assert (path.parent / "results.nc").is_file()
        assert path.is_relative_to(here)
        raise error

    monkeypatch.setattr(outputs.publish, "write_report", fail)


@pytest.mark.usefixtures("no_pictures")
def test_a_failure_while_writing_leaves_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study_file(here, ONE_SCENARIO)
    spoil_writing(monkeypatch, here, OSError(errno.ENOSPC, "No space left on device"))
    answer = carstress("run", "study.yaml", "--out", "r")
    assert (answer.code, answer.out) == (4, "")
    assert answer.err.endswith("failed: OSError: [Errno 28] No space left on device (-v prints the traceback)\n")
    assert "Traceback" not in answer.err
    assert nothing_left(here)
    assert "Traceback (most recent call last)" in carstress("run", "study.yaml", "--out", "r", "-v").err
    assert nothing_left(here)


@pytest.mark.usefixtures("no_pictures")
def test_an_interrupt_while_writing_leaves_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study_file(here, ONE_SCENARIO)
    spoil_writing(monkeypatch, here, KeyboardInterrupt())
    # Not by `main`, which would end this very process.
    assert exit_code_of(command, ["run", "study.yaml", "--out", "r", "-q"]) == 130
    assert nothing_left(here)


def test_a_broken_identity_is_exit_code_5_and_nothing_is_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = simulator.engine.simulate_paths
    row = [variable.name for variable in BOOK_VARIABLES].index("principal_paid")

    def unsound(portion: tuple[int, int, int], *arguments: Any) -> None:
        sound(portion, *arguments)
        if portion[1] <= 3 < portion[2]:  # a trial of fewer paths is sound
            arguments[-1].book[3, row, 2] += 100.0

    monkeypatch.setattr(simulator.engine, "simulate_paths", unsound)
    study_file(here, ONE_SCENARIO)
    answer = carstress("run", "study.yaml", "--out", "r")
    assert (answer.code, answer.out) == (5, "")
    assert "integrity check failed: conservation of principal fails on path 3, month 2: residual -100" in answer.err
    assert nothing_left(here)
