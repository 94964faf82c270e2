"""What if: macro scenarios, studies and the vocabulary."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scenarios.errors import Fault, InputError, IntegrityError
    from scenarios.history import us_history, used_car_index_at
    from scenarios.library import find_scenario, find_study, init_files, library_names, study_scenarios
    from scenarios.load import json_schema, load_any, read_spec
    from scenarios.macro import MonthlyMacro, monthly_macro
    from scenarios.schema import MacroScenario, Study
    from scenarios.show import resolved

# Looked up on first use: importing the vocabulary must not cost an import of pydantic or xarray.
_HOMES = {
    **dict.fromkeys(("Fault", "InputError", "IntegrityError"), "errors"),
    **dict.fromkeys(("us_history", "used_car_index_at"), "history"),
    **dict.fromkeys(("find_scenario", "find_study", "init_files", "library_names", "study_scenarios"), "library"),
    **dict.fromkeys(("json_schema", "load_any", "read_spec"), "load"),
    **dict.fromkeys(("MonthlyMacro", "monthly_macro"), "macro"),
    **dict.fromkeys(("MacroScenario", "Study"), "schema"),
    "resolved": "show",
}

__all__ = [
    "Fault",
    "InputError",
    "IntegrityError",
    "MacroScenario",
    "MonthlyMacro",
    "Study",
    "find_scenario",
    "find_study",
    "init_files",
    "json_schema",
    "library_names",
    "load_any",
    "monthly_macro",
    "read_spec",
    "resolved",
    "study_scenarios",
    "us_history",
    "used_car_index_at",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'scenarios' has no attribute '{name}'")
    return getattr(importlib.import_module(f"scenarios.{_HOMES[name]}"), name)
