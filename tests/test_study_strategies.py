"""A study's strategies, market share and uncertainty: what its words become, and what is refused with which words."""
# ruff: noqa: E501  # a table has one case a line

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from calibration.library import PARAMETER_SETS, find_parameter_set
from command_line import carstress, study_file
from ladders import ladder, rung
from scenarios.errors import InputError
from scenarios.library import find_strategy, find_study
from scenarios.load import spec_from_text
from scenarios.schema import Study
from scenarios.vocabulary import INCIDENTS, TYPES
from simulator.engine import RunSize
from simulator.ladder_faults import check_hours
from simulator.servicing import Servicing, merged, study_servicing
from simulator.study import StudyInputs, inputs_from_store, inputs_to_store, load_inputs, run_study
from small_books import equal_loans
from strategy_texts import spoilt

STUDY = """\
kind: study
name: worked
portfolio: {synthetic: {parameters: us_subprime, loans: 300, seed: 3, as_of: 2024-12-31}}
parameters: us_subprime
scenarios: [baseline, severely_adverse]
paths: 8
months: 6
seed: 7
"""

OWN = """\
kind: collection_strategy
name: own
title: A lender's own ladder
source: Assumption, for a test.
currency: USD
pools:
  agents: {hours_per_1000_loans: 20, cost_per_hour: 30}
ladder:
  - action: phone
    pool: agents
    hours_per_contact: 0.5
    who: {to_days: 89}
    effect: {cure: 1.5}
  - {action: repossession}
"""

FIELD = """\
kind: collection_strategy
name: field
title: Visits
source: Assumption, for a test.
currency: USD
pools:
  cars: {hours_per_month: 30, field: true}
ladder:
  - {action: visit, pool: cars, hours_per_contact: 5, incidents: {complaint: 500}}
  - {action: extension}
incidents: {cost: {complaint: 100}}
"""

OBSERVED = """\
kind: collection_strategy
name: observed
title: What the figures were observed under
source: Assumption, for a test.
ladder:
  - {action: letter, who: {from_days: 31}, effect: {roll: 0.8}}
  - {action: visit, name: call_on, who: {from_days: 61}, reach_percent: 40, effect: {cure: 1.3}}
  - {action: extension}
  - {action: repossession}
"""

SIZE = RunSize(threads=1, path_block=4)


def study(more: str = "") -> Study:
    return spec_from_text(STUDY + more, "study.yaml", Study)


def inputs_of(folder: Path, more: str, text: str = STUDY, **files: str) -> StudyInputs:
    """Inputs of a study in a folder that holds these YAML files too."""
    for name, content in {"study": text + more, **files}.items():
        (folder / f"{name}.yaml").write_text(content, "utf-8")
    return load_inputs(find_study(folder / "study.yaml"), find_parameter_set)


