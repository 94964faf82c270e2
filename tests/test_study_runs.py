"""Runs of a study with drawn parameters, a pool, a share of the auctions and offsets of sectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from calibration.library import find_parameter_set
from command_line import SMALL_STUDY
from outputs.measures import path_loss
from outputs.uncertainty import parameter_bands, parameter_drivers
from scenarios.errors import InputError
from scenarios.library import find_study
from simulator.engine import RunSize, simulate
from simulator.study import StudyInputs, inputs_from_store, inputs_to_store, load_inputs, run_study, simulate_scenario
from simulator.uncertainty import draw_sets
from yaml_samples import heir

SUBPRIME = SMALL_STUDY.replace("us_near_prime", "us_subprime")
DRAWN = SUBPRIME.replace("paths: 100", "paths: 14") + "uncertainty: {draws: 3}\n"
SIZE = RunSize(threads=1, path_block=4)


def inputs_of(folder: Path, text: str, **files: str) -> StudyInputs:
    for name, content in {"study": text, **files}.items():
        (folder / f"{name}.yaml").write_text(content, "utf-8")
    return load_inputs(find_study(folder / "study.yaml"), find_parameter_set)


CALLS = """
kind: collection_strategy
name: calls
title: Calls
source: Assumption, for a test.
pools: {{agents: {{hours_per_month: {hours}}}}}
ladder:
  - {{action: phone, pool: agents, hours_per_contact: 0.5, effect: {effect}}}
  - {{action: extension}}
  - {{action: repossession}}
"""


def called(folder: Path, hours: float, effect: str = "{}") -> StudyInputs:
    calls = CALLS.format(hours=hours, effect=effect)
    return inputs_of(folder, SUBPRIME + "strategies: [calls.yaml]\n", calls=calls)


def losses(results: xr.Dataset, scenario: str = "severely_adverse") -> np.ndarray:
    return path_loss(results).sel(scenario=scenario).to_numpy()


# --- drawn parameters -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> StudyInputs:
    return inputs_of(tmp_path_factory.mktemp("drawn"), DRAWN)


@pytest.fixture(scope="module")
def results(drawn: StudyInputs) -> xr.Dataset:
    return run_study(drawn, size=SIZE)


def test_paths_of_a_batch_run_on_its_own_parameters(drawn: StudyInputs, results: xr.Dataset) -> None:
    """Batch 1, paths 4 to 8, is what `simulate` makes of that draw's parameters on those paths."""
    study = drawn.study
    assert results["batch"].to_numpy().tolist() == [0] * 4 + [1] * 5 + [2] * 5
    assert results["parameter_draw"].identical(results["batch"].rename("parameter_draw"))
    assert study.uncertainty is not None
    draw = draw_sets(drawn.sets, study.uncertainty, 1, study.seed)
    macro = drawn.macro_paths()[1]
    again = simulate(drawn.tape, macro, draw.parameters, paths=range(4, 9), months=study.months, seed=study.seed)
    np.testing.assert_array_equal(losses(results.isel(path=slice(4, 9))), losses(again))
    np.testing.assert_array_equal(results["parameter_value"].sel(draw=1).to_numpy(), draw.values)


def test_all_scenarios_meet_the_same_parameters(drawn: StudyInputs, results: xr.Dataset) -> None:
    assert results["parameter_value"].dims == ("parameter", "draw")
    assert results["parameter_value"].sizes["draw"] == 3
    assert np.isfinite(results["parameter_value"]).all()
    assert results["used_car_path"].sizes["scenario"] == 2
    np.testing.assert_array_equal(results["global_factor"].dims, ("path", "month"))
    # A path compared with the same path at the top of a range would differ by all that is drawn: there is no such run.
    assert "loss_at_top_sensitivity" not in results
    assert drawn.runs() == {"baseline": 14, "severely_adverse": 14}


def test_some_paths_of_one_scenario_are_those_of_the_whole_run(drawn: StudyInputs, results: xr.Dataset) -> None:
    steps: list[int] = []
    macro = drawn.macro_paths()[1]
    found = simulate_scenario(drawn, macro, paths=range(3, 11), size=SIZE, progress=steps.append)
    assert steps == [1, 5, 6, 8]
    np.testing.assert_array_equal(losses(found), losses(results.isel(path=slice(3, 11))))
    for name in ("path", "batch", "parameter_draw"):
        np.testing.assert_array_equal(found[name], results[name][3:11])
    with pytest.raises(ValueError, match="path 14 of a study of 14 paths has no draw"):
        simulate_scenario(drawn, macro, paths=range(13, 15))


