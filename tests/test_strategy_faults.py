"""What a ladder contradicts itself in is refused, each with its place, what stands there and what to do."""
# ruff: noqa: E501  # a table has one case a line

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import carstress
from scenarios.errors import InputError
from scenarios.load import spec_from_text
from scenarios.strategy import CollectionStrategy
from strategy_texts import RULES, STRATEGY, spoilt

SMS = "- {action: sms, who: {to_days: 30}, reach_percent: 90, effect: {cure: 1.1}}"
CALL = "    who: {to_days: 60}\n    pool: agents"
FIRM = "- {action: phone, name: firm_call, who: {from_days: 61, after: [visit]}, contacts_per_month: 13}"
PLAN = "- {action: plan, who: {from_days: 31, revealed: [hardship]}, accepted_percent: {hardship: 20}}"
WRITE_OFF = "- {action: write_off, who: {from_days: 121}}"

# what is replaced, by what, what is said
CASES = [
    # pools
    ("hours_per_month: 320, ", "", ["own.yaml:8:11: pools.agents has no capacity; expected hours_per_month or hours_per_1000_loans or hours_per_100_in_arrears or unlimited: true.", "Write hours for the whole book"]),
    ("hours_per_month: 320, ", "hours_per_month: 320, hours_per_1000_loans: 9, ", ["pools.agents has two capacities; expected one of hours_per_month and hours_per_1000_loans. Take one out."]),
    ("{hours_per_1000_loans: 100, field", "{unlimited: true, field", ["own.yaml:9:52: pools.visitors is unlimited and hires; expected hours that can grow. Take `hiring` out."]),
    ("pool: agents\n", "pool: agent\n", ["own.yaml:15:11: ladder[1].pool = agent, a pool that does not exist; expected one of agents, visitors. Did you mean `agents`?", "own.yaml:8:11: pools.agents does no rung's work; expected a rung that names it."]),
    ("    hours_per_contact: 4\n", "", ["own.yaml:22:11: rung visit takes no hours of pool visitors; expected `hours_per_contact:` beside `pool:`. Write 0.25"]),
    ("reach_percent: 90", "hours_per_contact: 1", ["own.yaml:11:58: rung sms takes hours of no pool; expected `pool:` beside it. Name the pool"]),
    ("    contacts_per_week: 3\n", "    contacts_per_week: 3\n    contacts_per_month: 9\n", ["own.yaml:16:24: rung call has two numbers of contacts; expected contacts_per_month or contacts_per_week. Take one out; a month has 52/12 weeks."]),
    ("hours_per_contact: 0.25", "hours_per_contact: 25", ["own.yaml:17:24: rung call is never carried out: one loan asks 325 hours a month of pool agents; expected at most the 320 that it can have. Write fewer hours"]),
    ("hours_per_month: 320, ", "hours: 320, ", ["unknown key pools.agents.hours; expected one of cost_per_hour, field, hiring, hours_per_1000_loans, hours_per_100_in_arrears, hours_per_month, priority, source, unlimited."]),
    # names
    ("name: own\n", "name: reference\n", ["own.yaml:2:7: name = reference, which is reserved; expected another name. `reference` stands for loans worked"]),
    ("name: own\n", 'name: "my own"\n', ["own.yaml:2:7: name = ", "no blanks, and no letters but a to z and A to Z"]),
    ("    name: call\n", "    name: sms\n", ["own.yaml:13:11: rung sms for the second time; expected names that differ. Give one of them a `name:` of its own."]),
    ("after: [visit]", "after: [visitt]", ["own.yaml:30:67: after: visitt, which is no rung; expected one of sms, call, visit", "Did you mean `visit`?"]),
    ("after: [visit]", "after: [repossession]", ["own.yaml:30:67: rung firm_call comes after rung repossession, which stands below it; expected an earlier rung. Move the rung down"]),
    ("after: [visit]", "after: [firm_call]", ["rung firm_call comes after itself; expected an earlier rung."]),
    # days and ranges
    ("{from_days: 31, to_days: 90}", "{from_days: 91, to_days: 90}", ["rung visit: to_days = 90, which comes before from_days = 91; expected at least 91. Swap them."]),
    (SMS, "- {action: sms, who: {to_days: 30, from_balance: 9000, to_balance: 900}}", ["own.yaml:11:70: rung sms: to_balance = 900, which is below from_balance = 9000; expected at least 9000. Swap them."]),
    (SMS, "- {action: sms, who: {to_days: 30, from_ltv_percent: 120, to_ltv_percent: 80}}", ["rung sms: to_ltv_percent = 80, which is below from_ltv_percent = 120"]),
    # rungs that nobody reaches
    (WRITE_OFF, "- {action: write_off, who: {from_days: 60}}", ["own.yaml:33:22: rung repossession does nothing: all loans are written off from day 60 on; expected days before 60. Let it begin earlier, or the `write_off` later."]),
    ("    who: {from_days: 31, to_days: 90}", "    reveals: false\n    who: {from_days: 31, to_days: 90}", ["own.yaml:30:51: rung plan waits for types that nobody reveals; expected a visit that reveals types. Add a `visit` before it, or `unknown` to the list."]),
    ("    who: {from_days: 31, to_days: 90}", "    reach_percent: 0\n    who: {from_days: 31, to_days: 90}", ["rung plan waits for types that nobody reveals"]),
    ("    who: {from_days: 31, to_days: 90}", "    who: {from_days: 31, to_days: 90, revealed: [strategic]}", ["rung visit waits for types that nobody reveals", "rung plan waits for types that nobody reveals"]),
    (PLAN, "- {action: plan, who: {to_days: 30, revealed: [hardship]}, accepted_percent: {hardship: 20}}", ["own.yaml:29:49: rung plan ends on day 30, before the first visit reveals a type (day 31); expected a visit that begins earlier. Let it run to day 31."]),
    (SMS, "- {action: sms, who: {to_days: 30, after: [visit]}}", ["comes after rung visit, which stands below it"]),
    ("{from_days: 61, after: [visit]}", "{from_days: 61, after: [visit], unless: [visit]}", ["own.yaml:30:83: rung firm_call is never reached: it comes after rung visit and is barred by it; expected a rung that need not come before. Take one of the two out."]),
    ("{from_days: 31, to_days: 90}", "{from_days: 31, to_days: 90, tracker: true}\n    once: true", []),
    # overlaps
    ("who: {to_days: 60}", "who: {to_days: 61}", []),  # laid on top of it on purpose: `after`
    (FIRM, "- {action: phone, name: firm_call, who: {from_days: 60}, contacts_per_month: 13}", ["own.yaml:30:43: rungs call and firm_call overlap: both are for days 60 to 60 past due; expected each loan on one rung of an action. End one before the other begins"]),
    (FIRM, "- {action: phone, name: firm_call, who: {from_days: 60, revealed: [unknown, hardship]}}", ["rungs call and firm_call overlap"]),
    # units
    ("reach_percent: 90", "reach_percent: 0.9", ["own.yaml:11:54: reach_percent = 0.9, which looks like a fraction; expected 0, or 1 and more. Shares are in percent: write 90 for 90 %."]),
    ("commission_percent: 20", "commission_percent: 0.22", ["commission_percent = 0.22, which looks like a fraction", "write 22 for 22 %"]),
    ("won_percent: 90", "won_percent: 0.95", ["won_percent = 0.95, which looks like a fraction", "write 95 for 95 %"]),
    ("enforced_percent: 20", "enforced_percent: 0.2", ["enforced_percent = 0.2, which looks like a fraction", "write 20 for 20 %"]),
    ("cost_percent: 10", "cost_percent: 0.1", ["cost_percent = 0.1, which looks like a fraction", "write 10 for 10 %"]),
    ("cost_percent: 10", "cost_percent: 0.88", []),  # a court's fee alone on a large claim
    ("price_percent: 5", "price_percent: 0.05", ["price_percent = 0.05, which looks like a fraction", "write 5 for 5 %"]),
    ("price_percent: 5", "price_percent: 0.8", []),  # old debts sold for less than 1 %
    ("backfire_percent: 10", "backfire_percent: 0.1", ["backfire_percent = 0.1, which looks like a fraction", "write 10 for 10 %"]),
    ("accepted_percent: {hardship: 20}", "accepted_percent: {hardship: 0.2, strategic: 0.05}", ["accepted_percent.hardship = 0.2, the largest of the offer, which looks like a fraction; expected a type of whom 1 percent or more accept.", "write 20 for 20 %"]),
    ("accepted_percent: {hardship: 20}", "accepted_percent: {hardship: 20, strategic: 0.05}", []),
    ("who: {from_days: 91}, commission", "who: {from_days: 91, from_ltv_percent: 1.2}, commission", ["from_ltv_percent = 1.2, which looks like a fraction; expected 0, or 5 and more.", "write 120 for 120 %"]),
    ("step_percent: 5", "step_percent: 0.05", ["step_percent = 0.05, which looks like a fraction", "write 5 for 5 %"]),
    ("with_probability_percent: 95", "with_probability_percent: 0.95", ["with_probability_percent = 0.95, which looks like a fraction", "write 95 for 95 %"]),
    ("incidents: {complaint: 20}", "incidents: {complaint: 0.02, injury: 0.0001}", []),  # rare, and no fraction of anything
    ("effect: {cure: 1.1}", "effect: {cure: 12}", ["own.yaml:11:73: effect.cure = 12, which looks like a percentage; expected 0 to 10. It is a factor: write 1.12 for 12 % more."]),
    ("effect: {cure: 1.1}", "effect: {cure: -1}", ["own.yaml:11:73: ladder[0].effect.cure = -1; expected 0 to 10."]),
    ("hardship: 1.5}", "hardship: 15}", ["effect.cure.hardship = 15, which looks like a percentage", "write 1.15 for 15 % more"]),
    ("    notice_days: 21\n", "    notice_days: 21\n    seized: 20\n", ["seized = 20, which looks like a percentage"]),
    ("won_percent: 90", "won_percent: 190", ["won_percent = 190; expected 0 to 100. Rates are in percent"]),
    ("accepted_percent: {hardship: 20}", "accepted_percent: {hardship: 120}", ["accepted_percent.hardship = 120; expected 0 to 100."]),
    # backfire
    ("    backfire: {cure: 0.7}\n", "", ["own.yaml:26:23: rung visit backfires on 10 percent, and `backfire` changes nothing; expected `backfire:` beside it. Write what it does, as `backfire: {cure: 0.7}`."]),
    ("    backfire: {cure: 0.7}\n", "    backfire: {cure: {hardship: 1}}\n", ["`backfire` changes nothing"]),
    ("    backfire_percent: 10\n", "", ["own.yaml:26:15: rung visit says what a backfire does, and none happens; expected `backfire_percent:` above 0."]),
    # hours and notices
    ("who: {from_days: 61}\n    notice_days: 21", "who: {from_days: 21}\n    notice_days: 21", ["own.yaml:33:22: rung repossession begins on day 21 past due, with 21 days of notice before; expected from_days of at least 22. The notice is sent on the first day past due at the earliest"]),
    ("who: {from_days: 61}\n    notice_days: 21", "notice_days: 21", ["own.yaml:32:5: rung repossession begins on day 1 past due, with 21 days of notice before"]),
    ("{from_days: 31, starter_interrupt: true}", "{from_days: 31}", ["own.yaml:31:38: rung starter_interrupt blocks starters of cars without the device too; expected `who: {starter_interrupt: true}`. Add it to the rung's `who`."]),
    # incidents
    ("kind: complaint", "kind: injury", ["own.yaml:49:19: a limit on incidents of kind injury, at whose rate no rung has a figure; expected a limit that can fail. Write `incidents: {injury: ...}` in the rungs"]),
    ("field: true, ", "", ["own.yaml:48:22: incidents.suspension_months closes no pool; expected a pool with `field: true`. Mark the pools of visitors and trucks"]),
    ("    pool: visitors\n    hours_per_contact: 3", "    pool: agents\n    hours_per_contact: 3", ["rung repossession goes on while field work is suspended: pool agents is no field pool; expected a pool with `field: true`. Write `field: true` in pools.agents."]),
    # amounts
    ("currency: USD\n", "", ["an amount in a strategy without currency; expected `currency:` at the head of the file. Write `currency: USD`"]),
    ("action: phone\n    name: call", "action: phon\n    name: call", ["`action:` with one of sms, letter, phone"]),
    ("    staff: 2\n", "    staf: 2\n", ["own.yaml:24:5: unknown key ladder[2].staf", "Did you mean `staff`?"]),
]  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the rules that the strategy names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_rules.yaml").write_text(RULES, "utf-8")
    return tmp_path


