"""`tail:` in a study's file: its forms, its defaults, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import SMALL_STUDY, carstress
from scenarios.errors import InputError
from scenarios.load import spec_from_text
from scenarios.schema import Study
from scenarios.tail import Tail, round_power
from tail_cases import study_of


def study(extra: str) -> Study:
    return spec_from_text(SMALL_STUDY + extra, "study.yaml", Study)


def refusal(extra: str) -> str:
    with pytest.raises(InputError) as caught:
        study(extra)
    return str(caught.value)


@pytest.mark.parametrize("text", ["tail: {}\n", "tail: shifted\n", "tail: {method: shifted}\n"])
def test_the_default_is_a_shift(text: str) -> None:
    tail = study(text).tail_method
    assert tail is not None
    assert (tail.method, tail.level, tail.unshifted, tail.scrambled, tail.directions) == ("shifted", 0.999, 0.2, 0, 1)
    assert tail.shifts


def test_without_the_key_there_is_no_method() -> None:
    assert study("").tail_method is None
    assert study("tail:\n").tail_method is None


def test_figures_of_each_method() -> None:
    tail = Tail(method="shifted_sobol", level_percent=99.0, scrambles=32, dimensions=3)
    assert (tail.level, tail.scrambled, tail.directions, tail.unshifted) == (0.99, 32, 3, 0.2)
    assert Tail(unshifted_percent=30.0).unshifted == 0.3
    sobol, control = Tail(method="sobol"), Tail(method="control")
    assert (sobol.shifts, sobol.unshifted, sobol.scrambled, sobol.directions) == (False, 1.0, 16, 8)
    assert (control.shifts, control.unshifted, control.scrambled, control.directions) == (False, 1.0, 0, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "tail: shfted\n",
            'study.yaml:10:7: tail = "shfted"; expected `shifted`, `shifted_sobol`, `sobol` or `control`. Did you mean '
            "`shifted`?",
        ),
        (
            "tail: {method: sobol, level_percent: 99}\n",
            "study.yaml:10:38: tail.level_percent with method sobol; expected method shifted or shifted_sobol. It aims "
            "a shift: take it out, or write method: shifted.",
        ),
        (
            "tail: {method: control, unshifted_percent: 30}\n",
            "tail.unshifted_percent with method control; expected method shifted or shifted_sobol. It belongs to a "
            "shift: take it out, or write method: shifted.",
        ),
        (
            "tail: {method: control, control: false}\n",
            "study.yaml:10:34: method control with control: false; expected one of the two. Take tail out for plain "
            "paths, or control for the control variate.",
        ),
        (
            "tail: {scrambles: 32}\n",
            "tail.scrambles with method shifted; expected method shifted_sobol or sobol. It belongs to Sobol points: "
            "take it out, or write method: shifted_sobol.",
        ),
        (
            "tail: {method: shifted_sobol, control: true}\n",
            "tail.control with method shifted_sobol; expected method shifted or control. It needs paths whose error is "
            "not told by a few scrambles: take it out, or write method: shifted.",
        ),
        (
            "tail: control\n",
            "study.yaml:7:8: a control variate with 100 paths; expected at least 500: 10 strata of 50 paths. Write "
            "more paths, or leave the control variate out.",
        ),
        ("tail: {control: true}\n", "a control variate with 100 paths; expected at least 500"),
        (
            "tail: {levels: 3}\n",
            "unknown key tail.levels; expected one of control, dimensions, level_percent, method, pilot_paths, "
            "scrambles, unshifted_percent.",
        ),
        (
            "tail: {unshifted_percent: 0.2}\n",
            "tail.unshifted_percent = 0.2; expected 10 to 50. Rates are in percent: write 5.5 for 5.5 %.",
        ),
        ("tail: {scrambles: 8, method: sobol}\n", "tail.scrambles = 8; expected 16 to 1024."),
        ("tail: {pilot_paths: 10}\n", "tail.pilot_paths = 10; expected 200 to 1000000."),
        ("tail: [shifted]\n", 'tail = ["shifted"]; expected a mapping of keys to values.'),
        (
            "tail: sobol\n",
            "study.yaml:7:8: paths = 100 with 16 scrambles of Sobol points; expected 16 times a power of 2. Other "
            "numbers leave the points unbalanced: write paths: 128.",
        ),
        (
            "tail: {method: sobol}\nuncertainty: {draws: 3}\n",
            "study.yaml:10:16: tail with Sobol points beside uncertainty; expected one of the two. A batch is either a "
            "scramble or a draw of the parameters: write method: shifted.",
        ),
    ],
)
def test_what_is_refused_and_why(text: str, words: str) -> None:
    assert words in refusal(text)


def test_a_number_of_scrambles_that_is_refused_asks_for_no_paths() -> None:
    assert len(refusal("tail: {scrambles: 15, method: sobol}\n").splitlines()) == 1


def test_all_faults_are_told_at_once() -> None:
    told = refusal("tail: {method: sobol, level_percent: 99, control: false}\n")
    assert [line.count("tail.") + line.count("paths =") for line in told.splitlines()] == [1, 1, 1]


@pytest.mark.parametrize(("ratio", "exponent"), [(0.3, 0), (1.4, 0), (1.5, 1), (5.6, 2), (5.7, 3), (313.0, 8)])
def test_the_nearest_power_of_two(ratio: float, exponent: int) -> None:
    assert round_power(ratio) == exponent


def test_another_number_of_paths_must_fit_too(tmp_path: Path) -> None:
    inputs = study_of(tmp_path, SMALL_STUDY.replace("paths: 100", "paths: 256") + "tail: shifted_sobol\n")
    assert inputs.with_run(paths=512).study.paths == 512
    with pytest.raises(
        InputError, match="paths = 300 with 16 scrambles of Sobol points; expected 16 times a power of 2"
    ):
        inputs.with_run(paths=300)


def test_the_commands_know_it(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(SMALL_STUDY + "tail: {method: shifted, level_percent: 99.5}\n", "utf-8")
    bad.write_text(SMALL_STUDY + "tail: {method: shifted, dimensions: 3}\n", "utf-8")
    assert carstress("validate", good).code == 0
    answer = carstress("validate", bad)
    assert answer.code == 3
    assert "tail.dimensions with method shifted" in answer.err
    schema = json.loads(carstress("schema").out)
    fields = schema["$defs"]["Tail"]["properties"]
    assert set(fields) == set(Tail.model_fields)
    assert all(field["description"] for field in fields.values())
