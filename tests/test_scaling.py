"""The benchmark of growth: exponents are slopes, and time that grows too fast is a failure."""

from __future__ import annotations

import contextlib
import io
import json

import pytest

from benchmarks.scaling import MOST, Bench, Growth, Timing, failing, scaling, slope, spaced
from command_line import _refuse
from outputs.console import exit_code_of

SIZES = ("--smallest", "300", "--largest", "2400", "--paths", "4", "--most-paths", "64")
WORDS = (*SIZES, "--months", "6", "--repeats", "1")


def benchmark(*words: str) -> tuple[int, str, str]:
    """Exit code and what is said of `python -m benchmarks.scaling WORDS`."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = exit_code_of(scaling, list(words))
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("power", [0.5, 1.0, 1.3])
def test_the_exponent_is_the_slope_of_the_logarithms(power: float) -> None:
    sizes = [10, 40, 90, 1_000]
    assert slope(sizes, [3.0 * size**power for size in sizes]) == pytest.approx(power)


def test_sizes_are_evenly_spaced_from_the_smallest_to_the_largest() -> None:
    assert spaced(10_000, 1_000_000) == (10_000, 31_623, 100_000, 316_228, 1_000_000)
    assert spaced(1, 4) == (1, 2, 3, 4)


def growth(what: str, power: float) -> Growth:
    return Growth(what, tuple(Timing(size, 1e-6 * size**power, 0.0, 1.0) for size in (100, 1_000, 10_000)))


def test_more_than_the_bound_fails_and_says_so() -> None:
    assert failing([growth("loans", MOST - 0.001), growth("paths", 0.9)]) == []
    assert failing([growth("loans", 1.0), growth("paths", 1.2)]) == [
        "Time grows with paths to the power of 1.200; expected at most 1.05."
    ]


def test_costs_that_do_not_grow_weigh_least_in_the_last_step() -> None:
    timings = tuple(Timing(size, 5.0 + 0.01 * size, 0.0, 1.0) for size in (100, 1_000, 10_000))
    found = Growth("loans", timings)
    assert found.exponent < found.last_step < 1.0


def test_the_command_times_books_and_paths() -> None:
    code, out, err = benchmark(*WORDS, "--json")
    found = json.loads(out, parse_constant=_refuse)
    grown = [what for what in ("loans", "paths") if found[what]["exponent"] > MOST]
    assert (code, err.count("Time grows with")) == (int(bool(grown)), len(grown))
    assert found["schema"] == "carstress-scaling/1"
    assert [row["size"] for row in found["loans"]["timings"]] == list(spaced(300, 2_400))
    assert [row["size"] for row in found["paths"]["timings"]] == list(spaced(4, 64))
    for what in ("loans", "paths"):
        assert all(row["seconds"] > row["arranging"] > 0.0 for row in found[what]["timings"])
    assert found["job"]["loans_of_paths"] == 2_400


def test_time_that_grows_like_the_square_ends_with_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def square(_: Bench, loans: int, paths: int, size: int) -> Timing:
        return Timing(size, 1e-9 * loans**2 * paths, 0.0, 1.0)

    monkeypatch.setattr(Bench, "timed", square)
    code, out, err = benchmark(*WORDS)
    assert code == 1
    assert "Time grows with loans to the power of 2.000, 2.000 in the last step; at most 1.05 is expected." in out
    assert err == "Time grows with loans to the power of 2.000; expected at most 1.05.\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--largest", "5000", "--smallest", "5000"), 2, "5000 is not above --smallest 5000"),
        (("--repeats", "0"), 2, "0 is not in the range"),
        (("--parameters", "us_prim"), 3, "Did you mean `us_prime`?"),
    ],
)
def test_wrong_words(words: tuple[str, ...], code: int, said: str) -> None:
    found, out, err = benchmark(*words)
    assert (found, out) == (code, "")
    assert said in err
