"""What rungs for loans without arrears and a watch list contradict themselves in is refused, with place and remedy."""
# ruff: noqa: E501  # a table has one case a line

from __future__ import annotations

import pytest

from scenarios.errors import InputError
from scenarios.load import spec_from_text
from scenarios.strategy import CollectionStrategy

HEAD = """\
kind: collection_strategy
name: own
title: A lender's own
source: "assumption: for a test of how files are read"
currency: USD
pools: {agents: {hours_per_month: 20}}
watch_list: {from_hazard_percent: 3, alerts: {hits_percent: 30, right_percent: 20}}
while_current:
  - {action: reminder, averted_percent: {forgetful: 8}}
  - {action: check_in, who: {watched: true}, pool: agents, hours_per_contact: 0.1, averted_percent: 20}
"""

# what is replaced, by what, what is said
CASES = [
    ("{watched: true}, pool: agents", "{watched: true}, pool: agent", ["own.yaml:10:52: while_current[1].pool = agent, a pool that does not exist; expected one of agents. Did you mean `agents`?", "pools.agents does no rung's work"]),
    (", hours_per_contact: 0.1", "", ["rung check_in takes no hours of pool agents; expected `hours_per_contact:` beside `pool:`. Write 0.25 for a quarter of an hour."]),
    ("hours_per_contact: 0.1", "hours_per_contact: 25", ["rung check_in is never carried out: one loan asks 25 hours a month of pool agents; expected at most the 20 that it can have."]),
    ("{action: reminder,", "{action: reminder, hours_per_contact: 1,", ["own.yaml:9:43: rung reminder takes hours of no pool; expected `pool:` beside it."]),
    ("watch_list: {from_hazard_percent: 3, alerts: {hits_percent: 30, right_percent: 20}}\n", "", ["own.yaml:9:39: rung check_in asks who is on a watch list, and there is none; expected `watch_list:`."]),
    ("{from_hazard_percent: 3, alerts: {hits_percent: 30, right_percent: 20}}", "{source: nowhere}", ["own.yaml:7:13: watch_list has no condition, so that nobody is on it; expected from_hazard_percent or from_ltv_percent or alerts."]),
    ("who: {watched: true}, ", "", ["own.yaml:7:13: watch_list changes nothing; expected a rung that asks who is on it. Write `who: {watched: true}`"]),
    ("action: check_in, who: {watched: true}", "action: reminder, name: again, who: {watched: true}", ["own.yaml:10:42: rungs reminder and again overlap: both are for the same loans; expected each loan on one rung of an action."]),
    ("action: check_in, who", "action: check_in, name: reminder, who", ["own.yaml:10:30: rung reminder for the second time; expected names that differ."]),
    ("averted_percent: 20", "averted_percent: 0.02", ["averted_percent = 0.02, which looks like a fraction", "write 2 for 2 %"]),
    ("averted_percent: 20", "averted_percent: 120", ["while_current[1].averted_percent = 120; expected 0 to 100"]),
    ("from_hazard_percent: 3", "from_hazard_percent: 100", ["from_hazard_percent", "less than 100"]),
    ("from_hazard_percent: 3", "from_hazard_percent: 3, from_ltv_percent: 1.2", ["from_ltv_percent = 1.2, which looks like a fraction", "write 120 for 120 %"]),
    ("right_percent: 20", "right_percent: 0.2", ["right_percent = 0.2, which looks like a fraction"]),
    ("action: reminder", "action: sms", ["`action:` with one of reminder, check_in"]),
    ("{watched: true}", "{watched: true, from_days: 1}", ["from_days"]),
    ("averted_percent: 20", 'averted_percent: 20, between: ["20:00", "08:00"]', ["rung check_in: between = 20:00 to 08:00, which ends before it begins"]),
]  # fmt: skip


def read(text: str) -> CollectionStrategy:
    return spec_from_text(text, "own.yaml", CollectionStrategy)


def test_the_text_that_is_spoilt_is_sound() -> None:
    strategy = read(HEAD)
    assert strategy.labels == ("reminder", "check_in")
    assert strategy.watch_list is not None


@pytest.mark.parametrize(("old", "new", "said"), CASES, ids=[f"{new or old[:20]}"[:60] for old, new, _ in CASES])
def test_it_is_refused(old: str, new: str, said: list[str]) -> None:
    assert HEAD.count(old) == 1
    with pytest.raises(InputError) as error:
        read(HEAD.replace(old, new))
    for words in said:
        assert words in str(error.value), str(error.value)


@pytest.mark.parametrize(("one", "two"), [("{watched: true}", "{watched: false}"), ("{tracker: true}", "{tracker: false}"), ("{regions: [TX]}", "{regions: [CA]}"), ("{tiers: [us_prime]}", "{tiers: [us_subprime]}")])  # fmt: skip
def test_rungs_of_one_action_that_tell_loans_apart_go_together(one: str, two: str) -> None:
    rungs = f"  - {{action: reminder, name: a, who: {one}}}\n  - {{action: reminder, name: b, who: {two}}}\n  - {{action: check_in, who: {{watched: true}}, pool: agents, hours_per_contact: 0.1}}\n"
    head, _, _ = HEAD.partition("  - {action")
    assert read(head + rungs).labels == ("a", "b", "check_in")
