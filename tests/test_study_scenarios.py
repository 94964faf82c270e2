"""What scenarios do to a study's book: regions that it lacks, variables that act on nothing, ranges, weights."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from calibration.library import PARAMETER_SETS, find_parameter_set
from command_line import SMALL_STUDY
from scenarios.errors import InputError
from scenarios.library import find_study, init_files
from scenarios.macro import offset_table
from simulator.effects import effective_pairs, moves, variables_without_effect
from simulator.parameters import build_parameters
from simulator.study import StudyInputs, load_inputs, run_study
from yaml_samples import heir

OWN = SMALL_STUDY.replace("severely_adverse", "own.yaml")
COMMENTED = re.compile(r"# (uncertainty|strategies|market_share_percent|  +(?!portfolio)\w+):")
"""Lines of the example that are fields in comments."""

SETS = ("us_near_prime", "us_prime", "cn_auto_finance")


def inputs_of(folder: Path, own: str, study: str = OWN) -> StudyInputs:
    (folder / "own.yaml").write_text(own, "utf-8")
    (folder / "study.yaml").write_text(study, "utf-8")
    return load_inputs(find_study(folder / "study.yaml"), find_parameter_set)


def faults_of(folder: Path, own: str, study: str = OWN) -> list[str]:
    with pytest.raises(InputError) as caught:
        inputs_of(folder, own, study)
    return [str(fault).removeprefix(f"{folder}/") for fault in caught.value.faults]


def with_offsets(regions: str) -> str:
    return heir("own", "baseline") + f"regional_offsets:\n  unemployment_percent: {{{regions}}}\n"


# --- offsets of regions and sectors ----------------------------------------------------------------------------------


def test_offsets_of_regions_that_the_tape_does_not_have_are_refused(tmp_path: Path) -> None:
    first, second = faults_of(tmp_path, with_offsets("Ca: 1.0, Nevada: 2.0"))
    assert first.startswith("own.yaml:")
    assert "region Ca, and the tape has none of the regions that scenario own names" in first
    assert "expected one of the tape's 12 regions: CA, FL, GA, " in first
    assert "and 2 others" in first
    assert "region Nevada" in second
    assert "Use the names that the tape uses" in second


def test_the_nearest_region_is_named(tmp_path: Path) -> None:
    (found,) = faults_of(tmp_path, with_offsets("CAA: 1.0"))
    assert "Did you mean `CA`?" in found


def test_the_share_of_balance_that_offsets_reach_is_said(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, with_offsets("CA: 1.0, NV: 2.0"))
    balance, region = inputs.tape["current_balance"], inputs.tape["region"]
    share = 100.0 * balance[region == "CA"].sum() / balance.sum()
    baseline, own = inputs.macro_paths()
    sentence = (
        f"Its regional offsets reach {share:.1f} % of the opening balance; "
        "the tape has no loan in NV, whose offsets act on nothing."
    )
    assert own.assumptions[-1] == sentence
    assert not any("regional" in text for text in baseline.assumptions)


def with_sectors(sectors: str) -> str:
    return heir("own", "baseline") + f"sector_offsets:\n  unemployment_percent: {{{sectors}}}\n"


def test_sectors_that_the_tape_does_not_have_are_refused(tmp_path: Path) -> None:
    (found,) = faults_of(tmp_path, with_sectors("minning: 1.0"))
    assert found.startswith("own.yaml:6:")
    assert "sector minning, and the tape has none of the sectors that scenario own names" in found
    assert "expected one of the tape's " in found
    both = with_offsets("Ca: 1.0") + "sector_offsets: {prime_rate_percent: {nowhere: 1}}\n"
    region, sector = faults_of(tmp_path, both)
    assert "region Ca" in region
    assert "sector nowhere" in sector


def test_the_share_of_balance_that_sectors_reach_is_said(tmp_path: Path) -> None:
    tape = inputs_of(tmp_path, heir("own", "baseline")).tape
    held = sorted(set(tape["sector"].tolist()))
    inputs = inputs_of(tmp_path, with_sectors(f'"{held[0]}": 1.0, nowhere: 2.0'))
    share = 100.0 * tape["current_balance"][tape["sector"] == held[0]].sum() / tape["current_balance"].sum()
    assert inputs.macro_paths()[1].assumptions[-1] == (
        f"Its sectoral offsets reach {share:.1f} % of the opening balance; "
        "the tape has no loan in nowhere, whose offsets act on nothing."
    )


def test_the_scenario_that_init_writes_names_regions_and_sectors_of_the_book_that_it_draws(tmp_path: Path) -> None:
    for name, text in init_files().items():
        (tmp_path / name).write_text(text, "utf-8")
    inputs = load_inputs(find_study(tmp_path / "study.yaml"), find_parameter_set)
    own = inputs.macro_paths()[1]
    assert set(own.regional_offset["region"].values) <= set(inputs.tape["region"])
    assert set(own.sector_offset["sector"].values) <= set(inputs.tape["sector"])
    assert own.sector_offset.sizes["sector"] == 3
    assert not any("no loan in" in sentence for sentence in own.assumptions[-2:])


def test_what_the_study_that_init_writes_shows_as_comments_is_sound(tmp_path: Path) -> None:
    """Uncommented, it runs: examples in comments are examples too."""
    for name, text in init_files().items():
        (tmp_path / name).write_text(text, "utf-8")
    text = (tmp_path / "study.yaml").read_text("utf-8")
    shown = [line for line in text.splitlines() if COMMENTED.match(line)]
    assert len(shown) == 3
    with (tmp_path / "study.yaml").open("a", encoding="utf-8") as file:
        file.write("\n".join(line.removeprefix("# ") for line in shown) + "\n")
    inputs = load_inputs(find_study(tmp_path / "study.yaml"), find_parameter_set)
    assert inputs.study.uncertainty is not None
    assert [servicing.name for servicing in inputs.servicings()] == ["reference_us", "phone_first", "none"]
    assert inputs.servicing().market_share == 0.02


# --- variables without effect ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETS)
def test_idle_variables_are_those_without_a_sensitivity(name: str) -> None:
    parameters = build_parameters([find_parameter_set(name)])
    stated = {
        (effect.variable, effect.cause)
        for effect in find_parameter_set(name).macro_sensitivity
        if effect.per_percentage_point.value != 0.0
    }
    assert set(effective_pairs(parameters)) == stated
    assert not {variable for variable, _ in stated} & set(variables_without_effect(parameters))


def test_an_idle_variable_changes_no_bit_of_the_loss_and_the_results_name_it(tmp_path: Path) -> None:
    prime = heir("own", "baseline") + "macro:\n  prime_rate_percent: {shock: [" + ", ".join(["2"] * 20) + "]}\n"
    results = run_study(inputs_of(tmp_path, prime).with_run(paths=8))
    assert results.attrs["variables_without_effect"].split() == [
        "disposable_income_growth",
        "prime_rate",
        "fuel_price",
    ]
    one, other = results["ultimate_loss"].to_numpy()
    assert one.tobytes() == other.tobytes()


def test_a_variable_moves_over_time_or_by_region_or_sector(tmp_path: Path) -> None:
    _, own = inputs_of(tmp_path, with_offsets("CA: 1.0")).macro_paths()
    still = xr.zeros_like(own.macro)
    flat = dataclasses.replace(own, macro=still)
    assert moves(own, "prime_rate")
    assert moves(flat, "unemployment")
    assert not moves(flat, "prime_rate")
    nowhere = dataclasses.replace(flat, regional_offset=offset_table("region", (), ()))
    assert not moves(nowhere, "unemployment")
    sector = offset_table("sector", ("mining",), [[0.0, 0.0, 0.01, 0.0]])
    assert moves(dataclasses.replace(nowhere, sector_offset=sector), "prime_rate")


# --- the top of the published range ---------------------------------------------------------------------


def test_top_of_the_range_is_a_run_of_a_set_with_that_sensitivity_on_the_same_draws(tmp_path: Path) -> None:
    results = run_study(inputs_of(tmp_path, heir("own", "severely_adverse")).with_run(paths=12))
    top = results["loss_at_top_sensitivity"]
    assert top.dims == ("scenario", "strategy", "programme", "path_top")
    assert np.isnan(top.sel(scenario="baseline")).all()
    quoted = next(
        effect.per_percentage_point
        for effect in find_parameter_set("us_near_prime").macro_sensitivity
        if (effect.variable, effect.cause) == ("unemployment", "enter")
    )
    assert quoted.range is not None
    text = PARAMETER_SETS.text("us_near_prime")
    stated = f"variable: unemployment\n    per_percentage_point:\n      value: {{}}\n      range: [{quoted.range[0]}, "
    assert text.count(stated.format(quoted.value)) == 1
    steep = text.replace(stated.format(quoted.value), stated.format(quoted.range[1]))
    (tmp_path / "steep.yaml").write_text(steep, "utf-8")
    study = OWN.replace("\nparameters: us_near_prime", "\nparameters: steep.yaml")
    again = run_study(inputs_of(tmp_path, heir("own", "severely_adverse"), study).with_run(paths=12))
    loss = again["ultimate_loss"].sum("month") + again["ultimate_loss_after_horizon"]
    np.testing.assert_array_equal(top.sel(scenario="own").values, loss.sel(scenario="own").values)


def test_the_range_is_left_out_where_the_study_says_so_or_has_one_scenario(tmp_path: Path) -> None:
    off = inputs_of(tmp_path, heir("own", "severely_adverse"), OWN + "sensitivity_range: false\n").with_run(paths=2)
    assert list(off.runs()) == ["baseline", "own"]
    assert "loss_at_top_sensitivity" not in run_study(off)
    alone = inputs_of(tmp_path, heir("own", "severely_adverse"), OWN.replace("baseline, ", ""))
    assert alone.runs() == {"own": 100}


def test_few_paths_are_run_at_the_top(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, heir("own", "severely_adverse")).with_run(paths=5000)
    assert inputs.runs() == {"baseline": 5000, "own": 5000, "own, top sensitivity": 1000}


# --- weights --------------------------------------------------------------------------------------------


def weighted(first: str, second: str) -> tuple[str, str]:
    """Two scenarios of one study: the first extends the baseline, the second the severe one."""
    return heir("own", "baseline") + first, heir("other", "severely_adverse") + second


def weighted_study(folder: Path, first: str, second: str) -> tuple[str, str]:
    one, other = weighted(first, second)
    (folder / "other.yaml").write_text(other, "utf-8")
    return one, SMALL_STUDY.replace("[baseline, severely_adverse]", "[own.yaml, other.yaml]")


def test_weights_become_a_coordinate(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, *weighted_study(tmp_path, "weight: 0.7\n", "weight: 0.3\n"))
    assert inputs.weights() == pytest.approx((0.7, 0.3), abs=1e-15)
    results = run_study(inputs.with_run(paths=2))
    assert results["scenario_weight"].dims == ("scenario",)
    assert results["scenario_weight"].values.tolist() == list(inputs.weights() or ())


@pytest.mark.parametrize(
    ("first", "second", "place", "said"),
    [
        ("weight: 0.7\n", "", "study.yaml:6:", "scenario other has no weight; expected a weight in all scenarios"),
        ("weight: 0.7\n", "weight: 0.2\n", "study.yaml:6:", "the weights of its scenarios sum to 0.9; expected"),
    ],
)
def test_weights_that_are_no_probabilities_are_refused(
    tmp_path: Path, first: str, second: str, place: str, said: str
) -> None:
    (found,) = faults_of(tmp_path, *weighted_study(tmp_path, first, second))
    assert found.startswith(place)
    assert said in found
    assert "take the weights out" in found


def test_one_scenario_has_nothing_to_weigh(tmp_path: Path) -> None:
    alone = OWN.replace("baseline, ", "")
    assert inputs_of(tmp_path, heir("own", "baseline") + "weight: 0.7\n", alone).weights() is None
    assert inputs_of(tmp_path, heir("own", "baseline")).weights() is None
