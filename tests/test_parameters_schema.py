"""A parameter set's file: every number has a source, and what cannot be is refused with its place."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from calibration.library import PARAMETER_SETS, find_parameter_set
from scenarios.errors import InputError
from scenarios.load import read_spec
from scenarios.vocabulary import CAUSE_CLASSES, MACRO_VARIABLES, SEGMENTS
from simulator.parameter_car import Segment
from simulator.parameter_set import CauseClass, MacroVariable, ParameterSet
from simulator.sourced import Share, Sourced

WHEN = "assumption: made up for a test"


def _refusal(tmp_path: Path, old: str, new: str, name: str = "us_prime") -> list[str]:
    """Lines of the error that a shipped set with one change gets."""
    text = PARAMETER_SETS.text(name)
    assert text.count(old) >= 1, old
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_spec(path, ParameterSet)
    return [str(fault) for fault in caught.value.faults]


def _line_of(name: str, text: str) -> int:
    return PARAMETER_SETS.text(name)[: PARAMETER_SETS.text(name).index(text)].count("\n") + 1


def test_names_are_those_of_the_vocabulary() -> None:
    assert get_args(Segment) == SEGMENTS
    assert get_args(CauseClass) == CAUSE_CLASSES
    assert get_args(MacroVariable) == MACRO_VARIABLES


def test_a_file_may_lie_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(PARAMETER_SETS.text("us_prime"), encoding="utf-8")
    assert find_parameter_set(path).model_dump() == find_parameter_set("us_prime").model_dump()
    assert find_parameter_set("mine.yaml", tmp_path).name == "us_prime"


def test_a_bare_number_is_refused_with_its_place(tmp_path: Path) -> None:
    old = "  lag_months:\n    value: 2\n"
    new = "  lag_months: 2\n  rest:\n    value: 2\n"
    faults = _refusal(tmp_path, old, new)
    line = _line_of("us_prime", "  lag_months:")
    assert any(fault.startswith(f"{tmp_path}/mine.yaml:{line}:") and "sale.lag_months = 2" in fault for fault in faults)


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    old = 'source: "Uniform Commercial Code 9-615(d)(1): the secured party pays a surplus to the debtor"\n    '
    (fault,) = _refusal(tmp_path, old, "")
    assert "sale.lgd_floor.source is missing" in fault
    assert "Full citation" in fault


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            '"Uniform Commercial Code 9-615(d)(1): the secured party pays a surplus to the debtor"',
            '"[S9]"',
            ("sale.lgd_floor", "the full citation", "not '[S9]'"),
        ),
        (
            '"Uniform Commercial Code 9-615(d)(1): the secured party pays a surplus to the debtor"',
            '"            [S30]            "',
            ("sale.lgd_floor", "the full citation, or an assumption with its reason"),
        ),
        ("confidence: L", "confidence: X", ("confidence", "`H`, `M` or `L`")),
        ("range: [0.9, 0.98]", "range: [0.96, 0.98]", ("systematic.persistence", "0.95 lies outside 0.96 to 0.98")),
        ("value: 3.88", "value: 0.0388", ("unemployment_percent", "0.5 to 30", "write 5.5 for 5.5 %")),
        (
            "later_years:\n    value: 0.12\n",
            "later_years:\n    value: 12\n",
            ("depreciation.later_years.value = 12", "0 to 1"),
        ),
        ("prepaid: 0.0165}", "prepaid: 0.0165, current: 0.9}", ("transitions[0]", "sums to 1 within 0.003")),
        (
            "30-59: 0.008, prepaid: 0.0165",
            "30-59: 0.9, prepaid: 0.1",
            ("transitions[0]", "probability to stay above 0"),
        ),
        ("30-59: 0.008,", "60-89: 0.008,", ("leads to '60-89'", "A month misses one instalment at most.")),
        ("30-59: 0.008,", "M1: 0.008,", ("leads to 'M1'", "one of current, 30-59, charge_off, prepaid")),
        ("- from_bucket: 60-89", "- from_bucket: 61-89", ("transitions has the rows", "one a bucket, in this order")),
        ("lower_edge_days: [0, 30, 60, 90]", "lower_edge_days: [0, 30, 60]", ("4 lower_edge_days",)),
        ("lower_edge_days: [0, 30, 60, 90]", "lower_edge_days: [0, 30, 60, 60]", ("start at 0 and rise",)),
        ("default_bucket: 90-119", "default_bucket: 120+", ("default_bucket one of", "not '120+'")),
        ("labels: [current, 30-59, 60-89, 90-119]", "labels: [current]", ("at least one bucket of arrears",)),
        ("labels: [current,", "labels: [ok,", ("labels with 'current' first",)),
        ("    value: 120\n", "    value: 80\n", ("charge_off_days above the last bucket's first day 90",)),
        ("points: [[36, 1.0], [54, 0.35]]", "points: [[54, 1.0], [36, 0.35]]", ("ages that rise",)),
        ("share_global:\n    value: 0.6", "share_global:\n    value: 0.7", ("shares of the factors that sum to 1",)),
        ("response: lognormal", "response: lognormale", ("systematic.response", "Did you mean `lognormal`?")),
        ("      ev:\n", "      evs:\n", ("unknown key", "Did you mean `ev`?")),
        (
            "  - cause: prepay",
            "  - cause: enter",
            ("the effect of prime_rate on enter a second time", "each effect once"),
        ),
        ("found_share:", "found_shar:", ("unknown key sale.found_shar", "Did you mean `found_share`?")),
        (
            "modified_months:\n    value: 12\n    range: [6, 24]",
            "modified_months:\n    value: 30",
            ("up to 24, not 30",),
        ),
        ("    forgetful: 0.5\n    hardship: 0.48", "    forgetful: 0.5\n    hardship: 0.6", ("sum to 1, not to 1.12",)),
        ("    forgetful: 1.6\n", "", ("types.cure_multiplier.forgetful is missing", "able and willing")),
        (
            "by_bucket: {30-59: 0.15, 60-89: 0.3",
            "by_bucket: {30-59: 0.15, M2: 0.3",
            ("modification has a figure for the bucket 'M2'", "one of 30-59, 60-89, 90-119"),
        ),
        (
            "by_bucket: {30-59: 0.15, 60-89: 0.3",
            "by_bucket: {current: 0.15, 60-89: 0.3",
            ("modification has a figure for the bucket 'current'",),
        ),
        (
            "by_bucket: {30-59: 0.15, 60-89: 0.3",
            "by_bucket: {30-59: 0.15, 60-89: 3",
            ("modification.share_of_cures.by_bucket.60-89 = 3", "0 to 1"),
        ),
        ("threshold:\n    value: 1\n    range: [0.9, 1.1]", "threshold:\n    value: 1.3", ("a threshold below 1.25",)),
        ("cap:\n    value: 2\n    range: [1.5, 2.5]", "cap:\n    value: 1.2", ("1 <= multiplier_at_125 <= cap",)),
        (
            "mean_multiplier:\n    value: 1.",
            "mean_multiplier:\n    value: 2.",
            ("a mean_multiplier between 1 and the cap, not 2",),
        ),
        ("by_month: [0.985,", "by_month: [1.185,", ("factors of a mean of 1 within 0.005",)),
        (
            "by_month: [0.985, 1.005,",
            "by_month: [0.985,",
            ("sale.season", "by_month of 12 factors, January first, not of 11"),
        ),
        ("score_reference:", "score_referenc:", ("Did you mean `score_reference`?",)),
        ("value: 1.35\n        range: [1.1, 1.5]", "value: 5", ("segment 'ev' loses 1.1 of its value a year",)),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, old: str, new: str, words: tuple[str, ...]) -> None:
    text = " | ".join(_refusal(tmp_path, old, new))
    for word in words:
        assert word in text
    assert f"{tmp_path}/mine.yaml:" in text


def test_all_faults_of_a_file_come_at_once(tmp_path: Path) -> None:
    text = PARAMETER_SETS.text("us_prime")
    text = text.replace("value: 3.88", "value: 55").replace("  - cause: prepay", "  - cause: prepays")
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("30-59: 0.008,", "30-95: 0.008,"), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_spec(path, ParameterSet)
    assert len(caught.value.faults) == 3


def test_an_assumption_is_never_more_than_low_confidence() -> None:
    with pytest.raises(ValueError, match="confidence L for a source that is an assumption, not M"):
        Sourced(value=1.0, source=WHEN, confidence="M")


def test_a_share_is_no_percent() -> None:
    with pytest.raises(ValueError, match="less than or equal to 1"):
        Share(value=5.0, source=WHEN, confidence="L")
