"""The commands `carstress strategy ...`: list and show collection strategies.

As in `cli.py`, heavy imports stand inside the commands and nothing is computed here.
"""

from __future__ import annotations

import click

from outputs.console import VOICE, reporting


@click.group()
def strategy() -> None:
    """List and show collection strategies: what is done with loans in arrears, by whom and when."""


@strategy.command("list")
@reporting
def list_strategies() -> None:
    """List the shipped strategies. `reference` needs no file, see `carstress strategy show reference`."""
    from scenarios.library import find_strategy, library_names

    found = map(find_strategy, library_names("strategies"))
    rows = [
        {
            "name": item.name,
            "currency": item.currency or "any",
            "rules": item.rules or "none",
            "rungs": len(item.labels),
            "pools": ", ".join(item.pools) or "none",
            "title": item.title,
        }
        for item in found
    ]
    VOICE.table(rows)


@strategy.command("show")
@click.argument("name")
@click.option("--ladder", is_flag=True, help="As a table, one line a rung; by type: forgetful/hardship/strategic.")
@reporting
def show_strategy(name: str, ladder: bool) -> None:
    """Show strategy NAME: a shipped name or a file, every figure with its source.

    It is checked first: against itself, and against the rules of contact that it names.
    """
    from outputs.strategy_view import REFERENCE_MEANING, ladder_rows, watch_list_words
    from scenarios.library import find_strategy
    from scenarios.strategy import STRATEGIES
    from scenarios.vocabulary import REFERENCE_STRATEGY

    if name == REFERENCE_STRATEGY:
        VOICE.report(REFERENCE_MEANING, {"name": name, "meaning": REFERENCE_MEANING})
        return
    found = find_strategy(name)
    rows = ladder_rows(found) if ladder else []
    if rows:
        VOICE.table(rows)
        VOICE.say(watch_list_words(found.watch_list))
    elif ladder:
        VOICE.report(f"{found.name} has no rungs: nobody does anything about arrears.", rows)
    else:
        VOICE.report(STRATEGIES.find(name, None, "strategy").text.rstrip(), found.model_dump(mode="json"))