def test_the_strategy_is_sound_before_it_is_spoilt(here: Path) -> None:
    (here / "own.yaml").write_text(STRATEGY, "utf-8")
    assert carstress("validate", "own.yaml", "own_rules.yaml").code == 0


@pytest.mark.parametrize(("old", "new", "said"), CASES)
def test_a_contradiction_is_told_with_its_place(here: Path, old: str, new: str, said: list[str]) -> None:
    (here / "own.yaml").write_text(spoilt(STRATEGY, old, new), "utf-8")
    answer = carstress("validate", "own.yaml")
    assert answer.code == (3 if said else 0), answer.err
    for words in said:
        assert words in answer.err


@pytest.mark.parametrize(
    ("old", "new"),
    [("effect: {cure: 1.1}", "effect: {cure: 25}"), ("hours_per_month: 320", "hours_per_month: 0"), ("name: own\n", "name: reference\n")],
)  # fmt: skip
def test_one_fault_is_told_once(here: Path, old: str, new: str) -> None:
    (here / "own.yaml").write_text(spoilt(STRATEGY, old, new), "utf-8")
    answer = carstress("validate", "own.yaml")
    assert answer.code == 3
    assert answer.err.count("own.yaml:") == 1, answer.err


def read(ladder: str, head: str = "") -> CollectionStrategy:
    start = "kind: collection_strategy\nname: own\ntitle: Own\nsource: 'assumption: for a test'\ncurrency: USD\n"
    return spec_from_text(start + head + "ladder:\n" + ladder, "own.yaml", CollectionStrategy)


