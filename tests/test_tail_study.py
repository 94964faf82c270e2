"""Studies with a method for the tail: what stands in their results, and that all of it is about the same book."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.special import ndtri

from busy_books import busy_tiers
from command_line import SMALL_STUDY, carstress
from outputs import estimators
from outputs.measures import path_loss, path_mean, sample_of, summary
from outputs.sensitivity import top_of_range
from outputs.store import read_results
from outputs.trace import format_story, story_document, trace_loan
from scenarios.tail import Tail
from scenarios.vocabulary import BOOK_VARIABLES, CUTS, DATASET_VARIABLES, MEASURE_VARIABLES, TAIL_VARIABLES
from simulator.engine import RunSize, simulate
from simulator.parameters import build_parameters
from simulator.study import StudyInputs, run_study, simulate_scenario
from simulator.tail_pilot import run_pilot
from simulator.tail_proposal import log_weights, strata_of
from simulator.tail_study import pilot_runs, stored_proposal
from small_books import mixed_book, run, values
from tail_cases import SIZE, asked, leading, simulate_with, study_of

FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well."""

METHODS = {
    "shifted": "tail: {method: shifted, pilot_paths: 400}\n",
    "shifted_sobol": "tail: {method: shifted_sobol, pilot_paths: 400, dimensions: 5}\n",
    "sobol": "tail: {method: sobol, pilot_paths: 400}\n",
    "control": "tail: {method: control, pilot_paths: 400}\n",
}
PATHS = 1024
SUBPRIME = SMALL_STUDY.replace("us_near_prime", "us_subprime").replace("months: 6", "months: 12")
"""Loans and months enough for factors to explain a good part of the loss."""

TEXT = SUBPRIME.replace("paths: 100", f"paths: {PATHS}")


@pytest.fixture(scope="module", params=METHODS)
def inputs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StudyInputs:
    return study_of(tmp_path_factory.mktemp("tail"), TEXT + METHODS[request.param])


@pytest.fixture(scope="module")
def results(inputs: StudyInputs) -> xr.Dataset:
    return run_study(inputs, size=SIZE)


# --- what stands in the results --------------------------------------------------------------------------


def test_weights_are_those_of_the_stored_proposal(inputs: StudyInputs, results: xr.Dataset) -> None:
    proposal, tail = stored_proposal(results), inputs.study.tail_method
    assert proposal is not None
    assert tail is not None
    z, weight = leading(proposal, PATHS, inputs.study.seed)
    np.testing.assert_array_equal(results["leading_factor"], z)
    np.testing.assert_array_equal(results["log_weight"], log_weights(proposal, z))
    np.testing.assert_array_equal(results["stratum"], strata_of(proposal, z))
    assert weight.max() <= 1.5 / tail.unshifted
    assert results.attrs["rng_scheme"].startswith("philox4x32-10/v1; tail/v1: factors along ")
    assert {each.name for each in TAIL_VARIABLES} <= set(results.data_vars)
    assert results["pilot_explained"].dims == ("scenario",)


def test_batches_are_scrambles_or_paths(inputs: StudyInputs, results: xr.Dataset) -> None:
    tail = inputs.study.tail_method
    assert tail is not None
    expected = np.arange(PATHS) % 16 if tail.scrambled else np.arange(PATHS)
    np.testing.assert_array_equal(results["batch"], expected)
    np.testing.assert_array_equal(results["parameter_draw"], 0)


def test_means_over_paths_are_weighted_like_the_paths(results: xr.Dataset) -> None:
    """What only means are kept of agrees with what is kept by path, to rounding: every cut, bucket and transition."""
    for name in CUTS:
        for flow, source in (("charge_off", "charge_off"), ("default", "default_balance")):
            parts = results[f"{flow}_by_{name}_mean"].sum(name).transpose(..., "month").to_numpy()
            np.testing.assert_allclose(parts, path_mean(results[source], results), rtol=1e-9, atol=1e-6)
    balance = path_mean(results["balance"], results)
    np.testing.assert_allclose(results["bucket_balance_mean"].sum("bucket").to_numpy(), balance, rtol=1e-12)
    moves = results["transition_count_mean"]
    np.testing.assert_allclose(moves.isel(month=0).sum(("from_bucket", "to_state")), 200.0, rtol=1e-12)
    exits = moves.sel(to_state="charged_off").sum("from_bucket").to_numpy()
    np.testing.assert_allclose(exits, path_mean(results["charge_off_count"], results), rtol=1e-9, atol=1e-9)