def test_means_and_deviations_are_those_of_all_paths(drawn: StudyInputs, results: xr.Dataset) -> None:
    """The mean of charge-offs by tier, summed, is the mean of the book's; one tier only, so the deviation too."""
    by_path = results["charge_off"].sel(scenario="baseline").squeeze(["strategy", "programme"], drop=True)
    table = results.sel(scenario="baseline").squeeze(["strategy", "programme", "tier"], drop=True)
    np.testing.assert_allclose(table["charge_off_by_tier_mean"], by_path.mean("path"), rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(table["charge_off_by_tier_sd"], by_path.std("path", ddof=1), rtol=1e-9, atol=1e-6)


def test_bands_and_drivers_of_a_run(results: xr.Dataset) -> None:
    bands = parameter_bands(results)
    assert set(bands["scenario"]) == {"baseline", "severely_adverse"}
    assert set(bands["draws"]) == {3}
    assert set(bands["paths_a_draw"]) == {4}
    drivers = parameter_drivers(results)
    assert len(drivers) == 2 * results.sizes["parameter"]
    assert drivers["parameter"].str.startswith("us_subprime.").all()


def test_a_study_that_draws_parameters_is_kept_whole(drawn: StudyInputs, tmp_path: Path) -> None:
    (tmp_path / "results.nc").write_bytes(b"a results file")
    again = inputs_from_store(inputs_to_store(drawn), tmp_path / "results.nc")
    assert again.study.uncertainty == drawn.study.uncertainty
    assert again.strategies == drawn.strategies == (None,)
    assert again.observed == drawn.observed == ()


def test_too_few_paths_for_the_draws_are_refused_at_the_command_too(drawn: StudyInputs) -> None:
    with pytest.raises(InputError, match=r"study\.yaml:10:22: uncertainty\.draws = 3 with 5 paths; expected at most 2"):
        drawn.with_run(paths=5)
    assert drawn.with_run(paths=6).study.paths == 6


def test_names_of_a_study_that_are_no_parameters_are_told_with_their_place(tmp_path: Path) -> None:
    text = DRAWN.replace("{draws: 3}", "{draws: 3, parameters: [sale.auction_haircu]}")
    with pytest.raises(
        InputError, match=r"study\.yaml:10:38: uncertainty\.parameters\[0\] = sale\.auction_haircu;.*Did you"
    ):
        inputs_of(tmp_path, text)


def test_all_faults_of_a_studys_words_come_at_once(tmp_path: Path) -> None:
    text = DRAWN.replace("{draws: 3}", "{draws: 3, parameters: [title]}")
    text += "strategies: [calls.yaml]\n"
    nowhere = "{action: letter, who: {regions: [Atlantis]}}"
    calls = CALLS.format(hours=4, effect="{}").replace("{action: extension}", nowhere)
    with pytest.raises(InputError) as caught:
        inputs_of(tmp_path, text, calls=calls)
    places = [fault.where for fault in caught.value.faults]
    assert [place.rpartition("/")[2] for place in places] == ["calls.yaml:9:37", "study.yaml:10:38"]


def test_strategies_are_kept_with_a_run(tmp_path: Path) -> None:
    inputs = called(tmp_path, 4.0)
    (tmp_path / "results.nc").write_bytes(b"a results file")
    again = inputs_from_store(inputs_to_store(inputs), tmp_path / "results.nc")
    assert [item.model_dump() for item in again.strategies] == [item.model_dump() for item in inputs.strategies]
    assert [item.name for item in again.observed] == ["reference_us"]
    assert again.servicing("calls").name == "calls"
    with pytest.raises(ValueError, match="no strategy 'none', only calls"):
        again.servicing("none")


# --- strategies ----------------------------------------------------------------------------------------


def test_several_strategies_stack_with_all_pools_and_rungs(tmp_path: Path) -> None:
    text = SUBPRIME + "strategies: [calls.yaml, reference, none]\n"
    inputs = inputs_of(tmp_path, text, calls=CALLS.format(hours=4.0, effect="{cure: 1.4}")).with_run(paths=8)
    assert list(inputs.runs())[:3] == ["baseline / calls", "baseline / reference", "baseline / none"]
    results = run_study(inputs, size=SIZE)
    assert results["strategy"].values.tolist() == ["calls", "reference", "none"]
    assert results["pool"].values.tolist() == ["agents"]
    assert results["rung"].values.tolist() == ["phone", "extension", "repossession"]
    for name in ("reference", "none"):
        assert float(results["pool_capacity"].sel(strategy=name).sum()) == 0.0
        assert float(results["rung_served_mean"].sel(strategy=name).sum()) == 0.0
    alone = run_study(inputs_of(tmp_path, SUBPRIME).with_run(paths=8), size=SIZE)
    for name in ("ultimate_loss", "charge_off", "balance", "recovery", "delinquent_count"):
        np.testing.assert_array_equal(results[name].sel(strategy="reference"), alone[name].sel(strategy="reference"))
    one = simulate_scenario(inputs, inputs.macro_paths()[1], paths=range(3, 8), strategy="calls", size=SIZE)
    of_all = results["ultimate_loss"].sel(scenario="severely_adverse", strategy="calls").isel(path=slice(3, 8))
    np.testing.assert_array_equal(one["ultimate_loss"].squeeze(), of_all.squeeze())


def test_a_pool_gives_no_more_than_it_has(tmp_path: Path) -> None:
    counted = run_study(called(tmp_path, 4.0, "{cure: 1.4}").with_run(paths=8), size=SIZE)
    served, demand = (counted[name].squeeze("pool", drop=True) for name in ("pool_served", "pool_demand"))
    assert (counted["pool_capacity"] == 4.0).all()
    assert (served <= 4.0).all()
    assert (served <= demand).all()
    assert (served == 4.0).any()


def test_hours_save_money_where_calls_cure(tmp_path: Path) -> None:
    """Common draws: ample hours lose less."""
    scarce, ample = (
        run_study(called(tmp_path, hours, "{cure: 2, roll: 0.7}").with_run(paths=20), size=SIZE)
        for hours in (1.0, 500.0)
    )
    assert losses(ample).mean() < losses(scarce).mean()
    assert ample["charge_off_count"].sum() < scarce["charge_off_count"].sum()
    assert (ample["pool_waiting"] == 0).all()


# --- market share --------------------------------------------------------------------------------------


def test_a_book_that_is_the_market_sells_below_the_price_in_bad_months(tmp_path: Path) -> None:
    """A severe recession brings more cars to sale than baseline: only what sales bring may differ."""
    text = SUBPRIME.replace("months: 6", "months: 24")
    alone, market = (
        run_study(inputs_of(tmp_path, text + more).with_run(paths=12), size=SIZE)
        for more in ("", "market_share_percent: 100\n")
    )
    for name in ("charge_off", "balance", "prepaid", "sold_count", "default_count"):
        np.testing.assert_array_equal(alone[name], market[name])
    np.testing.assert_array_equal(alone["sale_proceeds"].sel(month=1), market["sale_proceeds"].sel(month=1))
    severe = {"scenario": "severely_adverse"}
    assert market["sale_proceeds"].sel(severe).sum() < alone["sale_proceeds"].sel(severe).sum()


# --- offsets of sectors ----------------------------------------------------------------------------------


def test_an_offset_of_a_sector_reaches_that_sector_alone(tmp_path: Path) -> None:
    own = heir("own", "severely_adverse")
    base = inputs_of(tmp_path, SUBPRIME.replace("baseline, ", ""))
    sector = str(np.unique(base.tape["sector"])[0])
    text = own + f'sector_offsets: {{unemployment_percent: {{"{sector}": 10}}}}\n'
    moved = inputs_of(tmp_path, SUBPRIME.replace("baseline, severely_adverse", "own.yaml"), own=text)
    plain, hit = (run_study(each.with_run(paths=12), size=SIZE) for each in (base, moved))
    others = [name for name in plain["sector"].to_numpy() if name != sector]
    assert others
    np.testing.assert_array_equal(plain["loss_by_sector"].sel(sector=others), hit["loss_by_sector"].sel(sector=others))
    assert hit["loss_by_sector"].sel(sector=sector).sum() > plain["loss_by_sector"].sel(sector=sector).sum()
