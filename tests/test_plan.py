"""`carstress plan`: what it says of a run holds when the run is made, and what does not fit is refused."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import outputs.plan
import outputs.publish
import simulator.study
import simulator.trial
from calibration.library import find_parameter_set
from command_line import SMALL_STUDY, carstress, files_below, study_file
from measured_runs import MEMORY_BAND, kernels_on_disk, measured
from outputs import room
from outputs.room import PUBLISHING
from outputs.store import read_results
from scenarios.library import find_study
from simulator import machine
from simulator.engine import RunSize, cut_up
from simulator.plan import memory_need
from simulator.rehearsal import LEAST_BAND, Pace, Rehearsal, Span, _pace, simulation_span
from simulator.scratch import workspace, workspace_shapes
from simulator.shapes import bytes_of, other_shapes, path_shapes
from simulator.study import StudyInputs, load_inputs, run_study
from simulator.totals import dataset_sizes, empty_result, result_shapes
from simulator.trial import ready_kernels, try_out

SIZE = RunSize(threads=2)

PLAIN = SMALL_STUDY.replace("months: 6", "months: 12")
POOLED = SMALL_STUDY.replace("us_near_prime", "us_subprime") + ("strategies: [reference_us]\n")
UNCERTAIN = SMALL_STUDY + "uncertainty: {draws: 5}\n"
LENT = SMALL_STUDY.replace("us_near_prime", "us_subprime") + "strategies: [strict_underwriting, reference_us]\n"
STUDIES = {"plain": PLAIN, "pooled": POOLED, "uncertain": UNCERTAIN, "lent": LENT}

KEYS = {
    "schema", "study", "loans", "paths", "scenarios", "runs", "months", "threads", "parameter_draws", "minutes",
    "minutes_low", "minutes_high", "seconds", "rehearsal", "memory", "output", "fits", "faults",
}  # fmt: skip


def inputs_of(folder: Path, text: str) -> StudyInputs:
    (folder / "study.yaml").write_text(text, "utf-8")
    return load_inputs(find_study(folder / "study.yaml"), find_parameter_set)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and one for temporary files beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return tmp_path


# --- shapes: one table for what is made and for what is forecast -------------------------------------------------


@pytest.mark.parametrize("kind", STUDIES)
def test_the_size_of_the_dataset_is_known_before_the_run(tmp_path: Path, kind: str) -> None:
    inputs = inputs_of(tmp_path, STUDIES[kind])
    kernels, trial = ready_kernels(inputs, SIZE), try_out(inputs, SIZE)
    need = memory_need(inputs, SIZE, trial, PUBLISHING, kernels.now)
    results = run_study(inputs, size=SIZE)
    assert need.dataset == pytest.approx(results.nbytes, rel=0.02)
    by_path = {name for name, variable in results.data_vars.items() if "path" in variable.dims}
    shapes = path_shapes(dataset_sizes(trial.run))
    assert set(shapes) == by_path
    for name, shape in shapes.items():
        assert results[name].dtype == shape.dtype, name
        assert results[name].isel(scenario=0, strategy=0, missing_dims="ignore").size == inputs.study.paths * np.prod(
            shape.sizes
        )
    others = other_shapes(dataset_sizes(trial.run))
    assert set(others) == {str(name) for name in trial.results.data_vars} - by_path
    assert bytes_of(others) == sum(trial.results[name].nbytes for name in others)


@pytest.mark.parametrize("kind", ["plain", "pooled"])
def test_the_kernels_arrays_are_made_from_the_forecasts_shapes(tmp_path: Path, kind: str) -> None:
    inputs = inputs_of(tmp_path, STUDIES[kind])
    run = try_out(inputs, SIZE).run
    threads, _, whole_book = cut_up(run, SIZE)
    assert whole_book == (kind == "pooled")
    shapes = workspace_shapes(run, threads, whole_book=whole_book)
    assert bytes_of(shapes) == _bytes(workspace(run, threads, whole_book=whole_book))
    assert bytes_of(result_shapes(run, 7)) == _bytes(empty_result(run, 7)) - run.traced.nbytes
    half, all_of_it = (
        bytes_of(workspace_shapes(run, threads, whole_book=whole_book, loans=loans)) for loans in (200_000, 400_000)
    )
    assert all_of_it / half == pytest.approx(2.0 if whole_book else 1.0, rel=0.05)


def _bytes(bundle: object) -> int:
    """Bytes of all arrays of a bundle, those of bundles in it included."""
    return sum(_bytes(item) for item in bundle) if isinstance(bundle, tuple) else int(np.asarray(bundle).nbytes)


# --- the command -------------------------------------------------------------------------------------------------


def test_a_plan_names_its_strategies_once(here: Path) -> None:
    study_file(here, f"{PLAIN}strategies: [reference_us, phone_first]\n")
    answer = carstress("plan", "study.yaml", "--paths", 20, "--threads", 2)
    assert answer.code == 0
    rows = [line.split() for line in answer.out.splitlines() if line]
    assert ["strategies", "2", "reference_us,", "phone_first"] in rows
    further = [" ".join(row[3:]) for row in rows if row[:2] == ["further", "paths"]]
    assert further
    assert all(name.endswith(", top sensitivity") for name in further)


def test_a_plan_is_told_and_nothing_is_left(here: Path) -> None:
    study_file(here, PLAIN)
    answer = carstress("plan", "study.yaml", "--paths", 60, "--threads", 2)
    assert answer.code == 0
    for words in ("60   under baseline, severely_adverse", "further paths", "memory at the peak", "results.nc"):
        assert words in answer.out
    assert answer.out.endswith("The run fits.\n")
    assert "Rehearsing some paths" in answer.err
    assert os.environ["CARSTRESS_KERNEL_CACHE"] == "0"
    assert "more in every run, since compiled kernels are not kept" in answer.out
    assert set(files_below(here)) == {"study.yaml"}
    assert not list((here / "temporary").iterdir())


def test_a_plan_as_data_names_all_runs_and_takes_what_run_takes(here: Path) -> None:
    study_file(here, PLAIN)
    words = ("--paths", 40, "--seed", 9, "--threads", 1, "--out", "there", "--memory-limit", "1MiB")
    answer = carstress("plan", "study.yaml", *words, "--json")
    assert (answer.code, answer.err) == (0, "")
    found = answer.document
    assert set(found) == KEYS
    assert (found["loans"], found["paths"], found["months"], found["threads"]) == (200, 40, 12, 1)
    assert found["runs"] == {"baseline": 40, "severely_adverse": 40, "severely_adverse, top sensitivity": 40}
    assert 0.0 < found["minutes_low"] < found["minutes"] < found["minutes_high"]
    parts = found["memory"]
    assert parts["total_bytes"] >= parts["program_bytes"] + parts["dataset_bytes"] + parts["working_bytes"]
    assert (parts["allowed_bytes"], parts["allowed_by"]) == (1 << 20, "the limit that was set")
    assert found["output"]["folder"] == "there"
    assert found["output"]["bytes"] == found["output"]["results_bytes"] + found["output"]["documents_bytes"]
    assert not found["fits"]
    assert "a run that takes" in found["faults"][0]
    assert not (here / "there").exists()


def test_a_plan_of_an_earlier_run_and_of_drawn_parameters(here: Path) -> None:
    study_file(here, UNCERTAIN.replace("paths: 100", "paths: 20"))
    assert carstress("run", "study.yaml", "--out", "earlier", "-q").code == 0
    kept = files_below(here)
    found = carstress("plan", "earlier", "--json").document
    assert (found["study"], found["parameter_draws"]) == ("small", 5)
    assert set(found["runs"]) == {"baseline", "severely_adverse"}
    assert files_below(here) == kept


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--memory-limit", "4"), 2, "'4' is no amount of memory; expected a number with MB, GB, MiB or GiB, as 4GiB"),
        (("--memory-limit", "-4GiB"), 2, "or `none`"),
        (("--paths", "0"), 2, "0 is not in the range 1<=x<="),
        (("--force",), 2, "No such option '--force'"),
        (("gone.yaml",), 3, "gone.yaml does not exist"),
        (("--out", "/dev/null/x"), 3, "/dev/null/x: no folder can be made there"),
    ],
)
def test_wrong_words(here: Path, words: tuple[str, ...], code: int, said: str) -> None:
    answer = carstress("plan", *words)
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err
    assert not files_below(here)


# --- refusals ----------------------------------------------------------------------------------------------------


def fail(*_: object, **__: object) -> None:
    raise AssertionError("nothing is simulated, and no book is drawn")


@pytest.fixture
def no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that would start fails the test."""
    monkeypatch.setattr(simulator.study, "run_study", fail)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that holds what one does which has just begun, however many tests this one has run."""
    for name in ("resident_memory", "peak_memory"):
        monkeypatch.setattr(simulator.trial, name, lambda: 180 << 20)


@pytest.mark.usefixtures("no_run", "fresh")
def test_a_run_that_does_not_fit_is_refused_before_it_starts(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study_file(here)
    answer = carstress("run", "study.yaml", "--paths", 300_000, "--memory-limit", "1GiB", "--out", "r")
    assert (answer.code, answer.out) == (3, "")
    assert "study.yaml:7:8: a run that takes" in answer.err
    assert "expected at most 1.0 GiB, the limit that was set. `--paths " in answer.err
    monkeypatch.setenv("CARSTRESS_MEMORY_LIMIT", "200MiB")
    assert carstress("run", "study.yaml").code == 3
    monkeypatch.setenv("CARSTRESS_MEMORY_LIMIT", "plenty")
    refused = carstress("run", "study.yaml")
    assert refused.code == 2
    assert "'--memory-limit' (env var: 'CARSTRESS_MEMORY_LIMIT'): 'plenty' is no amount of memory" in refused.err
    assert set(files_below(here)) == {"study.yaml"}


@pytest.mark.usefixtures("no_run", "fresh")
def test_what_is_suggested_fits_and_not_much_more_does(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study_file(here)
    allowed = 2 << 30
    words = ("plan", "study.yaml", "--memory-limit", "2GiB", "--json")
    monkeypatch.setattr(outputs.plan, "_published", lambda *_: (1.0, 0, 0))
    monkeypatch.setattr("simulator.rehearsal.run_study", run_study)
    paths = carstress(*words).document["memory"]["most_paths"]
    assert carstress(*words, "--paths", paths).document["fits"]
    beyond = carstress(*words, "--paths", round(1.2 * paths)).document
    assert not beyond["fits"]
    assert beyond["memory"]["total_bytes"] > allowed


def test_a_plan_without_a_limit_does_not_say_that_memory_fits(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study_file(here)
    monkeypatch.setattr(outputs.plan, "_published", lambda *_: (1.0, 0, 0))
    words = ("plan", "study.yaml", "--paths", 20, "--memory-limit", "none")
    answer = carstress(*words)
    assert answer.code == 0
    assert answer.out.endswith("The files fit; memory: not checked: no limit is set or known.\n")
    found = carstress(*words, "--json").document
    assert (found["memory"]["allowed_bytes"], found["memory"]["most_paths"], found["fits"]) == (None, None, True)


@pytest.mark.usefixtures("no_run")
def test_a_book_that_does_not_fit_is_not_drawn(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.study_book.synthetic_tape", fail)
    study_file(here, SMALL_STUDY.replace("loans: 200", "loans: 9000000"))
    for command in ("run", "plan"):
        answer = carstress(command, "study.yaml", "--memory-limit", "4GiB")
        assert answer.code == 3
        assert "study.yaml:4:49: a book of 9,000,000 loans, which takes about 7.5 GiB" in answer.err


@pytest.mark.usefixtures("no_run")
def test_files_without_room_on_the_disk_are_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study_file(here)
    monkeypatch.setattr(room, "free_disk", lambda _: 1 << 20)
    answer = carstress("run", "study.yaml", "--out", "r")
    assert answer.code == 3
    assert "r: about " in answer.err
    assert "expected at most 1.0 MiB, what is free on that disk. Choose a folder on another disk" in answer.err


def test_the_files_of_each_strategy_count(here: Path) -> None:
    """What varies with the run is stored once a strategy, the factors' draws once a study."""
    one, two = (inputs_of(here, text) for text in (POOLED, POOLED.replace("_us]", "_us, phone_first]")))
    trial = try_out(two, SIZE)
    stored = room.stored_a_path(trial.results)
    a_run = sum(
        nbytes for name, nbytes in stored.items() if name in trial.results.data_vars and name != "global_factor"
    )
    more = room.output_size(two, trial).results - room.output_size(one, trial).results
    assert more == pytest.approx(2 * one.study.paths * a_run, abs=2)
    assert room.output_size(two, trial).documents > room.output_size(one, trial).documents


