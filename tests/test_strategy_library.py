"""The shipped strategies: sound, lawful, sourced; references stay neutral, and the arithmetic that they state holds."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from calibration.library import find_parameter_set, parameter_set_names
from command_line import carstress
from scenarios.ladder import loans_of, rungs_of
from scenarios.library import find_rules, find_strategy, library_names
from scenarios.rule_checks import rule_problems
from scenarios.rungs import AnyRung, Extension, Letter, PhoneCall, Repossession, Sms, Visit
from scenarios.strategy import STRATEGIES, CollectionStrategy
from scenarios.vocabulary import ACTIONS, REFERENCE_STRATEGY
from simulator.ladder import buckets_of, mean_effects

NAMES = library_names("strategies")
REFERENCES = ("reference_cn", "reference_us")
WORKING = tuple(name for name in NAMES if name != "none")
CURE = 0


def rung(strategy: CollectionStrategy, label: str) -> AnyRung:
    return strategy.ladder[strategy.labels.index(label)]


def test_the_shelf_holds_what_studies_compare() -> None:
    assert NAMES == (
        "early_warning",
        "field_early",
        "field_late_compliant",
        "litigate_willful",
        "none",
        "outsource_and_sell",
        "phone_first",
        "reference_cn",
        "reference_us",
        "reminders_only",
        "restructure_first",
        "tracker_repossession",
    )
    assert STRATEGIES.names == (REFERENCE_STRATEGY, *NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_strategy_is_a_file_that_validates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shown.yaml").write_text(carstress("strategy", "show", name).out, "utf-8")
    assert carstress("validate", "shown.yaml").code == 0
    assert find_strategy("shown.yaml").model_dump() == find_strategy(name).model_dump()


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_strategy_says_who_it_is_and_what_it_is_for(name: str) -> None:
    strategy = find_strategy(name)
    assert strategy.name == name
    assert len(strategy.title) <= 60
    assert "\n" not in strategy.title
    assert len(strategy.description) > 200
    assert STRATEGIES.text(name).startswith("# ")


@pytest.mark.parametrize("name", WORKING)
def test_every_figure_names_its_source_with_its_confidence(name: str) -> None:
    strategy = find_strategy(name)
    parts = {f"pool {key}": pool.source for key, pool in strategy.pools.items()}
    parts |= {f"rung {item.label}": item.source for item in strategy.ladder} | {"incidents": strategy.incidents.source}
    for part, source in parts.items():
        assert len(source) > 40, part
        assert re.search(r"\b[HML]\b", source), f"{part} states no confidence"
        assert "assumption" in source or re.search(r"(19|20)\d\d|SSRN|NBER", source), f"{part} names no work"
    assert re.search(r"\(L\)", strategy.source)


@pytest.mark.parametrize("name", WORKING)
def test_a_working_strategy_is_whole(name: str) -> None:
    """It still fetches cars, grants extensions, pays for its people, and field work carries incidents."""
    strategy = find_strategy(name)
    actions = {item.action_name for item in strategy.ladder}
    assert {"repossession", "extension"} <= actions
    country = {"USD": "us", "CNY": "cn"}[strategy.currency or ""]
    assert strategy.rules == country
    assert not list(rule_problems(strategy.model_dump(mode="json", exclude_none=True), find_rules(country)))
    for key, pool in strategy.pools.items():
        works = {item.action_name for item in strategy.ladder if item.pool == key}
        assert pool.field == bool(works & {"visit", "repossession"})
        assert pool.cost_per_hour > 0.0 or works == {"repossession"}  # paid by car, in the parameter set's costs
    for item in strategy.ladder:
        if isinstance(item, Visit | Repossession):
            assert min(item.incidents.complaint, item.incidents.claim, item.incidents.injury) > 0.0
    costs = strategy.incidents.cost
    assert costs.complaint < costs.claim < costs.injury
    assert strategy.incidents.suspension_months in range(3, 25)


def test_nobody_does_anything_under_none() -> None:
    strategy = find_strategy("none")
    assert (strategy.ladder, dict(strategy.pools), strategy.currency) == ((), {}, None)


@pytest.mark.parametrize("name", NAMES)
def test_every_rung_has_loans_in_each_set_of_its_currency(name: str) -> None:
    """A rung whose days hold no bucket of a set would make the strategy unusable with it."""
    strategy = find_strategy(name)
    for each in map(find_parameter_set, parameter_set_names()):
        if each.currency == strategy.currency:
            for item in strategy.ladder:
                assert buckets_of(item, each.buckets.lower_edge_days), f"{item.label} with {each.name}"


@pytest.mark.parametrize("name", WORKING)
def test_calls_and_seizures_leave_no_gap_between_their_rungs(name: str) -> None:
    """From the first day of an action's first rung to the end, unless another action takes over."""
    data = find_strategy(name).model_dump(mode="json", exclude_none=True)
    for action in ("phone", "repossession"):
        days = sorted(loans_of(item).days for _, item in rungs_of(data) if item["action"] == action)
        for (_, end), (start, _) in pairwise(days):
            assert start <= end + 1


# --- reference strategies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REFERENCES)
def test_a_reference_strategy_multiplies_by_days_alone(name: str) -> None:
    """Methodology (P5): its mean effect on a bucket must be known from the ladder."""
    strategy = find_strategy(name)
    for item in strategy.ladder:
        assert isinstance(item, Sms | Letter | PhoneCall | Visit | Extension | Repossession)
        assert set(item.who.model_dump(exclude_defaults=True)) <= {"from_days", "to_days"}
        assert not item.once
        if isinstance(item, Visit):
            assert (item.backfire_percent, item.finds_car) == (0.0, 1.0)
        if isinstance(item, Repossession | Extension):
            assert item.reach_percent == 100.0
            assert (item.seized if isinstance(item, Repossession) else item.granted) == 1.0