def refused(ladder: str) -> str:
    with pytest.raises(InputError) as error:
        read(ladder)
    return str(error.value)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("{to_days: 30}", "{from_days: 31}"),
        ("{tracker: true}", "{tracker: false}"),
        ("{starter_interrupt: true}", "{starter_interrupt: false}"),
        ("{to_balance: 5000}", "{from_balance: 5000}"),
        ("{from_ltv_percent: 110}", "{to_ltv_percent: 110}"),
        ("{regions: [TX]}", "{regions: [CA, NV]}"),
        ("{tiers: [us_prime]}", "{tiers: [us_subprime]}"),
        ("{unless: [letter]}", "{after: [letter]}"),
        ("{broken_promises: 2}", "{}"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_rungs_of_one_action_that_tell_loans_apart_go_together(one: str, two: str, turned: bool) -> None:
    first, second = (two, one) if turned else (one, two)
    ladder = f"  - {{action: letter, who: {{to_days: 30}}}}\n  - {{action: sms, name: a, who: {first}}}\n  - {{action: sms, name: b, who: {second}}}\n"
    assert read(ladder).labels == ("letter", "a", "b")


@pytest.mark.parametrize(
    ("one", "two", "days"),
    [
        ("{}", "{}", "1 to 3650"),
        ("{to_days: 60}", "{from_days: 31}", "31 to 60"),
        ("{from_days: 31, to_days: 60}", "{to_days: 90}", "31 to 60"),
        ("{regions: [TX, CA]}", "{regions: [CA, NV]}", "1 to 3650"),
        ("{regions: [TX]}", "{}", "1 to 3650"),
        ("{tracker: true}", "{starter_interrupt: true}", "1 to 3650"),
        ("{to_balance: 5000}", "{from_balance: 4000}", "1 to 3650"),
        ("{revealed: [unknown]}", "{revealed: [unknown, hardship]}", "1 to 3650"),
    ],
)
def test_rungs_of_one_action_for_the_same_loans_are_refused(one: str, two: str, days: str) -> None:
    said = refused(
        f"  - {{action: visit}}\n  - {{action: sms, name: a, who: {one}}}\n  - {{action: sms, name: b, who: {two}}}\n"
    )
    assert (
        f"rungs a and b overlap: both are for days {days} past due; expected each loan on one rung of an action" in said
    )
    assert said.startswith("own.yaml:9:")


def test_a_rung_after_one_for_other_loans_is_never_reached() -> None:
    said = refused(
        "  - {action: letter, who: {tracker: true, regions: [TX]}}\n"
        "  - {action: sms, who: {after: [letter]}}\n"
        "  - {action: phone, who: {after: [sms], tracker: false}}\n"
    )
    assert "own.yaml:9:34: rung phone is never reached: rung letter, after which it comes, is for other loans" in said
    assert "expected a rung for the same loans. Compare their tracker, starter_interrupt, regions and tiers." in said
    assert "rung sms" not in said.replace("rung sms,", "")


def test_a_chain_of_rungs_that_bars_its_own_beginning_is_never_reached() -> None:
    said = refused(
        "  - {action: letter}\n  - {action: sms, who: {after: [letter]}}\n"
        "  - {action: phone, who: {after: [sms], unless: [letter]}}\n"
    )
    assert "own.yaml:9:49: rung phone is never reached: it comes after rung letter and is barred by it" in said


def test_a_rung_that_ends_before_the_one_it_comes_after_begins_is_refused() -> None:
    said = refused(
        "  - {action: letter, who: {from_days: 61}}\n  - {action: sms, who: {to_days: 60, after: [letter]}}\n"
    )
    assert "own.yaml:8:45: rung sms ends on day 60, and rung letter, after which it comes, begins on day 61" in said
    assert "expected a rung that begins earlier. Let it run to day 61 or later." in said


def test_a_rung_that_waits_for_promises_nobody_asked_for_is_refused() -> None:
    said = refused("  - {action: sms, who: {broken_promises: 1}}\n  - {action: letter, reach_percent: 0}\n")
    assert "own.yaml:7:42: rung sms waits for broken promises, and no rung reaches a borrower without them" in said
    assert read("  - {action: sms, who: {broken_promises: 1}}\n  - {action: letter}\n").labels == ("sms", "letter")


@pytest.mark.parametrize("narrow", ["who: {from_days: 91, tracker: true}", "who: {from_days: 91}, reach_percent: 50", "who: {from_days: 91, to_days: 120}"])  # fmt: skip
def test_a_write_off_of_some_leaves_the_others_to_later_rungs(narrow: str) -> None:
    assert (
        read(f"  - {{action: write_off, {narrow}}}\n  - {{action: sms, who: {{from_days: 121}}}}\n").labels[1] == "sms"
    )


def test_a_write_off_of_all_ends_the_ladder_wherever_it_stands() -> None:
    for ladder in (
        "  - {action: write_off, who: {from_days: 91}}\n  - {action: sms, who: {from_days: 121}}\n",
        "  - {action: sms, who: {from_days: 121}}\n  - {action: write_off, who: {from_days: 91}}\n",
    ):
        assert "rung sms does nothing: all loans are written off from day 91 on; expected days before 91" in refused(
            ladder
        )
    lasting = "  - {action: write_off, who: {from_days: 91}}\n  - {action: debt_sale, who: {from_days: 91}, price_percent: 5}\n"
    assert read(lasting).labels == ("write_off", "debt_sale")


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        ('["18:00", "09:00"]', "rung phone: between = 18:00 to 09:00, which ends before it begins; expected two times of one day"),
        ('["09:00", "09:00"]', "which ends before it begins"),
        ('["09:00", "24:30"]', "ladder[0].between[1]"),
        ('["9:00", "18:00"]', "ladder[0].between[0]"),
    ],
)  # fmt: skip
def test_hours_of_the_day(hours: str, said: str) -> None:
    assert said in refused(f"  - {{action: phone, between: {hours}}}\n")
    assert read('  - {action: phone, between: ["00:00", "24:00"]}\n').ladder[0].label == "phone"