def test_standard_deviations_are_weighted_like_the_paths(results: xr.Dataset) -> None:
    """A cut with one level is the whole book: its deviation over paths follows from the paths."""
    assert results.sizes["tier"] == 1
    weight = np.exp(results["log_weight"].to_numpy())
    share = weight / weight.sum()
    flow = results["charge_off"].transpose(..., "path", "month").to_numpy()
    deviation = flow - path_mean(results["charge_off"], results)[..., None, :]
    exact = np.sqrt(np.einsum("p,...pm->...m", share, deviation**2) / (1.0 - share @ share))
    np.testing.assert_allclose(results["charge_off_by_tier_sd"].isel(tier=0).to_numpy(), exact, rtol=1e-9)


def test_scenarios_meet_the_same_factors(results: xr.Dataset) -> None:
    assert results["global_factor"].dims == ("path", "month")
    index = results["used_car_index"] / results["used_car_path"]
    np.testing.assert_allclose(index.isel(scenario=0), index.isel(scenario=1), rtol=1e-12)


def test_a_path_is_drawn_again_from_the_results_alone(inputs: StudyInputs, results: xr.Dataset) -> None:
    macro = inputs.macro_paths()[1]
    again = simulate_scenario(inputs, macro, paths=range(37, 41), size=SIZE, proposal=stored_proposal(results))
    stored = results.isel(path=slice(37, 41), scenario=[1])
    for variable in BOOK_VARIABLES:
        np.testing.assert_array_equal(again[variable.name], stored[variable.name])
    for name in ("log_weight", "batch", "leading_factor", "stratum", "global_factor"):
        np.testing.assert_array_equal(again[name], stored[name])
    # Without the proposal the pilot is asked again, and says the same.
    asked_again = simulate_scenario(inputs, macro, paths=range(37, 41), size=SIZE)
    np.testing.assert_array_equal(asked_again["ultimate_loss"], again["ultimate_loss"])


def test_nothing_depends_on_threads_blocks_or_schedule(inputs: StudyInputs, results: xr.Dataset) -> None:
    other = run_study(inputs, size=RunSize(threads=2, path_block=50, month_major=True))
    for name in results.variables:
        np.testing.assert_array_equal(results[name], other[name], err_msg=str(name))
    assert results.attrs == other.attrs


# --- agreement with plain paths --------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["shifted", "shifted_sobol", "control"])
def test_all_stored_means_agree_with_plain_paths(method: str) -> None:
    """A book in which everything is at work: means of every variable by path over 4,096 weighted and 4,096 plain paths.

    Their difference over the root of both squared errors; false alarm `FALSE_ALARM` of all of them together. The plain
    paths have another seed: with the same one the two would share their loans' draws.
    """
    tape, parameters = mixed_book(), busy_tiers("lognormal")
    tail = Tail.model_validate({"method": method, "pilot_paths": 400})
    question = asked(tape, parameters, tail, months=8, seed=5)
    weighted = simulate_with(question, run_pilot(question, 4096, size=SIZE), 4096)
    plain = run(tape, parameters, paths=4096, months=8, seed=6, size=SIZE)
    names = [each.name for each in DATASET_VARIABLES if "path" in each.dims and each.name in plain]
    cases = []
    for name in names:
        pair = [
            each[name].sum([dim for dim in each[name].dims if dim in ("month", "segment")])
            for each in (weighted, plain)
        ]
        flat = [each.transpose("path", ...).to_numpy().reshape(4096, -1) for each in pair]
        cases += [(name, one, other) for one, other in zip(flat[0].T, flat[1].T, strict=True)]
    assert len(cases) > 60
    share = FALSE_ALARM / len(cases) / 2.0
    for name, one, other in cases:
        found = [
            estimators.mean(sample_of(xr.DataArray(each, dims="path"), where))
            for each, where in ((one, weighted), (other, plain))
        ]
        error = np.hypot(found[0].standard_error, found[1].standard_error)
        # 16 scrambles tell their own error roughly: 15 degrees of freedom.
        most = -ndtri(share) if not np.isclose(error, 0.0) else 0.0
        most *= 2.0 if method == "shifted_sobol" else 1.0
        assert abs(found[0].value - found[1].value) <= most * error + 1e-9 * abs(found[1].value), name


