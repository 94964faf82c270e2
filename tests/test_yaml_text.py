"""Positions, types and refusals of the YAML reader."""

from __future__ import annotations

import json
import math
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.errors import Fault, InputError
from scenarios.yaml_text import MAX_CHARACTERS, MAX_DEPTH, MAX_FAULTS, parse_yaml

TEXT = """\
kind: macro_scenario
macro:
  unemployment_percent: [4.1, 5.5,
    6.0]
  empty:
list:
  - first
  - {a: 1, "b c": 2}
"""


def faults(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "x.yaml")
    return [str(fault) for fault in caught.value.faults]


def scalar(text: str) -> object:
    return parse_yaml(f"value: {text}", "x.yaml").data["value"]


def test_positions_count_from_one_and_follow_every_value_and_key() -> None:
    document = parse_yaml(TEXT, "x.yaml")
    assert document.position(("kind",)) == (1, 7)
    assert document.position(("macro", "unemployment_percent", 1)) == (3, 31)
    assert document.position(("macro", "unemployment_percent", 2)) == (4, 5)
    assert document.position(("list", 1, "b c")) == (8, 19)
    assert document.where_key(("list", 1, "b c")) == "x.yaml:8:12"


def test_an_empty_value_stands_where_its_key_stands() -> None:
    assert parse_yaml(TEXT, "x.yaml").position(("macro", "empty")) == (5, 3)


def test_a_place_that_does_not_exist_is_answered_by_what_surrounds_it() -> None:
    document = parse_yaml(TEXT, "x.yaml")
    assert document.where(("macro", "missing", 3)) == document.where(("macro",)) == "x.yaml:3:3"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("1e-3", 0.001),
        ("5.", 5.0),
        (".5", 0.5),
        ("+2.5E2", 250.0),
        ("true", True),
        ("~", None),
        ("", None),
        # what other readers misread stays text, and the schema judges it
        ("010", "010"),
        ("00123", "00123"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("NO", "NO"),
        ("on", "on"),
        ("2024-12-31", "2024-12-31"),
        ("nan", "nan"),
        ("'12'", "12"),
        ('"true"', "true"),
    ],
)
def test_scalars_mean_what_they_look_like(text: str, value: object) -> None:
    found = scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_keys_are_text_as_written() -> None:
    assert parse_yaml("1: a\nNO: b\n010: c\ntrue: d", "x.yaml").data == {"1": "a", "NO": "b", "010": "c", "true": "d"}


def test_line_ends_of_windows_count_as_one() -> None:
    assert parse_yaml("a: 1\r\nb: 2\r\n", "x.yaml").position(("b",)) == (2, 4)


def test_a_duplicate_key_names_its_first_line() -> None:
    (fault,) = faults("a: 1\nb: {c: 1,\n  c: 2}\n")
    assert fault.startswith("x.yaml:3:3: key `c` for the second time; expected each key once.")
    assert "line 2" in fault


def test_faults_that_leave_the_text_readable_come_all_at_once() -> None:
    found = faults("a: !!python/object:os.system x\nb: &b 1\nc: *b\nd: .inf\na: 2\n<<: {e: 1}\n")
    assert [fault.split(":")[1] for fault in found] == ["1", "2", "3", "4", "5", "6"]
    for fault, word in zip(found, ["tag", "anchor", "alias", "finite", "second time", "merge key"], strict=True):
        assert word in fault


def test_infinities_by_overflow_are_refused() -> None:
    assert "expected a finite number" in faults("a: 1e999")[0]
    assert "expected a finite number" in faults("a: [1, -.Inf]")[0]


def test_nesting_is_refused_before_it_costs_anything() -> None:
    assert parse_yaml("a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1), "x.yaml")
    (fault,) = faults("a: " + "[" * (MAX_DEPTH + 1))
    assert f"nesting deeper than {MAX_DEPTH} levels" in fault


def billion_laughs() -> str:
    rows = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    rows += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 10)]
    return "\n".join(rows)


BOMBS = {
    "billion laughs": billion_laughs(),
    "list in itself": "a: &a [*a]",
    "map in itself": "a: &a {b: *a}",
    "brackets": "a: " + "[" * 100_000,
    "braces": "a: " + "{b: " * 50_000,
    "stairs": "\n".join("  " * k + f"k{k}:" for k in range(400)),
    "one long word": "a: " + "x" * 300_000,
    "question marks": "? " * 10_000,
    "dashes": "- " * 10_000,
    "anchors": "a: [" + "&x 1, " * 30_000 + "]",
    "digits": "a: " + "9" * 100_000,
    "escapes": "a: '" + "\\x" * 30_000,
    "documents": "---\n" * 50_000,
    "merge keys": "<<: " * 1_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_within_a_second(name: str) -> None:
    start = time.process_time()
    assert 1 <= len(faults(BOMBS[name])) <= MAX_FAULTS
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize("name", ["billion laughs", "brackets", "anchors"])
def test_bombs_stay_below_100_megabytes(name: str) -> None:
    tracemalloc.start()
    faults(BOMBS[name])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6


def test_a_text_that_is_too_large_is_refused_unread() -> None:
    (fault,) = faults("# " + "x" * MAX_CHARACTERS)
    assert fault.startswith(f"x.yaml:1:1: {MAX_CHARACTERS + 2} characters; expected at most {MAX_CHARACTERS}.")


def test_control_characters_are_refused_where_they_stand_and_in_escapes() -> None:
    assert faults("a: 1\nb: \x1b[31m")[0].startswith("x.yaml:2:4: a control character (U+001B)")
    assert faults("a: 1\n\0")[0].startswith("x.yaml:2:1: a control character (U+0000)")
    for escape in ("\\0", "\\x1b", "\\ud800"):
        assert "escaped control character" in faults(f'a: "x{escape}"')[0]


def test_other_alphabets_are_text() -> None:
    assert parse_yaml("地区: [广东, 北京]\nπ: é", "x.yaml").data == {"地区": ["广东", "北京"], "π": "é"}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(json_values)
def test_json_is_yaml_and_comes_back_unchanged(value: object) -> None:
    found = parse_yaml(json.dumps({"value": value}, ensure_ascii=False), "x.yaml").data["value"]
    assert found == value or (isinstance(value, float) and math.isclose(found, value, rel_tol=0.0))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.text(st.sampled_from("a1:-[]{},&*!#'\"\n \t|>%@?<~."), max_size=60))
def test_any_text_gives_a_document_or_faults_with_a_place(text: str) -> None:
    found: tuple[Fault, ...] = ()
    try:
        parse_yaml(text, "x.yaml")
    except InputError as error:
        found = error.faults
    assert all(fault.where.count(":") == 2 and fault.found and fault.expected for fault in found)
