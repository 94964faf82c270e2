"""The pages of the pictures of money."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from outputs import figure_money, plots
from outputs.figure_data import quantile_column
from outputs.page import FAN_LABELS, Page, grey_bands, panel_a_run
from outputs.picture import Picture
from outputs.plots_money import LIFE_LABEL
from outputs.provision import ALL_STAGES
from outputs.recoveries import CHANNELS, COST
from outputs.style import new_sheet, wrap
from outputs.wording import amount, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCALES: Final = ((1e9, "billion"), (1e6, "million"), (1e3, "thousand"), (1.0, ""))
"""Units of amounts on an axis, the largest first."""
SMALLEST_AMOUNT: Final = 0.005
"""Currency: no axis is stretched to show less than a cent."""
LABEL_WIDTH: Final = 24
"""Characters of a run's name beside a bar."""


def money_scale(largest: float, currency: str) -> tuple[float, str]:
    """What amounts are divided by, and the unit: the largest that leaves a figure of 1 or more."""
    for divisor, name in SCALES:
        if largest >= divisor:
            return divisor, f"{currency} {name}".strip()
    return 1.0, currency


def cash_picture(page: Page) -> Picture:
    """Cash collected against the schedule, one panel a run."""
    data = figure_money.cash_bands(page.dataset)
    largest = float(data[["scheduled", "due", quantile_column(0.95)]].max(axis=None))
    divisor, unit = money_scale(largest, page.marks.currency)
    title = "Cash collected against the contractual schedule"
    subtitle = (
        f"{unit} a month from {page.marks.as_of} on; instalments, fees and net recoveries, without what was prepaid or "
        "paid after a total loss"
    )
    labels = [*FAN_LABELS[:3], "contractual schedule", "still due, mean"]

    def draw(axes: Axes, run: str) -> None:
        plots.plot_cash(axes, data[data["run"] == run], page.styles[run], divisor)

    sheet, axes_list = panel_a_run(page, (title, subtitle), labels, unit, draw)
    grey_bands(sheet.legend(*axes_list[0].get_legend_handles_labels()))
    caption = (
        "The dotted line is what falls due by contract if nobody is late and nobody prepays; loans that were prepaid "
        "leave it, and the dashed line is what is still due, in the first month with what the tape has in arrears. "
        "Where the median runs below that, treasury funds the gap; where it runs above, late payments and recoveries "
        "catch up. Bands hold the middle 50 % and 90 % of paths."
    )
    last = data[data["month"] == data["month"].max()]
    words = "; ".join(
        f"{row.run}: {amount(row.short_to_date)} {page.marks.currency} short to date in the last month, mean over paths"
        for row in last.itertuples()
    )
    alternative = f"Bands of monthly cash below a falling schedule. {words}."
    return Picture("cash_against_schedule", title, caption, alternative, sheet.figure, data)


def recovery_picture(page: Page) -> Picture:
    """Recoveries by channel over time, one panel a run."""
    data = figure_money.recovery_flows(page.dataset)
    divisor, unit = money_scale(float(data["value"].max()), page.marks.currency)
    title = "Recoveries by channel over time"
    subtitle = f"{unit} a month from {page.marks.as_of} on, mean over paths, month of cash; costs below zero"
    labels = list(dict.fromkeys(data["label"]))

    def draw(axes: Axes, run: str) -> None:
        plots.plot_recoveries(axes, data[data["run"] == run], divisor)

    sheet, axes_list = panel_a_run(page, (title, subtitle), labels, unit, draw)
    if float(data["value"].abs().max()) < SMALLEST_AMOUNT:
        axes_list[0].set_ylim(-1.0, 1.0)
    sheet.legend(*axes_list[0].get_legend_handles_labels())
    caption = (
        "The stack is cash from sales of cars, from the cars' own insurance after a total loss, and from what sales "
        "left unpaid, collected, sued for or sold; below zero the costs of repossession and sale. "
        "The dashed line is the gross charge-off of the month: sales follow it after their lag, deficiency collections "
        "much later. Cash of charge-offs before the as-of date is not modelled."
    )
    sums = data.groupby(["run", "channel"], sort=False)["value"].sum()
    shown = {name: label for name, label in CHANNELS.items() if name != COST and name in set(data["channel"])}
    words = "; ".join(
        f"{run}: " + ", ".join(f"{label} {amount(sums[run, name])}" for name, label in shown.items())
        for run in dict.fromkeys(data["run"])
    )
    alternative = f"Stacked areas of monthly cash. Over the horizon, {page.marks.currency}: {words}."
    return Picture("recoveries", title, caption, alternative, sheet.figure, data)


def provision_picture(page: Page) -> Picture:
    """Expected credit loss by stage, one bar a run."""
    data = figure_money.credit_losses(page.dataset)
    runs = list(dict.fromkeys(data["run"]))
    title = "Expected credit loss by stage and scenario"
    subtitle = (
        f"% of opening balance as of {page.marks.as_of}; loss of 12 months for stage 1, lifetime loss for stages 2, 3"
    )
    labels = [wrap(run, LABEL_WIDTH) for run in runs]
    lines = sum(label.count("\n") + 1 for label in labels)
    legend = [*dict.fromkeys(data["stage"]), LIFE_LABEL]
    sheet = new_sheet(title, subtitle, page.marks, 0.8 + 0.25 * lines + 0.25 * len(runs), legend=legend)
    axes = sheet.figure.subplots()
    plots.plot_credit_loss(axes, data, labels)
    axes.set_xlabel("% of opening balance")
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    shown = [label for label in legend if label in handles]
    sheet.legend([handles[label] for label in shown], shown)
    caption = (
        "Bars are the loss allowance of IFRS 9 if the scenario were certain; their length is printed, the thin line at "
        "their end is one standard error. The diamond is the lifetime loss of all loans, the allowance of CECL: what "
        "lies between is the loss of stage 1 beyond twelve months."
    )
    whole = data[data["stage"] == ALL_STAGES]
    words = "; ".join(
        f"{row.run}: {percent(row.allowance_percent, 2)} %, lifetime {percent(row.lifetime_percent, 2)} %"
        for row in whole.itertuples()
    )
    alternative = f"Stacked bars of expected credit loss in percent of the opening balance. {words}."
    return Picture("expected_credit_loss", title, caption, alternative, sheet.figure, data)


MONEY_BUILDERS: Final[tuple[Callable[[Page], Picture], ...]] = (cash_picture, recovery_picture, provision_picture)
"""Pictures of money, in the order of the report."""
