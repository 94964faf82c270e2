"""The shipped strategies: sound, lawful, sourced; references stay neutral, and the arithmetic that they state holds."""

from __future__ import annotations

import math
import re
from itertools import pairwise, product
from pathlib import Path

import pytest
from scipy.optimize import brentq

from calibration.library import find_parameter_set, parameter_set_names
from command_line import carstress
from scenarios.ladder import loans_of, rungs_of
from scenarios.library import find_rules, find_strategy, library_names
from scenarios.rule_checks import rule_problems
from scenarios.rungs import AnyRung, Extension, Letter, PhoneCall, Repossession, Sms, Visit
from scenarios.strategy import STRATEGIES, CollectionStrategy
from scenarios.vocabulary import ACTIONS, REFERENCE_STRATEGY
from simulator.ladder_mean import buckets_of

NAMES = library_names("strategies")
REFERENCES = ("reference_cn", "reference_us")
WORKING = tuple(name for name in NAMES if name != "none")


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
        "strict_underwriting",
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
    if strategy.underwriting is not None:
        parts["underwriting"] = strategy.underwriting.source
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


def neutral(cure: float, strategy: CollectionStrategy, day: int) -> float:
    """What divides the cure's intensity by (P5), where cures race alone: the mean over who is reached is `cure`."""
    rungs = [
        (item.reach_percent / 100.0, item.effect.cure)
        for item in strategy.ladder
        if item.who.from_days <= day <= item.who.to_days and item.effect.cure != 1.0
    ]

    def mean(divisor: float) -> float:
        total = 0.0
        for hits in product((False, True), repeat=len(rungs)):
            weight = math.prod(reach if hit else 1.0 - reach for hit, (reach, _) in zip(hits, rungs, strict=True))
            effect = math.prod(effect for hit, (_, effect) in zip(hits, rungs, strict=True) if hit)
            total += weight * (1.0 - math.exp(-intensity(cure) * effect / divisor))
        return total - cure

    return float(brentq(mean, 0.1, 20.0))


def told(strategy: CollectionStrategy) -> str:
    return " ".join(strategy.description.split())


def test_the_arithmetic_of_reference_us_is_that_of_its_description() -> None:
    strategy = find_strategy("reference_us")
    early = rung(strategy, "call_early")
    without = 0.415 - 0.30 * 0.344  # published cure less who is reached times what it does to them
    assert f"{without:.3f}" == "0.312"
    assert early.reach_percent == 30.0
    assert early.effect.cure == pytest.approx(intensity(without + 0.344) / intensity(without), abs=0.02)
    assert rung(strategy, "call_middle").effect.cure == pytest.approx(intensity(0.39) / intensity(0.24), abs=0.01)
    assert rung(strategy, "call_late").effect.cure == pytest.approx(intensity(0.20) / intensity(0.12), abs=0.01)
    found = [neutral(cure, strategy, day) for cure, day in ((0.415, 30), (0.27, 60), (0.13, 90))]
    assert "by about " + "{:.2f}, {:.2f} and {:.2f} in the three buckets".format(*found) in told(strategy)
    left = [1.0 - math.exp(-intensity(cure) / each) for cure, each in zip((0.415, 0.27, 0.13), found, strict=True)]
    words = "leaves {:.3f} of a cure of .415, {:.3f} of .27 and {:.3f} of .13".format(*left).replace("0.", ".")
    assert words in told(strategy)


def test_the_arithmetic_of_reference_cn_is_that_of_its_description() -> None:
    strategy = find_strategy("reference_cn")
    found = [neutral(cure, strategy, day) for cure, day in ((0.74, 1), (0.245, 31), (0.22, 61), (0.12, 91))]
    assert "about {:.2f} in M1, {:.2f} in M2, {:.2f} in M3 and {:.2f} later".format(*found) in told(strategy)
    transitions = {row.from_bucket: row.to for row in find_parameter_set("cn_auto_finance").transitions}
    assert transitions["M1"]["current"] == 0.74
    assert transitions["M2"]["current"] + transitions["M2"]["M1"] == pytest.approx(0.245)
    assert sum(transitions["M3"][state] for state in ("current", "M1", "M2")) == pytest.approx(0.22)


@pytest.mark.parametrize("cure", [0.34, 0.415, 0.49])
def test_calls_add_what_the_evidence_allows(cure: float) -> None:
    """8 to 12 points of cure at 30 to 59 days, over the range of published cures."""
    strategy = find_strategy("reference_us")
    calls = neutral(cure, strategy, 30) / rung(strategy, "sms").effect.cure
    assert 0.08 <= cure - (1.0 - math.exp(-intensity(cure) / calls)) <= 0.12


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
