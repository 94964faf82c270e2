"""How a study reaches the tail with few paths: shifted factors, scrambled Sobol points, strata with known shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag

from scenarios.checks import Problem
from scenarios.counted import counted
from scenarios.spec import Spec

Method = Literal["shifted", "shifted_sobol", "sobol", "control"]

SHIFTED: Final = ("shifted", "shifted_sobol")
"""Methods that move the factors towards bad times."""

SOBOL: Final = ("shifted_sobol", "sobol")
"""Methods that take the leading factors from scrambled Sobol points."""

LEVEL_PERCENT: Final = 99.9
UNSHIFTED_PERCENT: Final = 20.0
SCRAMBLES: Final = 16
DIMENSIONS: Final = 8
"""What a study has that states no other."""

MOST_DIMENSIONS: Final = 9
FEWEST_STRATA: Final = 10
"""Of a control variate: fewer explain little."""
PATHS_A_STRATUM: Final = 50
"""Paths that a stratum holds at least, in expectation: its weights then cost the estimates 2 % of their variance."""
FEWEST_SCRAMBLES: Final = 16
MOST_SCRAMBLES: Final = 1024

_OWNERS: Final = {
    "level_percent": (SHIFTED, "aims a shift"),
    "unshifted_percent": (SHIFTED, "belongs to a shift"),
    "scrambles": (SOBOL, "belongs to Sobol points"),
    "dimensions": (SOBOL, "belongs to Sobol points"),
    "control": (("shifted", "control"), "needs paths whose error is not told by a few scrambles"),
}
"""Keys that only some methods have, and why."""


class Tail(Spec):
    """A method for the tail. One proposal serves all scenarios; every path keeps the weight that undoes it."""

    method: Method = "shifted"
    """`shifted`: factors moved towards bad times, paths weighted. `sobol`: leading factors from scrambled Sobol points,
    for means and moderate tails. `shifted_sobol`: both. `control`: nothing is moved, and paths
    weigh what the control variate gives them."""

    level_percent: Annotated[float, Field(ge=90, le=99.99)] | None = None
    """Probability of the quantile that the shift aims at, percent; left out: 99.9. Of methods that shift."""

    unshifted_percent: Annotated[float, Field(ge=10, le=50)] | None = None
    """Share of unshifted paths in the defensive mixture, percent; left out: 20. No path then weighs more than 5 of
    average weight. Of methods that shift."""

    control: bool | None = None
    """Control variate: strata of the factors' leading direction, whose probabilities are known, correct the weights.
    Left out: where the pilot says that it helps and there are 500 paths; true or false: always or never. Of `shifted`
    and `control`, which want 500 paths then."""

    scrambles: Annotated[int, Field(ge=FEWEST_SCRAMBLES, le=MOST_SCRAMBLES)] | None = None
    """Independent scrambles of the Sobol points, and batches from which errors come; left out: 16. The number of paths
    must be a power of 2 times this. Of methods with Sobol points."""

    dimensions: Annotated[int, Field(ge=1, le=MOST_DIMENSIONS)] | None = None
    """Leading directions of the factors that Sobol points give, the losses' own direction first; the rest is drawn as
    usual; left out: 8. Of methods with Sobol points."""

    pilot_paths: Annotated[int, Field(ge=200, le=1_000_000)] | None = None
    """Paths of the pilot in each scenario, which finds the direction and the length of the shift; left out: 1,000, or
    16 for each region, sector and vehicle segment where these are more. They are no paths of the run."""

    @property
    def shifts(self) -> bool:
        """Whether factors are moved."""
        return self.method in SHIFTED

    @property
    def level(self) -> float:
        """Probability of the quantile that is aimed at, fraction."""
        return round((LEVEL_PERCENT if self.level_percent is None else self.level_percent) / 100.0, 12)

    @property
    def unshifted(self) -> float:
        """Share of unshifted paths, fraction; 1 where nothing is shifted."""
        if not self.shifts:
            return 1.0
        return round((UNSHIFTED_PERCENT if self.unshifted_percent is None else self.unshifted_percent) / 100.0, 12)

    @property
    def scrambled(self) -> int:
        """Number of scrambles; 0 without Sobol points."""
        return (self.scrambles or SCRAMBLES) if self.method in SOBOL else 0

    @property
    def directions(self) -> int:
        """Number of directions of the factors that are not drawn as usual."""
        return (self.dimensions or DIMENSIONS) if self.method in SOBOL else 1


def _form(value: Any) -> str:
    return "word form" if isinstance(value, str) else "map form"


TailField = Annotated[
    Annotated[Method, Tag("word form")] | Annotated[Tail, Tag("map form")],
    Discriminator(_form),
]
"""A method by its name, or a map with its figures."""


def tail_of(field: str | Tail | None) -> Tail | None:
    """What a study's `tail:` says, in full."""
    return Tail.model_validate({"method": field}) if isinstance(field, str) else field


