"""A ladder against rules of contact: what breaks them is told with the rule, and what can meet on one loan is counted."""
# ruff: noqa: E501  # a table has one case a line

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from command_line import carstress
from scenarios.contact_rules import ContactRules
from scenarios.errors import InputError
from scenarios.ladder import exclude, heaviest_with, label_of, loans_of, required_by, weekly_contacts
from scenarios.library import check_strategy, find_rules, find_strategy, library_names
from scenarios.load import spec_from_text
from scenarios.strategy import CollectionStrategy
from strategy_texts import RULES, STRATEGY, spoilt

FIRM = "{action: phone, name: firm_call, who: {from_days: 61, after: [visit]}, contacts_per_month: 13}"

# what is replaced in the strategy, by what, what is said
BREACHES = [
    ("contacts_per_week: 3", "contacts_per_week: 9", "own.yaml:16:24: rung call makes 9 calls a week to one loan; expected at most 7 (rules own_rules: Act 1 of Ruritania). Write `contacts_per_week: 7` or less."),
    ("contacts_per_week: 3", "contacts_per_month: 31", "own.yaml:16:25: rung call makes 7.154 calls a week to one loan; expected at most 7"),
    ("who: {to_days: 60}", "who: {to_days: 90}", ""),  # 3 a week and 13 a month are 6
    (FIRM, FIRM.replace("61", "60").replace("contacts_per_month: 13", "contacts_per_week: 5"), "own.yaml:30:95: rungs call and firm_call together make 8 calls a week to one loan; expected at most 7 (rules own_rules: Act 1 of Ruritania). Write `contacts_per_week: 4` or less here."),
    ('hours_per_contact: 0.25\n    between: ["09:00", "18:00"]', 'hours_per_contact: 0.25\n    between: ["07:30", "21:30"]', 'own.yaml:18:14: rung call works from 07:30 to 21:30; expected 08:00 to 21:00 (rules own_rules: Act 3 of Ruritania). Write `between: ["08:00", "21:00"]`.'),
    ('hours_per_contact: 0.25\n    between: ["09:00", "18:00"]', 'hours_per_contact: 0.25\n    between: ["21:00", "23:00"]', 'Write `between: ["08:00", "21:00"]`.'),
    ('staff: 2\n    between: ["09:00", "18:00"]', 'staff: 2\n    between: ["08:00", "18:00"]', 'own.yaml:25:14: rung visit works from 08:00 to 18:00; expected 08:30 to 20:00 (rules own_rules: Act 5 of Ruritania). Write `between: ["08:30", "18:00"]`.'),
    ("    staff: 2\n", "    staff: 1\n", "own.yaml:24:12: rung visit sends 1 visitor; expected at least 2 (rules own_rules: Act 4 of Ruritania). Write `staff: 2`; `hours_per_contact` counts the hours of all of them."),
    ("    staff: 2\n", "", "own.yaml:20:5: rung visit sends 1 visitor; expected at least 2"),
    ("notice_days: 21", "notice_days: 14", "own.yaml:34:18: rung repossession gives 14 days of notice; expected at least 20 (rules own_rules: Act 6 of Ruritania). Write `notice_days: 20`."),
    ("    who: {from_days: 61}\n    notice_days: 21", "    who: {from_days: 15}\n    notice_days: 14", "Write `notice_days: 20`, and `from_days: 21` or later."),
    ("    notice_days: 21\n", "", "own.yaml:32:5: rung repossession gives 0 days of notice; expected at least 20"),
    (", notice_days: 10}", "}", "own.yaml:31:5: rung starter_interrupt gives 0 days of notice; expected at least 10 (rules own_rules: Act 7 of Ruritania). Write `notice_days: 10`."),
    ("rules: own_rules.yaml", "rules: own_rulez.yaml", "own.yaml:6:8: the file own_rulez.yaml does not exist; expected the path of a rule set. Did you mean `own_rules.yaml`?"),
    ("rules: own_rules.yaml", "rules: uk", "own.yaml:6:8: unknown rule set `uk`; expected one of cn, us, or a path ending in .yaml."),
]  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the rules that the strategy names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_rules.yaml").write_text(RULES, "utf-8")
    return tmp_path


