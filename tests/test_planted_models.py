"""The list of planted errors fits the sources: each replacement stands there exactly once."""

from __future__ import annotations

from pathlib import Path

import pytest

from planted_models import ERRORS, Planted, planted_text

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.name)
def test_each_error_can_be_planted(error: Planted) -> None:
    text = (ROOT / error.file).read_text("utf-8")
    assert planted_text(error, text) != text


def test_there_are_enough_and_each_is_named_once() -> None:
    names = [error.name for error in ERRORS]
    assert len(set(names)) == len(names) >= 30
