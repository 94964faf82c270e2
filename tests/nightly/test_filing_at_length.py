"""A filing of a hundred megabytes in the memory of its loans."""

from __future__ import annotations

from pathlib import Path

import pytest

import filing_samples as filings


@pytest.mark.nightly
def test_memory_follows_loans_and_not_bytes(tmp_path: Path) -> None:
    filings.check_bounded(tmp_path, loans=4_000, bulk=25_000)