def faults_of(folder: Path, more: str, text: str = STUDY, **files: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        inputs_of(folder, more, text, **files)
    return [str(fault).replace(f"{folder}/", "") for fault in caught.value.faults]


def own_set(observed: str) -> str:
    """The subprime set in a file of its own, observed under another strategy."""
    return spoilt(PARAMETER_SETS.text("us_subprime"), "observed_under: reference_us", f"observed_under: {observed}")


# --- what the words become ---------------------------------------------------------------------------


def test_a_study_that_names_no_strategy_runs_the_reference_alone(tmp_path: Path) -> None:
    found = inputs_of(tmp_path, "")
    assert (found.study.strategies, found.strategies, found.observed) == (("reference",), (None,), ())
    (servicing,) = found.servicings()
    assert (servicing.strategy, servicing.name, servicing.market_share) == (None, "reference", 0.0)
    assert servicing.pool_names == servicing.rung_names == servicing.incident_names == ()
    assert list(found.run_names().values()) == ["baseline", "severely_adverse"]


def test_strategies_by_name_and_by_path_in_the_studys_order(tmp_path: Path) -> None:
    found = inputs_of(tmp_path, "strategies: [phone_first, own.yaml, reference]\n", own=OWN)
    assert [servicing.name for servicing in found.servicings()] == ["phone_first", "own", "reference"]
    assert found.strategies[0] == find_strategy("phone_first")
    assert found.strategies[1] == find_strategy(tmp_path / "own.yaml")
    assert [item.name for item in found.observed if item is not None] == ["reference_us"]
    assert found.servicing().name == "phone_first"
    assert found.servicing("own").strategy == found.strategies[1]
    with pytest.raises(ValueError, match="the study has no strategy 'none', only phone_first, own, reference"):
        found.servicing("none")


def test_every_strategy_of_a_study_has_the_pools_and_rungs_of_all(tmp_path: Path) -> None:
    found = inputs_of(tmp_path, "strategies: [own.yaml, field.yaml, reference]\n", own=OWN, field=FIELD)
    for servicing in found.servicings():
        assert servicing.pool_names == ("agents", "cars")
        assert servicing.rung_names == ("phone", "repossession", "visit", "extension")
        assert servicing.incident_names == INCIDENTS


@pytest.mark.parametrize(
    ("ladders", "together"),
    [
        (["ab", "ab"], "ab"),
        (["abe", "abcde"], "abcde"),
        (["cd", "abc"], "abcd"),
        (["ab", "cd"], "abcd"),
        (["abcd", "axd"], "axbcd"),
        (["ab", "ba"], "ab"),
        (["", "ab", ""], "ab"),
    ],
)
def test_rungs_of_all_stand_in_the_order_of_each_ladder(ladders: list[str], together: str) -> None:
    assert "".join(merged(ladders)) == together


def test_servicing_alone_has_its_own_pools_and_rungs() -> None:
    call = rung("phone", pool="agents", hours_per_contact=0.5)
    (alone,) = study_servicing((ladder(call, pools={"agents": {"hours_per_month": 10}}),), (), 0.0)
    assert (alone.pool_names, alone.rung_names) == (("agents",), ("phone",))
    assert Servicing(alone.strategy).pool_names == ("agents",)


def test_effects_of_a_strategy_by_type_and_1_where_nothing_is_said(tmp_path: Path) -> None:
    text = spoilt(OWN, "{cure: 1.5}", "{cure: {hardship: 0.7, strategic: 0.9}, roll: 1.1}")
    strategy = inputs_of(tmp_path, "strategies: [own.yaml]\n", own=text).strategies[0]
    assert strategy is not None
    effect = strategy.ladder[0].effect
    assert [getattr(effect.cure, kind) for kind in TYPES] == [1.0, 0.7, 0.9]
    assert (effect.roll, effect.charge_off) == (1.1, 1.0)


def test_the_book_is_a_share_of_the_auctions_under_every_strategy(tmp_path: Path) -> None:
    found = inputs_of(tmp_path, "strategies: [reference, own.yaml]\nmarket_share_percent: 2.5\n", own=OWN)
    assert [servicing.market_share for servicing in found.servicings()] == pytest.approx([0.025, 0.025], rel=1e-15)


def test_files_of_strategies_are_known_by_their_digests(tmp_path: Path) -> None:
    """Those that the parameter set was observed under too, since the run depends on them."""
    found = inputs_of(
        tmp_path,
        "strategies: [own.yaml, none]\n",
        spoilt(STUDY, "parameters: us_subprime\nsc", "parameters: set.yaml\nsc"),
        own=OWN,
        set=own_set("observed.yaml"),
        observed=OBSERVED,
    )
    assert set(found.files) == {"study.yaml", "own.yaml", "set.yaml", "observed.yaml"}
    assert [item.name for item in found.observed if item is not None] == ["observed"]


def test_no_strategy_is_read_for_the_set_where_loans_are_worked_as_its_own_were(tmp_path: Path) -> None:
    text = spoilt(STUDY, "parameters: us_subprime\nsc", "parameters: set.yaml\nsc")
    found = inputs_of(tmp_path, "strategies: [reference]\n", text, set=own_set("lost.yaml"))
    assert found.observed == ()
    (fault,) = faults_of(tmp_path, "strategies: [reference, none]\n", text, set=own_set("lost.yaml"))
    assert fault.startswith("set.yaml:")
    assert "lost.yaml does not exist" in fault


def test_uncertainty_is_of_everything_unless_named() -> None:
    everything = study("uncertainty: {draws: 4}\n").uncertainty
    some = study("uncertainty: {draws: 3, parameters: [systematic.correlation, sale]}\n").uncertainty
    assert everything is not None
    assert some is not None
    assert (everything.draws, everything.parameters) == (4, "all")
    assert some.parameters == ("systematic.correlation", "sale")


# --- what is refused -----------------------------------------------------------------------------------

WORDS: list[tuple[str, str, list[str]]] = [
    # the field, what the fault begins with, what else it says
    ("strategies: [reference_us, phone_frist]", "study.yaml:9:28: unknown strategy `phone_frist`", ["expected one of reference, early_warning, ", "or a path ending in .yaml", "Did you mean `phone_first`?"]),
    ("strategies: [lost.yaml]", "study.yaml:9:14: the file lost.yaml does not exist", ["Relative paths start from this file's folder."]),
    ("strategies: [none, reference, none]", "study.yaml:9:31: strategy none for the second time", ["expected each strategy once"]),
    ("strategies: [own.yaml, field.yaml, twin.yaml]", "study.yaml:9:36: two strategies named own", ["expected different names. Change `name:` in one of the files."]),
    ("strategies: []", "study.yaml:9:13: strategies = []", ["expected at least one value"]),
    ("strategies: none", 'study.yaml:9:13: strategies = "none"', ["expected a list"]),
    ("strategy: [none]", "study.yaml:9:1: unknown key strategy", ["Did you mean `strategies`?"]),
    ("treatment: {phone: {hours_per_month: 4}}", "study.yaml:9:1: unknown key treatment", ["strategies"]),
    ("market_share_percent: 250", "study.yaml:9:23: market_share_percent = 250; expected 0 to 100", ["Rates are in percent"]),
    ("uncertainty: {draws: 1}", "study.yaml:9:22: uncertainty.draws = 1; expected 2 to 10000", []),
    ("uncertainty: {draws: 5}", "study.yaml:9:22: uncertainty.draws = 5 with 8 paths", ["at most 4, two paths a draw"]),
    ("uncertainty: {draws: 4, parameters: sale}", 'study.yaml:9:37: uncertainty.parameters = "sale"; expected `all`', []),
    ("uncertainty: {draws: 4, parameters: []}", "study.yaml:9:37: uncertainty.parameters = []; expected at least one value", []),
    ("uncertainty: {parameters: all}", "study.yaml:9:14: uncertainty.draws is missing", ["Number of draws"]),
]  # fmt: skip


@pytest.mark.parametrize(("field", "begins", "said"), WORDS)
def test_words_of_a_study_that_cannot_be_read(tmp_path: Path, field: str, begins: str, said: list[str]) -> None:
    (found,) = faults_of(tmp_path, f"{field}\n", own=OWN, twin=OWN, field=FIELD)
    assert found.startswith(begins)
    assert [words for words in said if words not in found] == []


def test_a_fault_in_a_strategy_has_its_own_line_and_comes_with_all_others(tmp_path: Path) -> None:
    bad = spoilt(OWN, "to_days", "to_dys")
    more = "strategies: [bad.yaml, phone_frist, worse.yaml]\n"
    text = spoilt(STUDY, "baseline, ", "basline, ")
    found = faults_of(
        tmp_path, more, text, bad=bad, worse=spoilt(OWN, "hours_per_contact: 0.5", "hours_per_contact: 0")
    )
    places = [fault.partition(": ")[0] for fault in found]
    assert sorted(places) == ["bad.yaml:12:11", "study.yaml:5:13", "study.yaml:9:24", "worse.yaml:11:24"]
    (misspelt,) = [fault for fault in found if fault.startswith("bad.yaml")]
    assert "Did you mean `to_days`?" in misspelt


def test_a_file_of_another_kind_is_no_strategy(tmp_path: Path) -> None:
    found = faults_of(tmp_path, "strategies: [rules.yaml]\n", rules="kind: contact_rules\nname: r\ntitle: Rules\n")
    assert any(
        fault.startswith('rules.yaml:1:7: kind = "contact_rules"; expected `collection_strategy`') for fault in found
    )


BOOK = [
    # what is replaced in the strategy, by what, what the fault begins with, what else it says
    ("currency: USD", "currency: CNY", "own.yaml:5:11: strategy own is in CNY but the tape is in USD", ["expected a strategy in USD"]),
    ("hours_per_1000_loans: 20", "hours_per_1000_loans: 1.5", "own.yaml:7:11: pool agents has 0.45 hours a month for a book of 300 loans, less than one of them takes", ["expected at least 0.5 hours, as rung phone takes", "a larger book"]),
    ("{to_days: 89}", "{regions: [CA, Narnia]}", "own.yaml:12:20: rung phone is for region Narnia, which no loan belongs to", ["expected one of CA, FL, "]),
    ("{to_days: 89}", "{tiers: [us_prime]}", "own.yaml:12:18: rung phone is for tier us_prime, which no loan belongs to", ["expected one of us_subprime"]),
    ("    who: {to_days: 89}\n    effect: {cure: 1.5}\n  - {action: repossession}\n", "    who: {to_days: 29}\n", "own.yaml:9:3: no rung of strategy own is for days in which a bucket begins", ["expected days that hold one of 30, 60, 90"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "begins", "said"), BOOK)
def test_a_strategy_that_the_book_or_its_parameters_contradict(
    tmp_path: Path, old: str, new: str, begins: str, said: list[str]
) -> None:
    (found,) = faults_of(tmp_path, "strategies: [reference, own.yaml]\n", own=spoilt(OWN, old, new))
    assert found.startswith(begins)
    assert [words for words in said if words not in found] == []


def test_a_book_without_arrears_gives_no_hours_by_arrears() -> None:
    """One fault a pool, whatever rungs ask it, with the reason and what to write instead."""
    agents = {"agents": {"hours_per_100_in_arrears": 20, "cost_per_hour": 30}}
    rungs = [rung(action, pool="agents", hours_per_contact=0.5) for action in ("phone", "sms")]
    with pytest.raises(InputError) as caught:
        check_hours(ladder(*rungs, pools=agents), equal_loans(300))
    (fault,) = caught.value.faults
    assert "pool agents has 0 hours a month for 0 loans past due at the as-of date, less than one of" in str(fault)
    assert str(fault).endswith(
        "Write hours_per_month or hours_per_1000_loans: arrears of a young book are still to come."
    )


def test_a_pool_that_suffices_for_one_loan_is_enough(tmp_path: Path) -> None:
    enough = spoilt(OWN, "hours_per_1000_loans: 20", "hours_per_month: 0.5")
    assert inputs_of(tmp_path, "strategies: [own.yaml]\n", own=enough).servicing().name == "own"


SEEN = [
    # what is replaced in the strategy that the set was observed under, by what, the fault
    ("who: {from_days: 31}", "who: {from_days: 31, tracker: true}", "observed.yaml:6:5: strategy observed, under which parameters were observed, has conditions in rung letter; expected days past due as the only condition."),
    ("{action: extension}", "{action: plan, accepted_percent: {hardship: 20}}", "observed.yaml:8:5: strategy observed, under which parameters were observed, has rung plan; expected effects that multiply intensities. What it brings is in the set's figures."),
    ("reach_percent: 40", "reach_percent: 40, finds_car: 2", "observed.yaml:7:88: strategy observed, under which parameters were observed, has finds_car = 2; expected 1. What its visits find is in the set's share of cars found."),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), SEEN)
def test_what_a_set_was_observed_under_tells_loans_apart_by_days_alone(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = spoilt(STUDY, "parameters: us_subprime\nsc", "parameters: set.yaml\nsc")
    (found,) = faults_of(
        tmp_path,
        "strategies: [none]\n",
        text,
        set=own_set("observed.yaml"),
        observed=spoilt(OBSERVED, old, new),
    )
    assert found == said


# --- runs, results and what a file keeps ------------------------------------------------------------------


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> StudyInputs:
    more = "strategies: [own.yaml, reference, field.yaml]\nsensitivity_range: false\n"
    return inputs_of(tmp_path_factory.mktemp("compared"), more, own=OWN, field=FIELD)


@pytest.fixture(scope="module")
def results(compared: StudyInputs) -> xr.Dataset:
    return run_study(compared, size=SIZE)


def test_runs_are_named_by_scenario_and_strategy(compared: StudyInputs) -> None:
    names = [
        f"{scenario} / {name}"
        for scenario in ("baseline", "severely_adverse")
        for name in ("own", "reference", "field")
    ]
    assert list(compared.run_names().values()) == names
    assert compared.runs() == dict.fromkeys(names, 8)
    told: list[str] = []
    run_study(compared.with_run(paths=1), size=SIZE, progress=lambda name, _: told.append(name))
    assert list(dict.fromkeys(told)) == names


def test_results_have_a_place_for_every_strategy_pool_rung_and_incident(results: xr.Dataset) -> None:
    assert results["strategy"].values.tolist() == ["own", "reference", "field"]
    assert results["pool"].values.tolist() == ["agents", "cars"]
    assert results["rung"].values.tolist() == ["phone", "repossession", "visit", "extension"]
    assert results["incident"].values.tolist() == list(INCIDENTS)
    capacity = results["pool_capacity"].isel(scenario=0, path=0, month=0, programme=0)
    assert capacity.sel(strategy="own").values.tolist() == [6.0, 0.0]  # 20 hours for each thousand of 300 loans
    assert capacity.sel(strategy="field").values.tolist() == [0.0, 30.0]
    served = results["rung_served_mean"].sum("month").isel(programme=0)
    acts = (served > 0).all("scenario").transpose("strategy", "rung").values.tolist()
    assert acts == [[True, True, False, False], [False] * 4, [False, False, True, True]]
    complaints = results["incident_count"].sel(incident="complaint").sum(["scenario", "programme", "path", "month"])
    assert (complaints > 0).values.tolist() == [False, False, True]
    np.testing.assert_allclose(
        results["incident_cost"].sum("path"), 100.0 * results["incident_count"].sum(["path", "incident"]), rtol=1e-12
    )


def test_strategies_share_the_draws_that_none_of_them_touches(results: xr.Dataset) -> None:
    """Car prices, factors, and what loans that open the first month without arrears do in it."""
    assert "strategy" not in results["global_factor"].dims
    first = results["transition_count_mean"].sel(month=1)
    for name in ("reference", "field"):
        for each in (results["used_car_index"], first.sel(from_bucket="current")):
            np.testing.assert_array_equal(each.sel(strategy="own"), each.sel(strategy=name))
    late = first.drop_sel(from_bucket="current")
    assert (late.sel(strategy="own") != late.sel(strategy="field")).any()


def test_what_a_results_file_keeps_is_run_again_to_the_same_bits(
    compared: StudyInputs, results: xr.Dataset, tmp_path: Path
) -> None:
    (tmp_path / "results.nc").write_bytes(b"a results file")
    again = inputs_from_store(inputs_to_store(compared), tmp_path / "results.nc")
    assert again.study.model_dump() == compared.study.model_dump()
    for found, kept in ((again.strategies, compared.strategies), (again.observed, compared.observed)):
        assert [item and item.model_dump() for item in found] == [item and item.model_dump() for item in kept]
    assert again.strategies[1] is None
    assert again.runs() == compared.runs()
    xr.testing.assert_identical(run_study(again, size=SIZE), results)


# --- at the command ----------------------------------------------------------------------------------------


def test_a_study_with_a_faulty_strategy_is_exit_code_3_at_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.yaml").write_text(spoilt(OWN, "pool: agents", "pool: agent"), "utf-8")
    study_file(tmp_path, STUDY + "strategies: [own.yaml]\n")
    answer = carstress("run", "study.yaml", "-q")
    assert (answer.code, answer.out) == (3, "")
    assert "own.yaml:10:11: ladder[0].pool = agent, a pool that does not exist" in answer.err
    assert not Path("runs").exists()


def test_rungs_for_devices_that_no_car_has_are_told(tmp_path: Path) -> None:
    from outputs.caveats import caveats

    inputs = inputs_of(tmp_path, "strategies: [tracker_repossession]\n")
    assert not inputs.tape["tracker"].any()
    said = [text for text in caveats(inputs, ()) if text.startswith("No loan of the book meets the conditions of")]
    assert len(said) == 1
    assert "of strategy tracker_repossession" in said[0]


def test_rungs_that_ask_what_the_spell_has_shown_are_named(tmp_path: Path) -> None:
    """Such a rung acts neither before the first close nor after the horizon (P13); one by amounts does."""
    from outputs.caveats import caveats

    large = spoilt(OWN, "{to_days: 89}", "{to_days: 89, from_balance: 5000}")
    again = large.replace("- {action: repossession}", "- {action: repossession, who: {after: [phone]}}")
    said = {
        name: [
            text for text in caveats(inputs_of(tmp_path, "strategies: [own.yaml]\n", own=own), ()) if "(P13)" in text
        ]
        for name, own in {"large": large, "again": again}.items()
    }
    assert said["large"] == []
    (text,) = said["again"]
    assert text.startswith("repossession of strategy own asks what a spell of arrears has shown, and so acts on nobody")
