"""A collection strategy against the rules of contact that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from scenarios.checks import Problem
from scenarios.contact_rules import ContactRules, CountRule, DaysRule, HoursRule, Rule
from scenarios.ladder import Rung, days_of, heaviest_with, label_of, number, required_by, rungs_of, weekly_contacts
from scenarios.yaml_text import KeyPath

ROUNDING: Final = 1e-9
"""Calls a week that 52/12 weeks a month may be off by."""


def rule_problems(data: Mapping[str, Any], rules: ContactRules) -> Iterator[Problem]:
    """Everything in which a strategy breaks rules of contact.

    Parameters
    ----------
    data : mapping
        Plain data of a sound strategy, defaults included.
    rules : ContactRules
        What it must keep.

    Yields
    ------
    Problem
        With the place in the strategy's file, and the rule with its source.
    """
    yield from _call_problems(data, rules)
    for place, rung in rungs_of(data):
        here: KeyPath = ("ladder", place)
        action = rung.get("action")
        if action == "phone" and rules.calls.between is not None:
            yield from _hour_problems(here, rung, rules.calls.between, rules)
        if action == "visit":
            if rules.visits.between is not None:
                yield from _hour_problems(here, rung, rules.visits.between, rules)
            yield from _staff_problems(here, rung, rules)
        if action == "repossession":
            yield from _notice_problems(here, rung, rules.repossession.notice_days, rules)
        if action == "starter_interrupt":
            yield from _notice_problems(here, rung, rules.starter_interrupt.notice_days, rules)


def _told(rule: Rule, rules: ContactRules) -> str:
    """Which rules ask for it, and by what."""
    return f"(rules {rules.name}: {rule.source.split(': ')[0].rstrip('.')})"


def _weekly_bound(rules: ContactRules) -> tuple[float, CountRule] | None:
    """Most calls in seven days, and the rule that says so: its own, or seven times a day's."""
    found = []
    if rules.calls.per_7_days is not None:
        found.append((float(rules.calls.per_7_days.value), rules.calls.per_7_days))
    if rules.calls.per_day is not None:
        found.append((7.0 * rules.calls.per_day.value, rules.calls.per_day))
    return min(found, key=lambda each: each[0], default=None)


def _call_problems(data: Mapping[str, Any], rules: ContactRules) -> Iterator[Problem]:
    """Calls that one loan can get in seven days, of all rungs that are for it at once."""
    bound = _weekly_bound(rules)
    if bound is None:
        return
    most, rule = bound
    required = required_by([rung for _, rung in rungs_of(data)])
    phones = [(place, rung) for place, rung in rungs_of(data) if rung.get("action") == "phone"]
    for item, (place, rung) in enumerate(phones):
        met = heaviest_with(rung, [other for _, other in phones[:item]], required)
        calls = sum(map(weekly_contacts, met))
        others = calls - weekly_contacts(rung)
        if calls <= most + ROUNDING or (len(met) > 1 and others > most + ROUNDING):
            continue  # within the bound, or broken without this rung and told above
        names = " and ".join(label_of(each) for each in reversed(met))
        start = f"rung {names} makes" if len(met) == 1 else f"rungs {names} together make"
        key = "contacts_per_week" if rung.get("contacts_per_week") is not None else "contacts_per_month"
        rest = most - (0.0 if others > most else others)
        remedy = f"Write `contacts_per_week: {rest:g}` or less{'' if len(met) == 1 else ' here'}."
        if rest <= 0.0:
            remedy = "Take the rung out, or let the others call less."
        found, expected = f"{start} {calls:.4g} calls a week to one loan", f"at most {most:g} {_told(rule, rules)}"
        yield Problem(("ladder", place, key), found, expected, remedy)


def _hour_problems(here: KeyPath, rung: Rung, rule: HoursRule, rules: ContactRules) -> Iterator[Problem]:
    hours, (first, last) = rung.get("between"), rule.value
    if isinstance(hours, list | tuple) and (hours[0] < first or hours[1] > last):
        found = f"rung {label_of(rung)} works from {hours[0]} to {hours[1]}"
        remedy = f'Write `between: ["{max(hours[0], first)}", "{min(hours[1], last)}"]`.'
        if max(hours[0], first) >= min(hours[1], last):
            remedy = f'Write `between: ["{first}", "{last}"]`.'
        yield Problem((*here, "between"), found, f"{first} to {last} {_told(rule, rules)}", remedy)


def _staff_problems(here: KeyPath, rung: Rung, rules: ContactRules) -> Iterator[Problem]:
    rule, staff = rules.visits.staff, number(rung.get("staff")) or 1.0
    if rule is not None and staff < rule.value:
        found = f"rung {label_of(rung)} sends {staff:g} visitor{'' if staff == 1 else 's'}"
        remedy = f"Write `staff: {rule.value}`; `hours_per_contact` counts the hours of all of them."
        yield Problem((*here, "staff"), found, f"at least {rule.value} {_told(rule, rules)}", remedy)


def _notice_problems(here: KeyPath, rung: Rung, rule: DaysRule | None, rules: ContactRules) -> Iterator[Problem]:
    notice = number(rung.get("notice_days")) or 0.0
    if rule is not None and notice < rule.value:
        found = f"rung {label_of(rung)} gives {notice:g} days of notice"
        later = f", and `from_days: {1 + rule.value}` or later" if days_of(rung)[0] < 1 + rule.value else ""
        remedy = f"Write `notice_days: {rule.value}`{later}."
        yield Problem((*here, "notice_days"), found, f"at least {rule.value} {_told(rule, rules)}", remedy)