def test_hiring_makes_room_for_a_loan_that_asks_much() -> None:
    pools = "pools:\n  agents: {hours_per_month: 10, hiring: {step_percent: 10, most_percent: 200}}\n"
    rung = "  - {action: phone, pool: agents, hours_per_contact: %s}\n"
    assert read(rung % 20, pools).pools["agents"].hours_per_month == 10
    with pytest.raises(
        InputError, match=r"one loan asks 20\.5 hours a month of pool agents; expected at most the 20 that"
    ):
        read(rung % 20.5, pools)


def test_all_faults_of_a_file_are_told_at_once_in_its_order(here: Path) -> None:
    text = spoilt(spoilt(STRATEGY, "reach_percent: 90", "reach_percent: 0.9"), "staff: 2", "staff: two")
    (here / "own.yaml").write_text(spoilt(text, "price_percent: 5", "price_percent: 0.05"), "utf-8")
    places = [line.partition(": ")[0] for line in carstress("validate", "own.yaml").err.splitlines()]
    assert places == ["own.yaml:11:54", "own.yaml:24:12", "own.yaml:44:63"]


def test_a_strategy_made_in_python_is_checked_too() -> None:
    ladder = [{"action": "sms"}, {"action": "sms", "name": "again"}]
    with pytest.raises(ValueError, match="rungs sms and again overlap"):
        CollectionStrategy.model_validate({"name": "x", "title": "x", "source": "assumption: a test", "ladder": ladder})
