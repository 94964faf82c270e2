"""The command `carstress compare`: strategies of one run, or of two that share their draws.

As in `cli.py`, heavy imports stand inside the commands and nothing is computed here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from outputs.console import VOICE, interruptible, reporting
from outputs.run_commands import find_run
from scenarios.errors import Fault, InputError

if TYPE_CHECKING:
    import pandas
    import xarray as xr

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
@click.option("--out", type=click.Path(path_type=Path), help="Folder to make, with tables and pictures.")
@reporting
def compare(
    run: str, run2: str | None, baseline: str | None, loss: Loss, measures: tuple[str, ...], out: Path | None
) -> None:
    """Compare the collection strategies of RUN, or of RUN and RUN2, path by path on their common draws.

    RUN is the folder of a finished run, its results.nc, or its name below runs/. Two runs are compared only if they
    share draws, book, scenarios and parameters; otherwise every reason is told, and the exit code is 3. Nothing is
    written without --out.
    """
    from outputs.run_folder import check_destination
    from outputs.strategies_join import read_run
    from outputs.strategies_view import compare_strategies, comparison_document, format_comparison

    if out is not None:
        check_destination(out, force=False)
    runs = [read_run(find_run(name)) for name in (run, run2) if name is not None]
    dataset, notes = _joined(runs)
    chosen = _with_baseline(dataset, baseline, runs[0].place)
    found = interruptible(lambda: compare_strategies(chosen, loss))
    notes = (*notes, *_versions(runs))
    document: dict[str, Any] = {
        **comparison_document(found),
        "runs": [each.place for each in runs],
        "notes": list(notes),
    }
    told = [format_comparison(found, measures or MEASURES), *(["", *notes] if notes else [])]
    if out is not None:
        document["files"] = [str(path) for path in _written(out, found, runs)]
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


def _versions(runs: list[StoredRun]) -> tuple[str, ...]:
    """A word of warning where two versions made the runs: what differs may be the program's doing."""
    made = [str(each.facts["versions"]["carstress"]) for each in runs]
    if len(set(made)) < 2:
        return ()
    return (f"Warning: the runs were made by carstress {' and '.join(made)}; differences may be the program's.",)


def _written(out: Path, found: Comparison, runs: list[StoredRun]) -> tuple[Path, ...]:
    """Write tables and pictures into a new folder, whole or not at all."""
    from outputs.csv_text import to_csv
    from outputs.figures import draw_comparison, write_figures
    from outputs.run_folder import FIGURES, TABLES, new_folder, write_text

    tables: dict[str, pandas.DataFrame] = found.tables()
    run_id = "+".join(dict.fromkeys(str(each.facts["run_id"]) for each in runs))
    with new_folder(out, force=False) as building:
        for name, table in tables.items():
            write_text(building / TABLES / f"{name}.csv", to_csv(table))
        write_figures(building / FIGURES, draw_comparison(found, run_id))
    return tuple(sorted(path for path in out.absolute().rglob("*") if path.is_file()))