def tail_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Everything in which `tail:` contradicts itself or the rest of a study."""
    given = data.get("tail")
    fields = {"method": given} if isinstance(given, str) else given
    if not isinstance(fields, Mapping):
        return
    method = fields.get("method", "shifted")
    yield from _strangers(fields, str(method))
    if method == "control" and fields.get("control") is False:
        remedy = "Take tail out for plain paths, or control for the control variate."
        yield Problem(("tail", "control"), "method control with control: false", "one of the two", remedy)
    if method in SOBOL:
        yield from _sobol_problems(data, fields)
    paths, wanted = data.get("paths"), method == "control" or fields.get("control") is True
    if wanted and isinstance(paths, int) and 0 < paths < FEWEST_STRATA * PATHS_A_STRATUM:
        found = f"a control variate with {counted(paths, 'path')}"
        expected = f"at least {FEWEST_STRATA * PATHS_A_STRATUM}: {FEWEST_STRATA} strata of {PATHS_A_STRATUM} paths"
        yield Problem(("paths",), found, expected, "Write more paths, or leave the control variate out.")


def _strangers(fields: Mapping[str, Any], method: str) -> Iterator[Problem]:
    """Keys that the method has no use for."""
    for key, (owners, reason) in _OWNERS.items():
        if fields.get(key) is not None and method not in owners:
            found = f"tail.{key} with method {method}"
            remedy = f"It {reason}: take it out, or write method: {owners[0]}."
            yield Problem(("tail", key), found, f"method {' or '.join(owners)}", remedy)


def _sobol_problems(data: Mapping[str, Any], fields: Mapping[str, Any]) -> Iterator[Problem]:
    """Paths that leave scrambled points unbalanced, and parameters drawn by batch."""
    place: tuple[str, ...] = ("tail",) if isinstance(data.get("tail"), str) else ("tail", "method")
    if isinstance(data.get("uncertainty"), Mapping):
        found = "tail with Sobol points beside uncertainty"
        remedy = "A batch is either a scramble or a draw of the parameters: write method: shifted."
        yield Problem(place if "method" in fields else ("tail",), found, "one of the two", remedy)
    paths, scrambles = data.get("paths"), fields.get("scrambles") or SCRAMBLES
    if not isinstance(paths, int) or scrambles not in range(FEWEST_SCRAMBLES, MOST_SCRAMBLES + 1):
        return
    points, over = divmod(paths, scrambles)
    if over or points < 2 or points & (points - 1):
        fit = scrambles * 2 ** max(1, round_power(paths / scrambles))
        found = f"paths = {paths:,} with {scrambles} scrambles of Sobol points"
        expected = f"{scrambles} times a power of 2"
        yield Problem(("paths",), found, expected, f"Other numbers leave the points unbalanced: write paths: {fit}.")


def round_power(ratio: float) -> int:
    """Exponent of the power of 2 that is nearest to a ratio on a scale of logarithms; 0 for less than 1."""
    exponent = 0
    while ratio >= 2.0 ** (exponent + 0.5):
        exponent += 1
    return exponent
