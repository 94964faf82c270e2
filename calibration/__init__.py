"""What was: published and fitted figures as parameter sets."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calibration.library import find_parameter_set, parameter_set_names

__all__ = ["find_parameter_set", "parameter_set_names"]


def __getattr__(name: str) -> Any:
    # Looked up on first use: importing the package must not cost an import of pydantic.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.library"), name)
