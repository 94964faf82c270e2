"""The commands `carstress regime ...`: list, show and apply regimes of classification.

As in `cli.py`, heavy imports stand inside the commands and nothing is computed here.
"""

from __future__ import annotations

import click

from outputs.console import VOICE, reporting


@click.group()
def regime() -> None:
    """List and show regimes of classification, and apply one to a finished run."""


@regime.command("list")
@reporting
def list_regimes() -> None:
    """List the shipped regimes with their classes, the best first."""
    from scenarios.regimes import shipped_regimes

    found = shipped_regimes()
    VOICE.table([{"name": item.name, "classes": ", ".join(item.class_names), "title": item.title} for item in found])


@regime.command("show")
@click.argument("name")
@reporting
def show_regime(name: str) -> None:
    """Show regime NAME: a shipped name or a file, with its classes, its workout states and its source."""
    from scenarios.regimes import REGIMES, find_regime

    found = find_regime(name)
    text = REGIMES.find(name, None, "regime").text
    VOICE.report(text.rstrip(), found.model_dump(mode="json"))


@regime.command("apply")
@click.argument("run")
@click.argument("name")
@reporting
def apply_regime(run: str, name: str) -> None:
    """Classify the loans of RUN, a folder or a name below runs/, by regime NAME, a shipped name or a file.

    Prints the share of the live balance in each class after a month, after twelve and at the horizon; with --json every
    month, amounts and shares, and the monthly migration between classes. Nothing is written.
    """
    from outputs.measures import as_records
    from outputs.regime_view import format_regime, regime_view
    from outputs.regimes import migration_table, regime_table
    from outputs.run_commands import find_run
    from outputs.store import read_results
    from scenarios.regimes import find_regime

    found, results = find_regime(name), read_results(find_run(run))
    view = regime_view(results, found)
    document = {
        "schema": "carstress-regime/1",
        "regime": found.name,
        "currency": results.attrs["currency"],
        "notes": list(view.notes),
        "stock": as_records(regime_table(results, [found])),
        "migration": as_records(migration_table(results, [found])),
    }
    VOICE.report(format_regime(view), document)