@pytest.mark.parametrize(("old", "new", "said"), BREACHES)
def test_a_breach_is_told_with_its_place_and_the_rule(here: Path, old: str, new: str, said: str) -> None:
    (here / "own.yaml").write_text(spoilt(STRATEGY, old, new), "utf-8")
    for command in (("validate", "own.yaml"), ("strategy", "show", "own.yaml")):
        answer = carstress(*command)
        assert answer.code == (3 if said else 0), answer.err
        assert said in answer.err


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('  per_7_days: {value: 7, source: "Act 1 of Ruritania: seven calls", confidence: H}\n', "at most 21 (rules own_rules: Act 2"),
        ('  per_day: {value: 3, source: "Act 2 of Ruritania: three a day", confidence: M}\n', "at most 7 (rules own_rules: Act 1"),
    ],
)  # fmt: skip
def test_a_daily_bound_holds_seven_times_a_week(here: Path, rule: str, said: str) -> None:
    (here / "own_rules.yaml").write_text(spoilt(RULES, rule, ""), "utf-8")
    (here / "own.yaml").write_text(spoilt(STRATEGY, "contacts_per_week: 3", "contacts_per_week: 22"), "utf-8")
    assert said in carstress("validate", "own.yaml").err


def test_a_rule_that_is_left_out_is_unregulated(here: Path) -> None:
    (here / "own_rules.yaml").write_text("kind: contact_rules\nname: free\ntitle: No rules\n", "utf-8")
    text = spoilt(STRATEGY, "contacts_per_week: 3", "contacts_per_week: 90")
    text = spoilt(text, "staff: 2\n", "staff: 1\n").replace("notice_days: 21\n", "notice_days: 0\n")
    (here / "own.yaml").write_text(text, "utf-8")
    assert carstress("validate", "own.yaml").code == 0


def test_a_rung_on_top_of_the_full_number_is_to_go(here: Path) -> None:
    text = spoilt(
        spoilt(STRATEGY, "contacts_per_week: 3", "contacts_per_week: 7"), "who: {to_days: 60}", "who: {to_days: 90}"
    )
    (here / "own.yaml").write_text(text, "utf-8")
    said = carstress("validate", "own.yaml").err
    assert "rungs call and firm_call together make 10 calls a week" in said
    assert "Take the rung out, or let the others call less." in said


def test_all_breaches_are_told_at_once(here: Path) -> None:
    text = spoilt(STRATEGY, "contacts_per_week: 3", "contacts_per_week: 8")
    (here / "own.yaml").write_text(
        spoilt(spoilt(text, "staff: 2\n", "staff: 1\n"), "notice_days: 21", "notice_days: 1"), "utf-8"
    )
    with pytest.raises(InputError) as error:
        find_strategy("own.yaml")
    assert [fault.where for fault in error.value.faults] == ["own.yaml:16:24", "own.yaml:24:12", "own.yaml:34:18"]


def test_a_rung_too_many_is_told_once_and_not_again_of_those_below_it(here: Path) -> None:
    text = spoilt(
        spoilt(STRATEGY, "contacts_per_week: 3", "contacts_per_week: 8"), "who: {to_days: 60}", "who: {to_days: 90}"
    )
    (here / "own.yaml").write_text(text, "utf-8")
    assert carstress("validate", "own.yaml").err.count("calls a week") == 1


def test_a_strategy_made_in_python_is_held_against_its_rules() -> None:
    made = CollectionStrategy.model_validate(
        {"name": "made", "title": "x", "source": "assumption: a test", "rules": "us",
         "ladder": [{"action": "phone", "contacts_per_week": 8}]}
    )  # fmt: skip
    with pytest.raises(InputError, match=r"made: ladder\[0\].contacts_per_week: rung phone makes 8 calls a week"):
        check_strategy(made)
    check_strategy(made.model_copy(update={"rules": None}))