def test_a_method_without_effect_is_the_plain_run() -> None:
    """No direction, no shift: weights of 1, and the losses of the plain run to the last bit."""
    tape, parameters = mixed_book(), busy_tiers("lognormal")
    question = asked(tape, parameters, Tail(), months=4, seed=5)
    pilot = run_pilot(replace(question, tail=Tail(pilot_paths=200)), 64, size=SIZE)
    still = replace(
        pilot,
        proposal=replace(pilot.proposal, directions=np.zeros((1, *pilot.proposal.directions.shape[1:])), shift=0.0),
    )
    plain, moved = run(tape, parameters, paths=64, months=4, seed=5, size=SIZE), simulate_with(question, still, 64)
    np.testing.assert_array_equal(moved["log_weight"], 0.0)
    for name in plain.data_vars:
        if name == "transition_count_mean":
            np.testing.assert_allclose(moved[name], plain[name], rtol=1e-14)
        else:
            np.testing.assert_array_equal(moved[name], plain[name], err_msg=str(name))


# --- together with the rest of a study -------------------------------------------------------------------


def test_paths_at_the_top_of_the_range_have_the_same_factors(tmp_path: Path) -> None:
    inputs = study_of(tmp_path, SUBPRIME + METHODS["shifted"])
    results = run_study(inputs, size=SIZE)
    top = simulate(
        inputs.tape,
        inputs.macro_paths()[1],
        build_parameters(inputs.sets, sensitivity="top"),
        paths=100,
        months=12,
        seed=7,
        proposal=stored_proposal(results),
    )
    found = results["loss_at_top_sensitivity"].sel(scenario="severely_adverse").to_numpy()
    np.testing.assert_array_equal(
        found[0, 0], values(top, "ultimate_loss").sum(axis=-1) + values(top, "ultimate_loss_after_horizon")
    )
    table = top_of_range(results)
    expected = table[table["measure"] == "expected_loss"].iloc[0]
    weight = np.exp(results["log_weight"].to_numpy())
    assert expected["value"] == pytest.approx(weight @ found[0, 0] / weight.sum(), rel=1e-12)


def test_drawn_parameters_and_shifted_factors_go_together(tmp_path: Path) -> None:
    """Batches are the draws'; means over all paths are those of the paths with their weights."""
    text = SUBPRIME.replace("paths: 100", "paths: 60") + METHODS["shifted"] + "uncertainty: {draws: 3}\n"
    results = run_study(study_of(tmp_path, text), size=SIZE)
    assert np.unique(results["batch"]).tolist() == [0, 1, 2]
    assert np.ptp(results["log_weight"].to_numpy()) > 1.0
    balance = path_mean(results["balance"], results)
    np.testing.assert_allclose(results["bucket_balance_mean"].sum("bucket").to_numpy(), balance, rtol=1e-12)
    sample = sample_of(path_loss(results)[0, 0, 0], results)
    assert sample.shared
    assert sample.z > 4.0  # two degrees of freedom


def test_progress_names_the_pilot_first(tmp_path: Path) -> None:
    inputs = study_of(tmp_path, SMALL_STUDY + METHODS["shifted"])
    assert pilot_runs(inputs) == {"baseline, pilot": 400, "severely_adverse, pilot": 400}
    assert list(inputs.runs())[:3] == ["baseline, pilot", "severely_adverse, pilot", "baseline"]
    heard: list[tuple[str, int]] = []
    run_study(inputs, size=RunSize(1, 100), progress=lambda name, done: heard.append((name, done)))
    last = dict(heard)
    assert last == inputs.runs()


def test_the_book_of_a_plain_study_has_no_trace_of_it(tmp_path: Path) -> None:
    results = run_study(study_of(tmp_path, SMALL_STUDY.replace("paths: 100", "paths: 4")), size=SIZE)
    assert results.attrs["rng_scheme"] == "philox4x32-10/v1"
    assert not any(name.startswith("tail") for name in results.attrs)
    assert not {"stratum", "leading_factor", *(each.name for each in TAIL_VARIABLES)} & set(results.variables)


# --- files and words -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the command line, in its own folder."""
    where = tmp_path_factory.mktemp("cli")
    (where / "far.yaml").write_text(TEXT.replace("name: small", "name: far") + METHODS["shifted"], "utf-8")
    return where


