"""Sound YAML files as text, for tests that spoil or extend them."""

from __future__ import annotations

SCENARIO = """\
kind: macro_scenario
name: own
source: Assumption, for a test.
start: 2025Q1
end: 2025Q4
frequency: quarterly
jump_off: {unemployment_percent: 4, disposable_income_growth_percent: 2, prime_rate_percent: 8}
macro:
  unemployment_percent: [4, 5, 6, 6]
  disposable_income_growth_percent: [2, 2, 2, 2]
  prime_rate_percent: [8, 7, 6, 5]
used_car_index:
  all: [100, 90, 80, 80]
beyond: hold
"""
"""A scenario that stands alone, of four quarters."""


def heir(name: str, base: str) -> str:
    """A scenario that extends `base` and changes nothing."""
    return f"kind: macro_scenario\nname: {name}\nsource: Assumption, for a test.\nextends: {base}\n"
