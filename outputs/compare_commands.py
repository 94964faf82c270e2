"""The command `carstress compare`: strategies of one run, or of two that share their draws.

As in `cli.py`, heavy imports stand inside the commands and nothing is computed here.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from outputs.console import VOICE, interruptible, reporting
from outputs.plan_commands import MANY
from outputs.run_commands import find_run
from scenarios.errors import Fault, InputError

if TYPE_CHECKING:
    import pandas
    import xarray as xr

    from outputs.incident_limits import IncidentResult
    from outputs.measures import Loss
    from outputs.strategies_join import StoredRun
    from outputs.strategies_view import Comparison

LOSSES: Final = ("ultimate_loss", "net_loss")
"""Losses as `outputs.measures` names them; written out because that is a heavy import."""

MEASURES: Final = ("expected_loss", "value_at_risk", "expected_shortfall", "net_cash", "incidents")
"""Measures as `outputs.strategies_view` names them; written out for the same reason."""


@click.command()
@click.argument("run")
@click.argument("run2", required=False)
@click.option("--baseline", help="Strategy that the others are compared with; the first of RUN if not given.")
@click.option(
    "--loss",
    type=click.Choice(LOSSES),
    default=LOSSES[0],
    show_default=True,
    help="ultimate_loss: recoveries discounted to the charge-off; net_loss: undiscounted.",
)
@click.option(
    "--measure",
    "measures",
    multiple=True,
    type=click.Choice(MEASURES),
    help="Show differences of this measure only; give it again for another. Verdicts mind all of them.",
)
@click.option(
    "--retest",
    "fresh",
    type=MANY,
    help="Run each scenario's winner again, with the baseline or, where that wins, the second, on so many fresh paths.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder to make, with tables and pictures.")
@reporting
def compare(
    run: str,
    run2: str | None,
    baseline: str | None,
    loss: Loss,
    measures: tuple[str, ...],
    fresh: int | None,
    out: Path | None,
) -> None:
    """Compare the collection strategies of RUN, or of RUN and RUN2, path by path on their common draws.

    RUN is the folder of a finished run, its results.nc, or its name below runs/. Two runs are compared only if they
    share draws, book, scenarios and parameters; otherwise every reason is told, and the exit code is 3. Nothing is
    written without --out.
    """
    from outputs.incident_limits import limits_table
    from outputs.measures import as_records
    from outputs.run_folder import check_destination
    from outputs.strategies_join import read_run
    from outputs.strategies_view import (
        SCHEMA,
        compare_strategies,
        comparison_document,
        comparison_notes,
        format_comparison,
    )
    from outputs.wording import TERMINAL_WIDTH

    if run2 is not None and fresh is not None:
        raise click.UsageError("--retest runs strategies of one run again; leave RUN2 out.")
    if out is not None:
        check_destination(out, force=None)
    runs = [read_run(find_run(name)) for name in (run, run2) if name is not None]
    dataset, notes = _joined(runs)
    chosen = _with_baseline(dataset, baseline, runs[0].place)
    found = interruptible(lambda: compare_strategies(chosen, loss))
    conduct = _conduct(runs)
    notes, tables = (*notes, *comparison_notes(found), *_versions(runs)), found.tables() | limits_table(conduct)
    document: dict[str, Any] = {"schema": SCHEMA, **comparison_document(found, conduct)}
    document["runs"] = [each.place for each in runs]
    told = [format_comparison(found, measures or MEASURES), *(("", *map(str, conduct)) if conduct else ())]
    if fresh is not None:
        again, words = _tested_again(runs[0], chosen, fresh, loss)
        document["retest"], tables["retest"] = as_records(again), again
        told += words
    document["notes"] = list(notes)
    told += [line for text in notes for line in ("", textwrap.fill(text, TERMINAL_WIDTH, break_on_hyphens=False))]
    if out is not None:
        document["files"] = [str(path) for path in _written(out, found, runs, tables)]
        told += ["", f"Written to {out}/"]
    VOICE.report("\n".join(told), document)


def _joined(runs: list[StoredRun]) -> tuple[xr.Dataset, tuple[str, ...]]:
    """Strategies of the runs in one Dataset, and what is to be said of it.

    Raises
    ------
    InputError
        Two runs do not share their draws, or there is one strategy only.
    """
    from outputs.strategies_join import join_runs

    dataset, notes = (runs[0].results, ()) if len(runs) == 1 else join_runs(*runs)
    names = [str(name) for name in dataset["strategy"].values]
    if len(names) < 2:
        place = " and ".join(each.place for each in runs)
        remedy = "Name several under `strategies:` in the study, or name a second run on the same draws."
        raise InputError(Fault(place, f"one strategy, {names[0]}", "two or more to compare", remedy))
    return dataset, notes


def _with_baseline(dataset: xr.Dataset, baseline: str | None, place: str) -> xr.Dataset:
    """The strategies with the baseline first; `InputError` where there is none of that name."""
    from outputs.strategies import with_baseline
    from scenarios.explain import nearest

    names = [str(name) for name in dataset["strategy"].values]
    if baseline is None:
        return dataset
    if baseline not in names:
        remedy = nearest(baseline, names)
        raise InputError(Fault(place, f"no strategy `{baseline}`", f"one of {', '.join(names)}", remedy))
    return with_baseline(dataset, baseline)


def _conduct(runs: list[StoredRun]) -> tuple[IncidentResult, ...]:
    """Verdicts on the incident limits of all strategies, run by run; what two runs say alike is said once."""
    from outputs.incident_limits import check_incidents, strategies_from

    found = (
        result
        for run in runs
        for result in check_incidents(run.results, strategies_from(str(run.inputs["strategies"])))
    )
    return tuple(dict.fromkeys(found))


def _versions(runs: list[StoredRun]) -> tuple[str, ...]:
    """A word of warning where two versions made the runs: what differs may be the program's doing."""
    made = [str(each.facts["versions"]["carstress"]) for each in runs]
    if len(set(made)) < 2:
        return ()
    return (f"Warning: the runs were made by carstress {' and '.join(made)}; differences may be the program's.",)


def _tested_again(run: StoredRun, dataset: xr.Dataset, count: int, loss: Loss) -> tuple[pandas.DataFrame, list[str]]:
    """The winners on fresh paths: the table, and its lines for the terminal.

    Raises
    ------
    InputError
        The study draws its parameters, of which paths beyond its own have none.
    """
    from outputs.strategies_retest import retest, simulate_again
    from outputs.strategies_view import retest_lines

    VOICE.say(f"Running winners and rivals on {count:,} fresh paths ...")
    found = interruptible(lambda: retest(dataset, count, simulate_again(run), loss))
    return found, retest_lines(found, dataset)


def _written(
    out: Path, found: Comparison, runs: list[StoredRun], tables: Mapping[str, pandas.DataFrame]
) -> tuple[Path, ...]:
    """Write tables and pictures into a new folder, whole or not at all."""
    from outputs.csv_text import to_csv
    from outputs.figures import draw_comparison, write_figures
    from outputs.run_folder import FIGURES, TABLES, new_folder, write_text

    run_id = "+".join(dict.fromkeys(str(each.facts["run_id"]) for each in runs))
    with new_folder(out, force=None) as building:
        for name, table in tables.items():
            write_text(building / TABLES / f"{name}.csv", to_csv(table))
        write_figures(building / FIGURES, draw_comparison(found, run_id, rendered=True))
    return tuple(sorted(path for path in out.absolute().rglob("*") if path.is_file()))
