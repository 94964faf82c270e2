"""A loan of a finished run on one of its paths: read, told again, checked against the run, and worded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import xarray as xr

from outputs.measures import path_loss
from outputs.run_folder import RESULTS
from outputs.store import read_facts, read_inputs, read_results
from outputs.wording import align, amount
from scenarios.errors import IntegrityError
from simulator.engine import RunSize
from simulator.story import Draw, Story, StoryMonth, check_wish, tell_story
from simulator.study import inputs_from_store
from simulator.tail_study import stored_proposal

SAME: Final = 1e-9
"""Share of the opening balance by which the loss of a path told again may miss the stored one: that of the identities.

On the machine of the run it is the same to the last bit; another processor's exponential may differ in that bit."""

DECIMALS: Final = 6
"""Decimals of a uniform draw on the terminal; JSON has them all."""

HAPPENED: Final = "*"


def trace_loan(
    run: Path,
    loan: str,
    path: int,
    scenario: str | None = None,
    strategy: str | None = None,
    *,
    sound: Callable[[], None] | None = None,
) -> Story:
    """Tell what happened to a loan of a finished run on one path, from its results file alone.

    Parameters
    ----------
    run : Path
        The run's folder, or its results file.
    loan : str
        Its id on the tape.
    path : int
        Number of the path, from 0.
    scenario, strategy : str, optional
        Names of one of the run's each; the first if left out.
    sound : callable, optional
        Called when run, loan, path and scenario are found, before anything is simulated.

    Raises
    ------
    InputError
        No such run, loan, path, scenario or strategy.
    IntegrityError
        The path told again loses something else than the run says.
    """
    inputs = inputs_from_store(read_inputs(run), run / RESULTS if run.is_dir() else run)
    check_wish(inputs, loan, path, scenario, strategy)
    if sound is not None:
        sound()
    results = read_results(run)
    story = tell_story(inputs, loan, path, scenario, strategy, RunSize(threads=1), stored_proposal(results))
    check_story(story, run, results)
    return story


def check_story(story: Story, run: Path, results: xr.Dataset | None = None) -> None:
    """Refuse a story whose path is not the run's: the whole book must lose on it what it lost then.

    Raises
    ------
    IntegrityError
        With both figures, and the version that made the run.
    """
    kept = read_results(run) if results is None else results
    stored = float(path_loss(kept).sel(scenario=story.scenario, strategy=story.strategy, path=story.path).squeeze())
    if abs(stored - story.path_loss) > SAME * float(kept.attrs["opening_balance"]):
        made_with = read_facts(run)["versions"]["carstress"]
        raise IntegrityError(
            f"path {story.path} of {story.run} loses {story.path_loss!r} {story.currency} when it is simulated "
            f"again, but {stored!r} in the run, which carstress {made_with} made. The program or the file has changed "
            "since: trace the loan with the version that made the run, or run the study again."
        )


# --- words -----------------------------------------------------------------------------------------------

LEGEND: Final = (
    "At the close of each month: principal, wholesale value of the car without its own condition, cash of the month",
    "from the borrower or the car's insurance, loss so far, discounted to the charge-off. Draws are uniform in (0, 1):",
    "`month` decides a month that opens without arrears; in arrears each cause has its own. * marks what happened.",
)


def format_story(story: Story) -> str:
    """The story as the terminal shows it."""
    head = ("month", "date", "state", "borrower", "flags", "principal", "car", "cash", "loss")
    rows = [head, *(_cells(item) for item in story.months)]
    # Text stands left, amounts right: two blocks, aligned apart.
    texts = _padded(align([row[:5] for row in rows], text_columns=5).splitlines())
    amounts = align([row[5:] for row in rows], text_columns=0).splitlines()
    draws = ["draws", *(_draws(item.draws) for item in story.months)]
    table = [f"{text}  {money}  {drawn}".rstrip() for text, money, drawn in zip(texts, amounts, draws, strict=True)]
    return "\n".join([*_heading(story), "", *table, "", *LEGEND])


def _heading(story: Story) -> list[str]:
    return [
        f"Loan {story.loan} ({story.tier}) on path {story.path} of {story.run}; amounts in {story.currency}",
        f"Address of its draws: seed {story.seed}, entity {story.entity}, path {story.path}",
        f"The book's loss on this path, told again: {amount(story.path_loss)} {story.currency}, as in the run",
        *_drawing(story),
    ]


def _drawing(story: Story) -> Iterator[str]:
    """Where the path's factors come from, where that is not the model itself."""
    if story.leading_factor is not None and story.weight is not None:
        yield (
            f"Its factors were drawn by the study's method for the tail: {story.leading_factor:+.2f} standard "
            f"deviations along its direction, weight {story.weight:.3g}"
        )


def _cells(item: StoryMonth) -> tuple[str, ...]:
    money = (amount(value) for value in (item.principal, item.car_value, item.cash, item.loss))
    return str(item.month), item.date, item.state, item.kind, ", ".join(item.flags), *money


def _padded(lines: Sequence[str]) -> list[str]:
    width = max(len(line) for line in lines)
    return [line.ljust(width) for line in lines]


def _draws(draws: Sequence[Draw]) -> str:
    return ", ".join(f"{draw.name} {draw.value:.{DECIMALS}f}{HAPPENED if draw.happened else ''}" for draw in draws)


def story_document(story: Story) -> dict[str, Any]:
    """The story as plain values fit for JSON; draws in full."""
    months = [
        {
            "month": item.month,
            "date": item.date,
            "state": item.state,
            "borrower": item.kind or None,
            "flags": list(item.flags),
            "principal": item.principal,
            "car_value": item.car_value,
            "cash": item.cash,
            "loss": item.loss,
            "draws": [{"name": draw.name, "value": draw.value, "happened": draw.happened} for draw in item.draws],
        }
        for item in story.months
    ]
    return {
        "schema": "carstress-trace/1",
        "loan": story.loan,
        "scenario": story.scenario,
        "strategy": story.strategy,
        "tier": story.tier,
        "currency": story.currency,
        "path": story.path,
        "seed": story.seed,
        "entity": str(story.entity),  # 64 bits are too many for some readers of JSON
        "path_loss": story.path_loss,
        **({} if story.weight is None else {"leading_factor": story.leading_factor, "weight": story.weight}),
        "months": months,
    }
