"""The commands `carstress scenario ...`: list, show and import macro scenarios.

As in `cli.py`, heavy imports stand inside the commands and nothing is computed here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from outputs.console import VOICE, Command, reporting

if TYPE_CHECKING:
    from scenarios.used_car_source import UsedCarWish

SATELLITES: Final[tuple[Literal["unemployment_gap", "flat"], ...]] = ("unemployment_gap", "flat")
"""Satellites of the used-car index, as the schema names them; written out because the schema is a heavy import."""

_SATELLITE_PREFIX: Final = "satellite:"


@click.group()
def scenario() -> None:
    """List, show and import macro scenarios."""


@scenario.command("list")
@reporting
def list_scenarios() -> None:
    """List the shipped macro scenarios."""
    from scenarios.library import find_scenario, library_names

    found = map(find_scenario, library_names("macro"))
    VOICE.table([{"name": item.name, "months": item.months, "title": item.title} for item in found])


@scenario.command("show")
@click.argument("name")
@click.option("--resolved", "resolve", is_flag=True, help="With what it extends merged in, and each value's origin.")
@reporting
def show_scenario(name: str, resolve: bool) -> None:
    """Show scenario NAME: a library name or a file."""
    from scenarios.library import find_scenario
    from scenarios.schema import SCENARIOS
    from scenarios.show import resolved

    found = find_scenario(name)
    text = resolved(found) if resolve else SCENARIOS.find(name, None, "scenario").text
    VOICE.report(text.rstrip(), found.model_dump(mode="json"))


def used_car_options(command: Command) -> Command:
    """Options that say where an imported scenario's used-car index comes from; passed on as `used_car`."""
    satellites = click.Choice([_SATELLITE_PREFIX + name for name in SATELLITES])
    for option in (
        click.option("--used-car-column", help="Column of that CSV file with the price of all segments."),
        click.option(
            "--used-car-path",
            help="Used-car index by quarter: a CSV file with Date and levels, the jump-off quarter's included, "
            "or a scenario (file or shipped name).",
        ),
        click.option("--lag-quarters", type=click.IntRange(0, 8), help="unemployment_gap: its lag; 2 if not given."),
        click.option(
            "--peak-to-trough", type=click.FloatRange(-90, 0), help="unemployment_gap: fall, percent; -20 if not given."
        ),
        click.option(
            "--used-car",
            "satellite",
            type=satellites,
            help="Used-car index by assumption; satellite:unemployment_gap if not given.",
        ),
    ):
        command = option(command)
    return command


@scenario.command("import-fed")
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--history",
    type=click.Path(path_type=Path, readable=False),
    help="Historic table of the same publication, for the jump-off; the shipped US history if not given.",
)
@click.option("--jump-off", help="Quarter of month 0, as 2024Q4; the one before the table's first if not given.")
@used_car_options
@click.option("--name", help="Name of the scenario; made from the table's if not given.")
@click.option("--title", help="Its title.")
@click.option("--source", help="Its publication, instead of the Board's name and the year.")
@click.option("--out", type=click.Path(path_type=Path), help="File to write, .yaml; standard output if not given.")
@click.option("--force", is_flag=True, help="Replace the file.")
@reporting
def import_fed(file: Path, out: Path | None, force: bool, **wishes: Any) -> None:
    """Make a scenario of FILE, a table of the Federal Reserve's supervisory scenarios (domestic, CSV).

    Unemployment, real disposable income growth and the prime rate are taken as published. The table has no used-car
    price: give a path, or a satellite makes one of unemployment, and the file marks it as an assumption.
    """
    from outputs.run_folder import check_file, write_text
    from scenarios.published import ImportWish, import_published
    from scenarios.shelf import SUFFIXES

    used_car = used_car_wish(wishes)
    if out is not None:
        check_file(out, SUFFIXES, force=force)
    found = import_published(ImportWish(file, used_car, **wishes))
    if out is not None:
        write_text(out, found.text)
    document = {
        "schema": "carstress-scenario-import/1",
        "file": None if out is None else str(out),
        **found.record,
        "yaml": found.text,
    }
    if out is None:
        for line in found.lines:
            VOICE.say(line)
        VOICE.report(found.text.rstrip(), document)
    else:
        VOICE.report("\n".join([*found.lines, f"Written to {out}"]), document)


def used_car_wish(wishes: dict[str, Any]) -> UsedCarWish:
    """The used-car options, taken out of a command's; refuses those that exclude each other."""
    from scenarios.used_car_source import UsedCarWish

    satellite, path = wishes.pop("satellite"), wishes.pop("used_car_path")
    column = wishes.pop("used_car_column")
    fall, lag = wishes.pop("peak_to_trough"), wishes.pop("lag_quarters")
    if path is not None and satellite is not None:
        raise click.UsageError("--used-car and --used-car-path exclude each other.")
    if column is not None and (path is None or not path.lower().endswith(".csv")):
        raise click.UsageError("--used-car-column names a column of the CSV file of --used-car-path.")
    name = next((name for name in SATELLITES if satellite == _SATELLITE_PREFIX + name), SATELLITES[0])
    if (fall, lag) != (None, None) and (path is not None or name != SATELLITES[0]):
        raise click.UsageError("--peak-to-trough and --lag-quarters belong to --used-car satellite:unemployment_gap.")
    return UsedCarWish(name, fall, lag, path, column)
