"""A scenario as text: everything that it inherits written out, each value with the place that it comes from."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from scenarios.checks import add_months, month_text
from scenarios.schema import MacroScenario
from scenarios.yaml_text import KeyPath, YamlDocument

INTERPOLATION: Final = {
    "unemployment_percent": "linear between the middle months of the periods",
    "disposable_income_growth_percent": "constant within the period: its months compound to the period's growth",
    "prime_rate_percent": "linear between the middle months of the periods",
    "fuel_price_index": "linear in logarithms between the middle months of the periods",
    "used_car_index": "linear in logarithms between the middle months of the periods",
}
"""How months are made from periods, by variable; each path sets out from its jump-off value in month 0."""

_PLAIN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_RESERVED: Final = frozenset(("true", "false", "null"))


def resolved(scenario: MacroScenario) -> str:
    """YAML text of a scenario with what it extends merged in and shocks applied.

    Every value is followed by ``# file:line`` of its origin.  Reading the text gives an equal scenario.
    """
    before = month_text(add_months(scenario.first_month, -1))
    lines = [
        f"# Scenario {scenario.name}: month 0, the jump-off, is {before}; the path covers {scenario.months} months.",
        "# Quarters become months so:" if scenario.frequency == "quarterly" else "# A month's value is used as it is.",
    ]
    if scenario.frequency == "quarterly":
        lines += [f"#   {name}: {rule}" for name, rule in INTERPOLATION.items()]
    data = scenario.model_dump(mode="json", exclude_none=True)
    lines += _block({key: value for key, value in data.items() if value not in ("", {})}, (), scenario.document)
    return "\n".join(lines) + "\n"


def _block(data: dict[str, Any], path: KeyPath, document: YamlDocument | None) -> list[str]:
    lines: list[str] = []
    indent = "  " * len(path)
    for key, value in data.items():
        here = (*path, key)
        if isinstance(value, dict) and value:
            lines += [f"{indent}{scalar(key)}:", *_block(value, here, document)]
        else:
            lines.append(f"{indent}{scalar(key)}: {_value(value)}{_origin(document, here)}")
    return lines


def _origin(document: YamlDocument | None, path: KeyPath) -> str:
    if document is None or path not in document.marks:
        return ""
    mark = document.marks[path]
    note = f", {mark.note}" if mark.note else ""
    return f"  # {mark.file}:{mark.line}{note}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    return scalar(value) if isinstance(value, str) else json.dumps(value)


def scalar(text: str) -> str:
    """Text as it stands where nothing can be misread, else in quotes (JSON's are YAML's)."""
    if _PLAIN_TEXT.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    return json.dumps(text, ensure_ascii=False)