def intensity(share: float) -> float:
    return -math.log(1.0 - share)


def ratio(cure: float, points: float) -> float:
    """Of the intensity with calls to that without."""
    return intensity(cure) / intensity(cure - points)


def test_the_arithmetic_of_reference_us_is_that_of_its_description() -> None:
    strategy = find_strategy("reference_us")
    text = " ".join(strategy.description.split())
    early = rung(strategy, "call_early")
    assert early.reach_percent == 30.0
    points = 0.30 * 0.344
    assert points == pytest.approx(0.10, abs=0.005)
    mean = ratio(0.415, 0.10)
    assert f"{mean:.2f}" == "1.42"
    assert early.effect.cure == pytest.approx(1.0 + (mean - 1.0) / 0.30, abs=0.02)
    assert "a ratio of 1.42" in text
    assert intensity(0.315 + 0.344) / intensity(0.315) == pytest.approx(
        2.8, abs=0.05
    )  # what the text says was not used
    assert rung(strategy, "call_middle").effect.cure == pytest.approx(intensity(0.39) / intensity(0.24), abs=0.02)
    assert rung(strategy, "call_late").effect.cure == pytest.approx(intensity(0.20) / intensity(0.12), abs=0.05)
    means = mean_effects(strategy, (0, 30, 60, 90))[1:, CURE]
    np.testing.assert_allclose(means, np.broadcast_to([[1.56], [1.33], [1.25]], (3, 3)), atol=0.006)
    for product in ("1.1 x 1.42 = 1.56", "1.15 x 1.16 = 1.33", "1.15 x 1.09 = 1.25"):
        assert product in text
    np.testing.assert_array_equal(mean_effects(strategy, (0, 1, 31, 61)), mean_effects(strategy, (0, 30, 60, 90)))


def test_the_arithmetic_of_reference_cn_is_that_of_its_description() -> None:
    strategy = find_strategy("reference_cn")
    text = " ".join(strategy.description.split())
    mean = ratio(0.74, 0.10)
    assert f"{mean:.2f}" == "1.32"
    assert rung(strategy, "call_m1").effect.cure == pytest.approx(1.0 + (mean - 1.0) / 0.30, abs=0.05)
    means = mean_effects(strategy, (0, 1, 31, 61, 91, 121, 151))[1:, CURE, 0]
    np.testing.assert_allclose(means, [1.46, 1.42, 1.57, 1.47, 1.47, 1.47], atol=0.01)
    for product in ("1.1 x 1.33 = 1.46 in M1, 1.42 in M2", "1.15 x 1.16 x 1.18 = 1.57", "1.15 x 1.09 x 1.18 = 1.47"):
        assert product in text
    early = find_parameter_set("cn_auto_finance").transitions
    to_current = next(row.to["current"] for row in early if row.from_bucket == "M1")
    assert to_current == 0.74


def test_deflators_of_none_lie_within_what_the_evidence_allows() -> None:
    """Calls add 8 to 12 points of cure at 30 days: without them, and without reminders, no less than half remains."""
    means = mean_effects(find_strategy("reference_us"), (0, 30, 60, 90))[1, CURE, 0]
    calls = means / 1.1
    for cure in (0.34, 0.415, 0.49):
        without = 1.0 - (1.0 - cure) ** (1.0 / calls)
        assert 0.075 <= cure - without <= 0.125


@pytest.mark.parametrize("name", [*REFERENCES, "field_early", "phone_first"])
def test_contact_costs_lie_within_the_range_that_was_assumed(name: str) -> None:
    """A call 1 to 8 USD; a visit 150 to 400 CNY: pool's hours and what comes on top."""
    strategy = find_strategy(name)
    for item in strategy.ladder:
        if item.pool is None or isinstance(item, Repossession):
            continue
        cost = strategy.pools[item.pool].cost_per_hour * (item.hours_per_contact or 0.0) + item.cost_per_contact
        if isinstance(item, Visit):
            assert 150.0 <= cost <= 400.0
        elif strategy.currency == "USD":
            assert 1.0 <= cost <= 8.0
        else:
            assert 1.0 <= cost <= 8.0 * 7.2  # the US range at 7.2 CNY a dollar


def test_the_cost_of_a_claim_is_the_mean_of_its_lognormal() -> None:
    assert find_strategy("reference_us").incidents.cost.claim == pytest.approx(4000 * math.exp(1.3**2 / 2), rel=0.005)


def test_the_compliant_strategy_is_stricter_than_the_early_one() -> None:
    early, late = find_strategy("field_early"), find_strategy("field_late_compliant")
    assert late.incidents.standard < 1.0 < early.incidents.standard
    assert {limit.kind for limit in late.incidents.limits} == {"complaint", "injury"}
    first = [min(item.who.from_days for item in each.ladder if isinstance(item, Visit)) for each in (early, late)]
    assert first == [1, 61]
    assert all(item.staff == 2 for each in (early, late) for item in each.ladder if isinstance(item, Visit))


def test_the_library_uses_every_action_but_the_early_write_off() -> None:
    used = {item.action_name for name in NAMES for item in find_strategy(name).ladder}
    assert set(ACTIONS) - used == {"write_off"}
