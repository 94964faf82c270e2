"""Sound strategies and rules as text, for tests that spoil them."""

from __future__ import annotations

STRATEGY = """\
kind: collection_strategy
name: own
title: A lender's own ladder
source: "assumption: for a test of how files are read"
currency: USD
rules: own_rules.yaml
pools:
  agents: {hours_per_month: 320, cost_per_hour: 30}
  visitors: {hours_per_1000_loans: 100, field: true, hiring: {step_percent: 5, most_percent: 150}}
ladder:
  - {action: sms, who: {to_days: 30}, reach_percent: 90, effect: {cure: 1.1}}
  - action: phone
    name: call
    who: {to_days: 60}
    pool: agents
    contacts_per_week: 3
    hours_per_contact: 0.25
    between: ["09:00", "18:00"]
    effect: {cure: {forgetful: 2, hardship: 1.5}}
  - action: visit
    who: {from_days: 31, to_days: 90}
    pool: visitors
    hours_per_contact: 4
    staff: 2
    between: ["09:00", "18:00"]
    backfire_percent: 10
    backfire: {cure: 0.7}
    incidents: {complaint: 20}
  - {action: plan, who: {from_days: 31, revealed: [hardship]}, accepted_percent: {hardship: 20}}
  - {action: phone, name: firm_call, who: {from_days: 61, after: [visit]}, contacts_per_month: 13}
  - {action: starter_interrupt, who: {from_days: 31, starter_interrupt: true}, notice_days: 10}
  - action: repossession
    who: {from_days: 61}
    notice_days: 21
    pool: visitors
    hours_per_contact: 3
  - action: litigation
    who: {from_days: 91}
    judgment_months: 8
    won_percent: 90
    enforced_percent: 20
    cost_percent: 10
  - {action: outsourcing, who: {from_days: 91}, commission_percent: 20}
  - {action: debt_sale, who: {from_days: 121}, price_percent: 5}
  - {action: write_off, who: {from_days: 121}}
incidents:
  cost: {complaint: 100}
  suspension_months: 12
  limits: [{kind: complaint, at_most: 10, with_probability_percent: 95}]
"""
"""A strategy with every kind of thing that can be wrong with one."""

RULES = """\
kind: contact_rules
name: own_rules
title: A country's own rules
calls:
  per_7_days: {value: 7, source: "Act 1 of Ruritania: seven calls", confidence: H}
  per_day: {value: 3, source: "Act 2 of Ruritania: three a day", confidence: M}
  between: {value: ["08:00", "21:00"], source: "Act 3 of Ruritania: hours of calls", confidence: H}
visits:
  staff: {value: 2, source: "Act 4 of Ruritania: two visitors", confidence: L}
  between: {value: ["08:30", "20:00"], source: "Act 5 of Ruritania: hours of visits", confidence: L}
repossession:
  notice_days: {value: 20, source: "Act 6 of Ruritania: right to cure", confidence: M}
starter_interrupt:
  notice_days: {value: 10, source: "Act 7 of Ruritania: warning", confidence: M}
"""
"""Rules that the strategy keeps."""


def spoilt(text: str, old: str, new: str) -> str:
    """A text in which one place is another; the place must be there once."""
    assert text.count(old) == 1, f"{text.count(old)} times {old!r}"
    return text.replace(old, new)