def test_compression_counts_before_a_disk_is_called_full(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for the files as they will be, though not for all that they hold: the run goes on."""
    inputs = inputs_of(here, SMALL_STUDY.replace("paths: 100", "paths: 3000"))
    kernels, trial = ready_kernels(inputs, SIZE), try_out(inputs, SIZE)
    need = memory_need(inputs, SIZE, trial, PUBLISHING, kernels.now)
    precise = room.output_size(inputs, trial).total
    assert 0.5 * room.most_output(inputs, need) < precise < 0.9 * room.most_output(inputs, need)


@pytest.mark.parametrize(("limit", "said"), [("", True), ("none", False)])
def test_where_nobody_knows_what_is_free_the_run_says_so_and_starts(
    here: Path, monkeypatch: pytest.MonkeyPatch, limit: str, said: bool
) -> None:
    monkeypatch.setattr(machine, "free_memory", lambda: None)
    monkeypatch.setattr(outputs.publish, "draw_pictures", lambda *_, **__: ())
    study_file(here, SMALL_STUDY.replace("paths: 100", "paths: 10"))
    words = ("--memory-limit", limit) if limit else ()
    answer = carstress("run", "study.yaml", "--out", "r", *words)
    assert answer.code == 0
    assert ("How much memory is free is not known here; the run takes about " in answer.err) == said


# --- time --------------------------------------------------------------------------------------------------------


def test_blocks_tell_the_pace_and_what_comes_before() -> None:
    """A run that begins at 100 s, arranges its book for 3 s, then takes 10 paths in 2, 1 and 3 s."""
    found = _pace([(10, 105.0), (20, 106.0), (30, 109.0)], 100.0)
    assert found == Pace(before=pytest.approx(3.0), path=pytest.approx(0.2), fastest=0.1, slowest=0.3)
    assert _pace([(4, 102.0)], 100.0) == Pace(0.0, 0.5, 0.5, 0.5)


def test_a_forecast_adds_up_all_runs(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, SMALL_STUDY)
    paces = {name: Pace(2.0, 0.1, 0.05, 0.4) for name in inputs.runs()}
    rehearsal = Rehearsal(inputs, xr.Dataset(), paces, 0.0, 1.0)
    # Three runs of 100 paths: 6 s before paths begin, then 30 s, 15 at the fastest pace, 120 at the slowest.
    assert simulation_span(inputs, rehearsal) == Span(pytest.approx(36.0), pytest.approx(21.0), pytest.approx(126.0))
    uncertain = inputs_of(tmp_path, UNCERTAIN)
    drawn = Rehearsal(uncertain, xr.Dataset(), paces, 0.5, 1.0)
    # Two runs, each of five draws that arrange the book anew, and half a second to make each draw.
    assert simulation_span(uncertain, drawn).seconds == pytest.approx(2 * (5 * 2.0 + 10.0) + 5 * 0.5)


def test_the_band_is_never_narrow(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, SMALL_STUDY)
    steady = Rehearsal(inputs, xr.Dataset(), dict.fromkeys(inputs.runs(), Pace(0.0, 0.1, 0.1, 0.1)), 0.0, 1.0)
    span = simulation_span(inputs, steady)
    assert (span.low, span.high) == pytest.approx((30.0 * (1.0 - LEAST_BAND), 30.0 * (1.0 + LEAST_BAND)))
    longer = span.with_more(10.0)
    assert (longer.seconds, longer.high) == pytest.approx((40.0, 40.0 * (1.0 + LEAST_BAND)))


# --- forecast and run, each a process of its own ------------------------------------------------------------------

FILES_BAND = 0.10
"""By which a plan may miss the files of its run."""

RUNS = {
    "many paths": SMALL_STUDY.replace("paths: 100", "paths: 6000").replace("months: 6", "months: 24"),
    "pooled": POOLED.replace("loans: 200", "loans: 60000").replace("paths: 100", "paths: 4"),
    "uncertain": UNCERTAIN.replace("paths: 100", "paths: 2000").replace("months: 6", "months: 36"),
    "strategies": SMALL_STUDY.replace("us_near_prime", "us_subprime").replace("months: 6", "months: 18")
    + "strategies: [reference_us, phone_first, early_warning, none, outsource_and_sell, restructure_first]\n",
}
"""Where the Dataset is large; where two workers hold the whole of a large book; where many parts become one; where
pictures have many panels."""


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    return kernels_on_disk(tmp_path_factory.mktemp("kernels"))


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
@pytest.mark.parametrize("kind", RUNS)
def test_a_run_takes_what_its_plan_says(tmp_path: Path, kernels: Mapping[str, str], kind: str) -> None:
    study_file(tmp_path, RUNS[kind])
    words = ["study.yaml", "--threads", "2", "--json"]
    plan = json.loads(measured(["plan", *words], tmp_path, kernels)[0])
    _, peak = measured(["run", *words, "--out", "r"], tmp_path, kernels)
    memory, output = plan["memory"], plan["output"]
    assert memory["total_bytes"] == pytest.approx(peak, rel=MEMORY_BAND)
    assert memory["dataset_bytes"] == pytest.approx(read_results(tmp_path / "r").nbytes, rel=0.02, abs=4096)
    sizes = {name: len(content) for name, content in files_below(tmp_path / "r").items()}
    assert output["bytes"] == pytest.approx(sum(sizes.values()), rel=FILES_BAND)
    assert output["results_bytes"] == pytest.approx(sizes["results.nc"], rel=FILES_BAND)
    assert sum(sizes.values()) - sizes["results.nc"] < room.documents_bytes(inputs_of(tmp_path, RUNS[kind]))
    assert plan["seconds"]["compile_now"] == plan["seconds"]["compile_every_run"] == 0.0
