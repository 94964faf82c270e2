"""A study: what it reads, what it refuses, what of it a results file keeps."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import tape_samples
from calibration.library import PARAMETER_SETS, find_parameter_set
from command_line import SMALL_STUDY
from scenarios.errors import InputError
from scenarios.library import find_study
from scenarios.schema import Synthetic
from simulator.engine import RunSize, months_needed
from simulator.study import StudyInputs, draw_tape, inputs_from_store, inputs_to_store, load_inputs, run_study
from yaml_samples import heir

TAPED = SMALL_STUDY.replace(
    "  synthetic: {parameters: us_near_prime, loans: 200, seed: 1, as_of: 2024-12-31}\n",
    "  file: tape.csv\n  mapping: map.yaml\n",
)
MAPPING = "kind: tape_mapping\nname: ours\nextends: canonical\n"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def inputs_of(folder: Path, text: str = SMALL_STUDY) -> StudyInputs:
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    return load_inputs(find_study(folder / "study.yaml"), find_parameter_set)


def faults_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        inputs_of(folder, text)
    return [str(fault).removeprefix(f"{folder}/") for fault in caught.value.faults]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> StudyInputs:
    return inputs_of(tmp_path_factory.mktemp("study"))


def test_a_study_reads_all_that_it_names(inputs: StudyInputs) -> None:
    assert (len(inputs.tape), inputs.tape.as_of) == (200, datetime.date(2024, 12, 31))
    assert [item.name for item in inputs.sets] == ["us_near_prime"]
    assert [item.name for item in inputs.scenarios] == ["baseline", "severely_adverse"]
    assert list(inputs.files) == ["study.yaml"]
    months = months_needed(inputs.parameters(), 6)
    for macro in inputs.macro_paths():
        assert macro.macro.sizes["month"] == months + 1
        assert not macro.shifted


def test_files_are_known_by_the_words_of_the_study_wherever_it_lies(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"
    home.mkdir(parents=True)
    tape_samples.write(home, tape_samples.as_text(tape_samples.rows()))
    (home / "map.yaml").write_text(MAPPING, "utf-8")
    (tmp_path / "own.yaml").write_text(heir("own", "baseline"), "utf-8")
    found = inputs_of(home, TAPED.replace("severely_adverse", "../../own.yaml"))
    assert set(found.files) == {"study.yaml", "tape.csv", "map.yaml", "../../own.yaml"}
    assert found.files == {name: digest(home / name) for name in found.files}


def test_files_are_hashed_as_they_are_read(tmp_path: Path) -> None:
    found = inputs_of(tmp_path)
    read = digest(tmp_path / "study.yaml")
    (tmp_path / "study.yaml").write_text("changed while the simulation runs", "utf-8")
    assert found.with_run(paths=3).files == {"study.yaml": read}


def test_what_a_file_extends_is_known_too(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "deep").mkdir(parents=True)
    tape_samples.write(home, tape_samples.as_text(tape_samples.rows()))
    texts = {
        "map.yaml": MAPPING.replace("canonical", "deep/base_map.yaml"),
        "deep/base_map.yaml": MAPPING,
        "own.yaml": heir("own", "deep/middle.yaml"),
        "deep/middle.yaml": heir("middle", "../bottom.yaml"),
        "bottom.yaml": heir("bottom", "baseline"),
        "set.yaml": PARAMETER_SETS.text("us_near_prime"),
    }
    for name, text in texts.items():
        (home / name).write_text(text, "utf-8")
    study = TAPED.replace("severely_adverse", "own.yaml").replace("parameters: us_near_prime", "parameters: set.yaml")
    found = inputs_of(home, study).files
    assert set(found) == {"study.yaml", "tape.csv", *texts}
    assert found == {name: digest(home / name) for name in found}
    drawn = SMALL_STUDY.replace("{parameters: us_near_prime", "{parameters: set.yaml")
    assert set(inputs_of(home, drawn).files) == {"study.yaml", "set.yaml"}


def test_a_tape_of_which_too_much_is_rejected_is_refused(tmp_path: Path) -> None:
    table = tape_samples.rows(10)
    table[4]["rate"] = "NaN"
    tape_samples.write(tmp_path, tape_samples.as_text(table))
    taped = TAPED.replace("  mapping: map.yaml\n", "")
    first, second = faults_of(tmp_path, taped)
    assert first.startswith(
        "study.yaml:4:9: 1 of 10 open loans (10.00 %) and 10.32 % of the balance of tape.csv rejected"
    )
    assert "`rejected_at_most_percent:`" in first
    assert second.startswith("tape.csv:6: rate: rate = 'NaN'; expected a number.")
    bounded = taped.replace("file: tape.csv", "file: tape.csv\n  rejected_at_most_percent: {}")
    assert len(inputs_of(tmp_path, bounded.format(12)).tape) == 9
    (first, _) = faults_of(tmp_path, bounded.format(0))
    assert first.startswith("study.yaml:5:29: ")
    assert "expected at most 0 % of either" in first


def test_faults_of_a_tape_come_with_those_of_scenarios(tmp_path: Path) -> None:
    tape_samples.write(tmp_path, "")
    found = faults_of(tmp_path, TAPED.replace("  mapping: map.yaml\n", "").replace("baseline,", "basline,"))
    assert [fault.partition(": ")[0] for fault in found] == ["tape.csv", "study.yaml:6:13"]


def test_a_wish_for_a_book_is_answered_where_it_stands(tmp_path: Path) -> None:
    found = faults_of(tmp_path, SMALL_STUDY.replace("2024-12-31", "0001-12-31").replace("loans: 200", "loans: 20"))
    assert found[0] == "study.yaml:4:69: as_of = 0001-12-31; expected a year from 1996 to 2100."


def test_a_set_without_a_profile_cannot_be_drawn(tmp_path: Path) -> None:
    text = PARAMETER_SETS.text("us_near_prime").replace("name: us_near_prime", "name: mine", 1)
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    (found,) = faults_of(tmp_path, SMALL_STUDY.replace("us_near_prime", "mine.yaml"))
    assert found.startswith("study.yaml:4:27: no tape profile describes a book of parameter set mine; expected one of ")
    assert "Name a shipped set under `portfolio.synthetic.parameters`" in found
    said = SMALL_STUDY.replace("\nparameters: us_near_prime", "\nparameters: mine.yaml")
    assert inputs_of(tmp_path, said).sets[0].name == "mine"


def test_a_book_to_draw_for_several_tiers_names_the_set_that_describes_it(tmp_path: Path) -> None:
    tiers = SMALL_STUDY.replace("\nparameters: us_near_prime", "\nparameters: [us_near_prime, us_subprime]")
    (found,) = faults_of(tmp_path, tiers.replace("parameters: us_near_prime, ", ""))
    assert "a book to draw for 2 parameter sets, none of which is named to describe it" in found
    assert "Write `parameters: us_near_prime` below `synthetic`" in found
    assert len(inputs_of(tmp_path, tiers).sets) == 2


def test_a_shipped_mapping_is_named_without_a_path(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    tape_samples.write(home, tape_samples.as_text(tape_samples.rows()))
    assert len(inputs_of(home, TAPED.replace("map.yaml", "canonical")).tape) == 4


def test_several_sets_are_tiers_by_score(tmp_path: Path) -> None:
    tiers = "[us_prime, us_near_prime, us_subprime]"
    found = inputs_of(tmp_path, SMALL_STUDY.replace("parameters: us_near_prime\n", f"parameters: {tiers}\n"))
    assert [item.name for item in found.sets] == ["us_prime", "us_near_prime", "us_subprime"]
    assert found.parameters().names == ("us_prime", "us_near_prime", "us_subprime")


def test_a_book_is_described_by_the_first_set_unless_the_study_says_otherwise(tmp_path: Path) -> None:
    unsaid = SMALL_STUDY.replace("parameters: us_near_prime, ", "").replace("us_near_prime", "us_subprime")
    said = SMALL_STUDY.replace("\nparameters: us_near_prime", "\nparameters: us_subprime")
    assert "us_subprime" in inputs_of(tmp_path, unsaid).tape.report.layout
    assert "us_near_prime" in inputs_of(tmp_path, said).tape.report.layout


def test_faults_of_sets_scenarios_and_files_come_together(tmp_path: Path) -> None:
    spoilt = TAPED.replace("parameters: us_near_prime", "parameters: [us_prim, us_subprime]")
    found = faults_of(tmp_path, spoilt.replace("baseline,", "basline,"))
    assert [fault.partition(": ")[0] for fault in found] == [
        f"study.yaml:{place}" for place in ("4:9", "5:12", "6:14", "7:13")
    ]
    assert "tape.csv does not exist" in found[0]
    assert "map.yaml does not exist" in found[1]
    assert "unknown parameter set `us_prim`" in found[2]
    assert "Did you mean `us_prime`?" in found[2]
    assert "Did you mean `baseline`?" in found[3]


def test_every_scenario_that_does_not_fit_is_named(tmp_path: Path) -> None:
    found = faults_of(tmp_path, SMALL_STUDY.replace("2024-12-31", "2023-05-31"))
    assert ["baseline" in found[0], "severely_adverse" in found[1], len(found)] == [True, True, 2]
    assert all("starts in 2025-01 but the tape is dated 2023-05" in fault for fault in found)
    shifted = inputs_of(tmp_path, SMALL_STUDY.replace("2024-12-31", "2023-05-31") + "shift_calendar: true\n")
    assert all(macro.shifted for macro in shifted.macro_paths())


def test_a_set_of_another_currency_is_refused(tmp_path: Path) -> None:
    mixed = SMALL_STUDY.replace("\nparameters: us_near_prime", "\nparameters: cn_auto_finance")
    (found,) = faults_of(tmp_path, mixed)
    assert found.startswith(
        "study.yaml:5:13: parameter set cn_auto_finance is in CNY but the tape is in USD; expected "
    )


def test_paths_and_seed_may_be_changed_for_a_run(inputs: StudyInputs) -> None:
    changed = inputs.with_run(paths=3, seed=2**64 - 1)
    assert (changed.study.paths, changed.study.seed) == (3, 2**64 - 1)
    assert (inputs.study.paths, inputs.study.seed) == (100, 7)
    assert inputs.with_run() is inputs
    assert changed.tape is inputs.tape
    assert inputs.with_run(seed=0).study.seed == 0


def test_a_drawn_book_stands_in_the_sets_arrears() -> None:
    described = find_parameter_set("us_subprime")
    loans = 4000
    tape = draw_tape(Synthetic(loans=loans, seed=5, as_of=datetime.date(2024, 12, 31)), described)
    assert described.published is not None
    share = described.published.delinquent_share
    assert share is not None
    # By balance and age the share moves within the band that the set itself states.
    late = float(np.mean(tape["days_past_due"] >= 30))
    error = np.sqrt(late * (1 - late) / loans)
    low, high = share.range
    # Four standard errors: a false alarm in fewer than 1 of 10,000 seeds.
    assert low - 4 * error < late < high + 4 * error


def test_what_a_results_file_keeps_is_the_same_study(inputs: StudyInputs, tmp_path: Path) -> None:
    stored = inputs_to_store(inputs)
    (tmp_path / "results.nc").write_bytes(b"a results file")
    again = inputs_from_store(stored, tmp_path / "results.nc")
    # Content is compared: where a text stood in its file is not kept.
    assert again.study.model_dump() == inputs.study.model_dump()
    assert [item.model_dump() for item in again.scenarios] == [item.model_dump() for item in inputs.scenarios]
    assert [item.model_dump() for item in again.sets] == [item.model_dump() for item in inputs.sets]
    assert again.tape.same_loans(inputs.tape)
    assert again.tape.report == inputs.tape.report
    assert again.files == {"results.nc": digest(tmp_path / "results.nc")}
    for one, other in zip(inputs.macro_paths(), again.macro_paths(), strict=True):
        xr.testing.assert_identical(one.macro, other.macro)
        xr.testing.assert_identical(one.used_car_index, other.used_car_index)
        assert one.assumptions == other.assumptions
    twice = inputs_to_store(again)
    assert {name: text for name, text in twice.items() if isinstance(text, str)} == {
        name: text for name, text in stored.items() if isinstance(text, str)
    }


def test_a_study_runs_all_scenarios_on_the_same_draws(inputs: StudyInputs) -> None:
    steps: list[tuple[str, int]] = []
    few = inputs.with_run(paths=8)
    results = run_study(few, size=RunSize(threads=1, path_block=4), progress=lambda *step: steps.append(step))
    assert results["scenario"].values.tolist() == ["baseline", "severely_adverse"]
    names = ("baseline", "severely_adverse", "severely_adverse, top sensitivity")
    assert steps == [(name, done) for name in names for done in (4, 8)]
    assert few.runs() == dict.fromkeys(names, 8)
    assert results["global_factor"].dims == ("path", "month")
    assert results.attrs["title"] == "small"
    alone = run_study(inputs_with(few, "severely_adverse"))
    assert alone.attrs == results.attrs
    without = results.drop_vars("loss_at_top_sensitivity").drop_dims("path_top")
    xr.testing.assert_identical(without.sel(scenario=["severely_adverse"]), alone)


def inputs_with(inputs: StudyInputs, scenario: str) -> StudyInputs:
    """The same inputs under one scenario alone."""
    kept = tuple(item for item in inputs.scenarios if item.name == scenario)
    return StudyInputs(inputs.study, inputs.tape, kept, inputs.sets, inputs.files)
