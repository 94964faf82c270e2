"""`carstress strategy`: what it lists and shows, and how it refuses; strategies and rules among the other files."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import carstress
from outputs.strategy_view import ladder_rows
from scenarios.library import find_strategy, library_names
from scenarios.load import spec_from_text
from scenarios.strategy import CollectionStrategy
from strategy_texts import RULES, STRATEGY

NAMES = library_names("strategies")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a strategy and the rules that it names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text(STRATEGY, "utf-8")
    (tmp_path / "own_rules.yaml").write_text(RULES, "utf-8")
    return tmp_path


def test_strategies_are_listed_with_currency_rungs_and_pools() -> None:
    rows = carstress("strategy", "list", "--json").document
    assert [row["name"] for row in rows] == list(NAMES)
    by_name = {row["name"]: row for row in rows}
    assert by_name["none"] == {
        "name": "none", "currency": "any", "rules": "none", "rungs": 0, "pools": "none",
        "title": "No collections at all",
    }  # fmt: skip
    assert by_name["field_early"]["pools"] == "agents, visitors, trucks"
    assert by_name["field_early"]["rungs"] == len(find_strategy("field_early").ladder)
    lines = carstress("strategy", "list").out.splitlines()
    assert lines[0].split() == ["name", "currency", "rules", "rungs", "pools", "title"]
    assert [line.split()[0] for line in lines[1:]] == list(NAMES)
    assert all(row["title"] in line for row, line in zip(rows, lines[1:], strict=True))


def test_a_strategy_is_shown_as_written_and_as_a_model() -> None:
    shown = carstress("strategy", "show", "reference_us")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("# What US books were worked with")
    assert "Laudenbach, Pirschel and Siegel" in shown.out
    assert carstress("strategy", "show", "own.yaml").out == STRATEGY.rstrip() + "\n"
    document = carstress("strategy", "show", "own.yaml", "--json").document
    assert document["ladder"][1]["between"] == ["09:00", "18:00"]
    assert document["pools"]["visitors"]["hours_per_1000_loans"] == 100


def test_reference_is_a_sentence() -> None:
    shown = carstress("strategy", "show", "reference")
    assert (shown.code, shown.err) == (0, "")
    assert "loans in arrears are worked as those were that the parameters come from" in shown.out
    assert carstress("strategy", "show", "reference", "--ladder").out == shown.out
    document = carstress("strategy", "show", "reference", "--json").document
    assert document == {"name": "reference", "meaning": shown.out.strip()}


def test_a_ladder_is_shown_one_line_a_rung() -> None:
    lines = carstress("strategy", "show", "own.yaml", "--ladder").out.splitlines()
    assert lines[0].split() == ["rung", "action", "days", "who", "pool", "contacts", "cost", "reach", "effects"]
    assert [line.split()[0] for line in lines[1:]] == list(find_strategy("own.yaml").labels)
    rows = {row["rung"]: row for row in carstress("strategy", "show", "own.yaml", "--ladder", "--json").document}
    assert rows["call"] == {
        "rung": "call", "action": "phone", "days": "1 to 60", "who": "all", "pool": "agents, 0.25 h",
        "contacts": "3 a week", "cost": "0", "reach": "100 %", "effects": "cure x2/1.5/1; 09:00 to 18:00",
    }  # fmt: skip
    assert rows["visit"]["effects"] == "09:00 to 18:00; 2 together; reveals the type; 10 % backfire (cure x0.7)"
    assert rows["plan"]["who"] == "known as hardship"
    assert rows["plan"]["effects"] == "accepted by 0/20/0 %"
    assert rows["firm_call"]["who"] == "after visit"
    assert rows["firm_call"]["contacts"] == "13 a month"
    assert rows["starter_interrupt"]["who"] == "starter interrupt"
    assert rows["starter_interrupt"]["effects"] == "10 days' notice"
    assert rows["repossession"]["effects"] == "seized x1; 21 days' notice"
    assert rows["litigation"]["effects"] == "90 % won, 20 % enforced after 8 months; cost 10 % of the claim"
    assert rows["outsourcing"]["effects"] == "commission 20 %"
    assert rows["debt_sale"]["effects"] == "price 5 %"
    assert rows["write_off"] == {
        "rung": "write_off", "action": "write_off", "days": "from 121", "who": "all", "pool": "none",
        "contacts": "1 a month", "cost": "0", "reach": "100 %", "effects": "none",
    }  # fmt: skip


def test_every_condition_is_told() -> None:
    text = STRATEGY[: STRATEGY.index("pools:")].replace("rules: own_rules.yaml\n", "") + (
        "ladder:\n"
        "  - {action: letter}\n"
        "  - action: sms\n"
        "    once: true\n"
        "    who: {from_balance: 500, to_balance: 9000, from_ltv_percent: 110, tracker: false, regions: [TX, CA],\n"
        "      tiers: [us_prime], unless: [letter], broken_promises: 2}\n"
        "  - {action: surrender, accepted_percent: {hardship: 5}, cost_per_contact: 2.5, effect: {charge_off: 0.5}}\n"
        "  - {action: extension, granted: 1.5}\n"
    )
    rows = ladder_rows(spec_from_text(text, "own.yaml", CollectionStrategy))
    assert rows[1]["who"] == (
        "balance from 500, balance to 9000, LTV from 110 %, no tracker, TX or CA, us_prime, unless letter, "
        "2 broken promises, once"
    )
    assert (rows[2]["cost"], rows[2]["effects"]) == ("2.5", "charge-off x0.5; accepted by 0/5/0 %")
    assert rows[3]["effects"] == "granted x1.5"


def test_an_empty_ladder_says_so() -> None:
    shown = carstress("strategy", "show", "none", "--ladder")
    assert (shown.code, shown.out) == (0, "none has no rungs: nobody does anything about arrears.\n")
    assert carstress("strategy", "show", "none", "--ladder", "--json").document == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("refrence_us", "strategy: unknown strategy `refrence_us`; expected one of reference, early_warning, "),
        ("refrence_us", "Did you mean `reference_us`?"),
        ("gone.yaml", "strategy: the file gone.yaml does not exist; expected the path of a strategy."),
        ("own_rules.yaml", 'own_rules.yaml:1:7: kind = "contact_rules"; expected `collection_strategy`.'),
    ],
)
def test_what_is_no_strategy_is_refused(name: str, said: str) -> None:
    answer = carstress("strategy", "show", name)
    assert (answer.code, answer.out) == (3, "")
    assert said in answer.err


def test_wrong_usage() -> None:
    for words, said in (((), "Usage: carstress strategy"), (("show",), "Missing argument 'NAME'")):
        answer = carstress("strategy", *words)
        assert (answer.code, answer.out) == (2, "")
        assert said in answer.err


def test_strategies_and_rules_are_kinds_of_file() -> None:
    assert carstress("validate", "own.yaml", "own_rules.yaml").out == "own.yaml: fine\nown_rules.yaml: fine\n"
    schema = carstress("schema").document
    assert {"collection_strategy", "contact_rules"} <= set(schema["properties"]["kind"]["enum"])
    rung = schema["$defs"]["PhoneCall"]["properties"]
    assert rung["reach_percent"]["description"].startswith("Borrowers reached in the month")
    assert schema["$defs"]["CallRules"]["properties"]["per_7_days"]["description"].startswith(
        "Most calls in seven days"
    )
    text = STRATEGY.replace("kind: collection_strategy", "kind: colection_strategy")
    Path("own.yaml").write_text(text, "utf-8")
    assert "Did you mean `collection_strategy`?" in carstress("validate", "own.yaml").err