# --- files of rules -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('["08:00", "21:00"]', '["21:00", "08:00"]', "own_rules.yaml:7:20: calls.between = 21:00 to 08:00, which ends before it begins; expected two times of one day"),
        ("value: 7,", "value: 0,", "own_rules.yaml:5:23: calls.per_7_days.value = 0; expected 1 to 1000"),
        ('source: "Act 1 of Ruritania: seven calls"', 'source: "Act 1"', "calls.per_7_days.source"),
        ("visits:", "visit:", "Did you mean `visits`?"),
        ('seven calls", confidence: H', 'seven calls", confidence: X', "expected `H`, `M` or `L`"),
    ],
)  # fmt: skip
def test_a_fault_of_the_rules_is_told_with_its_place(here: Path, old: str, new: str, said: str) -> None:
    (here / "own_rules.yaml").write_text(spoilt(RULES, old, new), "utf-8")
    (here / "own.yaml").write_text(STRATEGY, "utf-8")
    for name in ("own_rules.yaml", "own.yaml"):
        answer = carstress("validate", name)
        assert answer.code == 3
        assert said in answer.err


def figures(rules: ContactRules) -> dict[str, dict[str, Any]]:
    found = rules.model_dump(mode="json", exclude_none=True)
    groups = ("calls", "visits", "repossession", "starter_interrupt")
    return {f"{group}.{key}": rule for group in groups for key, rule in found[group].items()}


def test_the_shipped_rules_have_the_figures_of_their_statutes() -> None:
    us, cn = ({key: rule["value"] for key, rule in figures(find_rules(name)).items()} for name in ("us", "cn"))
    assert us == {
        "calls.per_7_days": 7,
        "calls.between": ["08:00", "21:00"],
        "visits.between": ["08:00", "21:00"],
        "repossession.notice_days": 21,
        "starter_interrupt.notice_days": 10,
    }
    assert cn == {
        "calls.per_day": 3,
        "calls.between": ["08:00", "22:00"],
        "visits.between": ["08:00", "22:00"],
        "visits.staff": 2,
    }


@pytest.mark.parametrize("name", library_names("rules"))
def test_every_shipped_rule_cites_a_text_and_an_assumption_is_low(name: str) -> None:
    rules = find_rules(name)
    assert rules.name == name
    assert "not checked" in rules.description
    for rule in figures(rules).values():
        assert any(character.isdigit() for character in rule["source"]) or rule["source"].startswith("assumption")
        assert rule["confidence"] == "L" or not rule["source"].startswith("assumption")


# --- which rungs can meet on one loan -------------------------------------------------------------------

DAYS, AMOUNTS, PLACES = (1, 31, 61, 91), (100.0, 200.0, 300.0), ("TX", "CA", "NV")
PAIR = st.tuples(st.sampled_from(DAYS), st.sampled_from(DAYS)).map(sorted)
WHO = st.fixed_dictionaries(
    {"from_days": st.sampled_from(DAYS)},
    optional={
        "to_days": st.sampled_from((30, 60, 90, 120)),
        "from_balance": st.sampled_from(AMOUNTS),
        "to_balance": st.sampled_from(AMOUNTS),
        "tracker": st.booleans(),
        "regions": st.lists(st.sampled_from(PLACES), min_size=1, max_size=2, unique=True),
        "revealed": st.lists(
            st.sampled_from(("unknown", "hardship", "strategic")), min_size=1, max_size=2, unique=True
        ),
    },
)
EVERY_LOAN = list(
    itertools.product(DAYS, (50.0, 150.0, 250.0, 350.0), (True, False), PLACES, ("unknown", "hardship", "strategic"))
)
"""One loan of every kind that conditions drawn above can tell apart."""


