"""How figures are worded for readers: labels of measures, amounts, percentages, and the terminal's summary."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from typing import Final

import pandas
import xarray as xr

from outputs.arrears import early_jumps
from outputs.measures import has_costs, has_weights
from outputs.starved_pools import starved_pools
from scenarios.counted import counted

SHORT_LABELS: Final = {
    "expected_loss": "EL",
    "standard_deviation": "SD",
    "value_at_risk": "VaR",
    "expected_shortfall": "ES",
}
LONG_LABELS: Final = {
    "expected_loss": "Expected loss (EL)",
    "standard_deviation": "Standard deviation (SD)",
    "value_at_risk": "Value at risk (VaR)",
    "expected_shortfall": "Expected shortfall (ES)",
}
RATE_LABELS: Final = {
    "gross_charge_off": (
        "Gross charge-off",
        "principal and accrued interest charged off within the horizon, month booked, over opening balance",
    ),
    "recovery": (
        "Recoveries",
        "sale proceeds less costs plus deficiency collections that arrive within the horizon, over opening balance; "
        "undiscounted",
    ),
    "cumulative_net_loss": (
        "Cumulative net loss (CNL)",
        "gross charge-off less recoveries, both within the horizon, over opening balance; undiscounted",
    ),
    "loss_given_default": (
        "Loss given default",
        "loss discounted to the default over the exposure of all defaults, those that cure and those that the tape "
        "holds already included, over the whole run",
    ),
    "loss_given_charge_off": (
        "Loss given charge-off",
        "loss after discounted recoveries over gross charge-off, run-off included on both sides; not a loss given "
        "default: a default may cure",
    ),
    "prepaid": ("Prepaid principal", "paid off before maturity within the horizon, over opening balance"),
    "prepayment_rate": (
        "Prepayment speed, a month",
        "loans prepaid over loans alive at the opening of the month, over all months (single monthly mortality)",
    ),
    "loan_to_value_first": (
        "Current LTV, month 1",
        "principal of live loans over the wholesale value of their cars in that month",
    ),
    "loan_to_value_last": ("Current LTV, horizon", "the same in the last month"),
    "stock_one_or_more_mean": (
        "In arrears by one instalment or more, mean over months",
        "principal of these loans over principal of live loans",
    ),
    "stock_one_or_more_peak": ("In arrears by one instalment or more, worst month", "of the mean over paths"),
    "stock_two_or_more_mean": ("In arrears by two instalments or more, mean over months", "the same, for two"),
    "stock_two_or_more_peak": ("In arrears by two instalments or more, worst month", "of the mean over paths"),
}
"""What each rate of `outputs.rates.rates` is called, and what is divided by what; all are shown in percent."""
LOSS_LABELS: Final = {
    "ultimate_loss": "loss after recoveries discounted at the contract rate",
    "net_loss": "gross charge-off less recovery, undiscounted",
}
UNRELIABLE: Final = "unreliable"
PERCENT_DECIMALS: Final = 3
NOT_AVAILABLE: Final = "n/a"
TERMINAL_WIDTH: Final = 100


def percent_level(level: float) -> str:
    """0.999 -> '99.9 %'."""
    return f"{100.0 * level:.10g} %"


def measure_label(measure: str, level: float = math.nan, *, long: bool = False) -> str:
    """Label of a measure, as 'VaR 99.9 %'; unknown names are shown with blanks for underscores."""
    labels = LONG_LABELS if long else SHORT_LABELS
    label = labels.get(measure, measure.replace("_", " "))
    return label if math.isnan(level) else f"{label} {percent_level(level)}"


def rate_label(measure: str) -> tuple[str, str]:
    """What a rate of the book is called, and its definition."""
    if measure.startswith("default_rate_"):
        months = int(measure.removeprefix("default_rate_").removesuffix("m"))
        definition = (
            "loans that reach the default bucket, whose car is seized, that are charged off or end by a total loss "
            "with a shortfall, again only after probation, over opening loans"
        )
        return f"Defaults within {counted(months, 'month')}", definition
    return RATE_LABELS[measure]


def amount(value: float, beside: float = 0.0) -> str:
    """Currency with thousands separators; cents only below 1,000, and of an error only where its figure has them."""
    if not math.isfinite(value):
        return NOT_AVAILABLE
    rounded = f"{value:,.0f}" if abs(value) >= 1000.0 or abs(beside) >= 1000.0 else f"{value:,.2f}"
    return rounded.lstrip("-") if float(rounded.replace(",", "")) == 0.0 else rounded


def percent(value: float, decimals: int = PERCENT_DECIMALS) -> str:
    """A number that is in percent already, without the sign (the column's head has it)."""
    if not math.isfinite(value):
        return NOT_AVAILABLE
    rounded = f"{value:,.{decimals}f}"
    return rounded.lstrip("-") if float(rounded.replace(",", "")) == 0.0 else rounded


def p_value(value: float) -> str:
    """A p-value; that of a test that was not made is none."""
    if not math.isfinite(value):
        return NOT_AVAILABLE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def run_label(scenario: str, strategy: str, programme: str, *, vary: Sequence[str] = ()) -> str:
    """Name of a run: its scenario, then strategy and programme where the Dataset has more than one."""
    parts = {"strategy": strategy, "programme": programme}
    return " / ".join([scenario, *(parts[dim] for dim in ("strategy", "programme") if dim in vary)])


def varying(table: pandas.DataFrame) -> tuple[str, ...]:
    """Which of strategy and programme take more than one value in a table."""
    return tuple(dim for dim in ("strategy", "programme") if table[dim].nunique() > 1)


def align(rows: Sequence[Sequence[str]], text_columns: int) -> str:
    """Rows of cells as aligned lines: the first `text_columns` to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < text_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def format_summary(table: pandas.DataFrame, dataset: xr.Dataset) -> str:
    """The summary as the terminal shows it.

    Parameters
    ----------
    table : pandas.DataFrame
        What `outputs.measures.summary` returns.
    dataset : xr.Dataset
        The result that it was made from: currency, opening balance, paths and months.

    Returns
    -------
    str
        Lines without a closing line break.
    """
    currency = str(dataset.attrs["currency"])
    head = ("scenario", "measure", f"loss, {currency}", "+/- s.e.", "% of opening", "+/- s.e.", "")
    rows: list[tuple[str, ...]] = [head]
    before = ""
    for row in table.itertuples():
        run = run_label(row.scenario, row.strategy, row.programme, vary=varying(table))
        cells = (amount(row.value), amount(row.standard_error, row.value))
        shares = (percent(row.percent_of_opening), percent(row.percent_standard_error))
        shown = "" if run == before else run
        rows.append((shown, measure_label(row.measure, row.level), *cells, *shares, "*" if row.unreliable else ""))
        before = run
    rows.insert(1, tuple("-" * max(len(row[column]) for row in rows) for column in range(len(head))))
    lines = [summary_heading(table, dataset), "", align(rows, text_columns=2)]
    if bool(table["unreliable"].any()):
        lines.append(f"* {unreliable_note(dataset)}")
    for warning in (*arrears_warnings(dataset), *starved_pools(dataset)):
        lines += ["", textwrap.fill(f"Warning: {warning}", TERMINAL_WIDTH, break_on_hyphens=False)]
    return "\n".join(lines)


def summary_heading(table: pandas.DataFrame, dataset: xr.Dataset) -> str:
    """What the summary's figures are: over which time, of which definition, from how many paths."""
    attrs, sizes = dataset.attrs, dataset.sizes
    definition = LOSS_LABELS[str(table["loss"].iloc[0])]
    definition += ", without costs of collection and incidents" if has_costs(dataset) else ""
    return (
        f"Loss over {counted(sizes['month'], 'month')} and run-off ({definition}); {path_count(dataset)};\n"
        f"opening balance {amount(float(attrs['opening_balance']))} {attrs['currency']} "
        f"of {counted(int(attrs['opening_count']), 'loan')} as of {attrs['as_of']}"
    )


def path_count(dataset: xr.Dataset) -> str:
    """The number of paths: '3,000 paths', or '3,000 weighted paths' where some weigh more than others."""
    return counted(dataset.sizes["path"], "weighted path" if has_weights(dataset) else "path")


def unreliable_note(dataset: xr.Dataset) -> str:
    """What the mark of a quantile means; paths with weights count for fewer than they are."""
    kind = "effective paths" if has_weights(dataset) else "paths"
    return f"{UNRELIABLE}: fewer than 10 {kind} lie beyond it; more paths are needed"


def late_label(bucket: str) -> str:
    """A bucket or a worse one: '30-59' -> '30 or more days past due'."""
    days = re.match(r"\d+", bucket)
    return f"{days[0]} or more days past due" if days else f"{bucket} or worse"


def arrears_warnings(dataset: xr.Dataset) -> tuple[str, ...]:
    """Say where the simulation's early arrears are not the tape's: one sentence for each direction, or none."""
    jumps = list(early_jumps(dataset))
    vary = [dim for dim in ("strategy", "programme") if dataset.sizes[dim] > 1]
    found = []
    for group in (
        [jump for jump in jumps if jump.found > jump.tape],
        [jump for jump in jumps if jump.found < jump.tape],
    ):
        if not group:
            continue
        first = group[0]
        cases = "; ".join(
            f"{percent(100.0 * jump.found, 1)} % after {counted(jump.month, 'month')} under "
            f"{run_label(**jump.run, vary=vary)}"
            for jump in group
        )
        few = "few" if first.found > first.tape else "many"
        found.append(
            f"On the tape {percent(100.0 * first.tape, 1)} % of loans are {late_label(first.bucket)}; in the "
            f"simulation it is {cases}. Scenarios hardly act so fast. Either the tape was picked so as to hold {few} "
            "loans in arrears, or the parameter set describes other borrowers than this book's, and then its losses "
            "are not this book's. Calibrate a set to the book, or choose one that fits, before quoting a figure."
        )
    return tuple(found)