@pytest.fixture(scope="module")
def document(folder: Path) -> dict:
    answer = carstress("run", folder / "far.yaml", "--out", folder / "out", "--json")
    assert (answer.code, answer.err) == (0, "")
    return answer.document


def test_a_run_says_what_its_paths_are_worth(document: dict, folder: Path) -> None:
    told = document["tail"]
    assert (told["method"], told["level"], told["unshifted"]) == ("shifted", 0.999, 0.2)
    assert (told["pilot_paths"], told["pilot_first_path"]) == (400, 2**31)
    assert set(told["pilot_explained"]) == set(told["strata_explain"]) == {"baseline", "severely_adverse"}
    shortfall = next(row for row in told["measures"] if (row["measure"], row["level"]) == ("expected_shortfall", 0.999))
    same = next(row for row in document["summary"] if (row["measure"], row["level"]) == ("expected_shortfall", 0.999))
    assert {name: shortfall[name] for name in ("value", "low", "high")} == {
        name: same[name] for name in ("value", "low", "high")
    }
    assert shortfall["effective_paths"] < PATHS
    assert shortfall["plain_paths"] > PATHS
    stored = read_results(folder / "out")
    assert stored["measure_value"].dims == MEASURE_VARIABLES[0].dims
    chosen = stored.sel(scenario="baseline", loss_measure="ES 99.9 %").squeeze()
    assert float(chosen["measure_value"]) == shortfall["value"]
    assert float(chosen["measure_low"]) == shortfall["low"]
    assert float(chosen["effective_paths"]) == shortfall["effective_paths"]
    assert stored["log_weight"].attrs["long_name"] == "logarithm of the path's importance weight"
    assert stored["shift_direction"].attrs["long_name"]
    assert (folder / "out" / "tables" / "tail.csv").is_file()
    report = (folder / "out" / "report.html").read_text("utf-8")
    assert "Method for the tail: shifted." in report
    assert "What the paths are worth" in report


def test_a_thin_tail_is_warned_of(document: dict, folder: Path) -> None:
    """A year of 200 loans: factors explain a part of their loss only, and few paths reach its far tail."""
    (warning,) = [text for text in document["warnings"] if "Few paths carry the tail" in text]
    assert "effective number of paths beyond the 99.9 % quantile is " in warning
    assert "Below 100 intervals cover less than 95 %." in warning
    assert document["tail"]["warnings"] == [warning]
    assert "Few paths carry the tail" in (folder / "out" / "report.html").read_text("utf-8")


def test_a_path_of_a_weighted_run_is_told_again(document: dict, folder: Path) -> None:
    story = trace_loan(folder / "out", "us_subprime-000000003", 17, "severely_adverse")
    stored = read_results(folder / "out")
    assert story.path_loss == float(path_loss(stored).sel(scenario="severely_adverse", path=17).squeeze())
    assert story.leading_factor == float(stored["leading_factor"][17])
    assert story.weight == pytest.approx(float(np.exp(stored["log_weight"][17])))
    assert "Its factors were drawn by the study's method for the tail: " in format_story(story)
    assert story_document(story)["weight"] == story.weight


def test_the_terminal_tells_the_method(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "few.yaml").write_text(SMALL_STUDY.replace("paths: 100", "paths: 64") + METHODS["shifted_sobol"], "utf-8")
    answer = carstress("run", "few.yaml")
    assert answer.code == 0
    text = " ".join(answer.out.split())
    assert (
        "Method for the tail: shifted_sobol. A pilot of 400 paths in each scenario, numbered from 2,147,483,648" in text
    )
    assert "5 leading directions of the factors are taken from scrambled Sobol points, 16 scrambles of 4" in text
    assert "plain paths for the same error" in text
    again = carstress("run", "runs/small", "--out", "again", "--json")
    assert again.code == 0
    first = read_results(folder / "runs" / "small")
    xr.testing.assert_identical(first["ultimate_loss"], read_results(folder / "again")["ultimate_loss"])


def test_summaries_take_the_weights(results: xr.Dataset) -> None:
    table = summary(results)
    weight = np.exp(results["log_weight"].to_numpy())
    losses = path_loss(results).sel(scenario="baseline").to_numpy()[0, 0]
    expected = table[(table["scenario"] == "baseline") & (table["measure"] == "expected_loss")]["value"].iloc[0]
    assert expected == pytest.approx(weight @ losses / weight.sum(), rel=1e-12)
