"""What it means: measures, pictures, reports, files."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outputs.measures import path_loss, summary
    from outputs.publish import publish_run
    from outputs.store import read_inputs, read_results
    from outputs.wording import format_summary

# Looked up on first use: speaking on the command line must not cost an import of xarray.
_HOMES = {
    **dict.fromkeys(("path_loss", "summary"), "measures"),
    "publish_run": "publish",
    **dict.fromkeys(("read_inputs", "read_results"), "store"),
    "format_summary": "wording",
}

__all__ = ["format_summary", "path_loss", "publish_run", "read_inputs", "read_results", "summary"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
