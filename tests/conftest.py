"""Shared fixtures."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Kernels are compiled anew by every test process: a cache could hide an edit. Commands that tests start inherit it.
os.environ["CARSTRESS_KERNEL_CACHE"] = "0"

# Last, so that all else stays what is installed: `benchmarks` belongs to the checkout alone.
sys.path.append(str(Path(__file__).resolve().parents[1]))

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """Folder of real data by name; the test skips, saying why, where the data does not lie beside the checkout."""

    def folder(name: str) -> Path:
        path = SHARED_DATA / name
        if not path.is_dir():
            pytest.skip(f"real data '{name}' does not lie beside this checkout")
        return path

    return folder
