"""What could be: loans, month by month, on many paths."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.engine import RunSize, simulate
    from simulator.parameters import Parameters, build_parameters
    from simulator.servicing import Servicing
    from simulator.study import StudyInputs, load_inputs, run_study
    from simulator.tape import LoanTape, read_tape, synthetic_tape

# Looked up on first use: reading a tape must not cost an import of numba.
_HOMES = {
    **dict.fromkeys(("RunSize", "simulate"), "engine"),
    **dict.fromkeys(("Parameters", "build_parameters"), "parameters"),
    "Servicing": "servicing",
    **dict.fromkeys(("StudyInputs", "load_inputs", "run_study"), "study"),
    **dict.fromkeys(("LoanTape", "read_tape", "synthetic_tape"), "tape"),
}

__all__ = [
    "LoanTape",
    "Parameters",
    "RunSize",
    "Servicing",
    "StudyInputs",
    "build_parameters",
    "load_inputs",
    "read_tape",
    "run_study",
    "simulate",
    "synthetic_tape",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