def fits(who: dict[str, Any], loan: tuple[int, float, bool, str, str]) -> bool:
    """Whether a rung is for a loan, written out as methodology (P1) says it."""
    day, balance, tracker, region, known = loan
    return (
        who["from_days"] <= day <= who.get("to_days", 3650)
        and who.get("from_balance", 0.0) <= balance <= who.get("to_balance", 1e9)
        and who.get("tracker", tracker) == tracker
        and region in who.get("regions", PLACES)
        and known in who.get("revealed", (known,))
    )


@settings(max_examples=200, deadline=None)
@given(whos=st.lists(WHO, min_size=1, max_size=5), weights=st.lists(st.integers(1, 9), min_size=5, max_size=5))
def test_the_most_calls_are_those_that_some_loan_gets(whos: list[dict[str, Any]], weights: list[int]) -> None:
    rungs: list[dict[str, Any]] = [
        {"action": "phone", "name": str(place), "who": who, "contacts_per_week": weight}
        for place, (who, weight) in enumerate(zip(whos, weights, strict=False))
    ]
    last, before = rungs[-1], rungs[:-1]
    if not any(fits(last["who"], loan) for loan in EVERY_LOAN):
        return  # days that hold no bucket, or no balance: refused elsewhere
    counted = max(
        sum(rung["contacts_per_week"] for rung in rungs if fits(rung["who"], loan))
        for loan in EVERY_LOAN
        if fits(last["who"], loan)
    )
    found = heaviest_with(last, before, required_by(rungs))
    assert sum(map(weekly_contacts, found)) == counted
    assert found[0] is last


@settings(max_examples=200, deadline=None)
@given(one=WHO, two=WHO)
def test_rungs_meet_where_some_loan_is_for_both(one: dict[str, Any], two: dict[str, Any]) -> None:
    alone = [any(fits(who, loan) for loan in EVERY_LOAN) for who in (one, two)]
    both = any(fits(one, loan) and fits(two, loan) for loan in EVERY_LOAN)
    met, turned = (
        loans_of({"who": one}).meet(loans_of({"who": two})),
        loans_of({"who": two}).meet(loans_of({"who": one})),
    )
    assert met == turned
    if all(alone):
        assert (met is not None) == both


def rung(name: str, after: tuple[str, ...] = (), unless: tuple[str, ...] = (), *, once: bool = False) -> dict[str, Any]:
    return {"action": "phone", "name": name, "who": {"after": list(after), "unless": list(unless)}, "once": once}


NAMES = ("a", "b", "c")


@settings(max_examples=300, deadline=None)
@given(
    after=st.lists(st.sets(st.sampled_from(NAMES)), min_size=3, max_size=3),
    unless=st.lists(st.sets(st.sampled_from(NAMES)), min_size=3, max_size=3),
    once=st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_rungs_that_exclude_each_other_never_meet_in_a_spell(
    after: list[set[str]], unless: list[set[str]], once: list[bool]
) -> None:
    """A spell in which all loans fit: whatever (P1) carries out at one close, the check must not call impossible.

    `after` names earlier rungs alone, as a file's must.
    """
    rungs = [
        rung(name, tuple(sorted(after[place] & set(NAMES[:place]))), tuple(sorted(unless[place])), once=once[place])
        for place, name in enumerate(NAMES)
    ]
    required = required_by(rungs)
    for skipped in itertools.product(
        (False, True), repeat=3
    ):  # rungs that their pool does not serve at the first close
        done: set[str] = set()
        for close in range(5):
            now = {
                label_of(each)
                for each in rungs
                if set(each["who"]["after"]) <= done
                and not set(each["who"]["unless"]) & done
                and not (each["once"] and label_of(each) in done)
                and not (close == 0 and skipped[NAMES.index(label_of(each))])
            }
            for one, two in itertools.combinations(rungs, 2):
                if {label_of(one), label_of(two)} <= now:
                    assert not exclude(one, two, required)
            done |= now


def test_a_rule_set_reads_as_a_spec_and_is_no_strategy() -> None:
    assert spec_from_text(RULES, "own_rules.yaml", ContactRules).calls.per_day is not None
    with pytest.raises(InputError, match="kind"):
        spec_from_text(RULES, "own_rules.yaml", CollectionStrategy)
