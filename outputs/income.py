"""What the book earns and costs: interest, fees, funding, servicing and credit losses by year.

Accrual, before provisions, overhead and tax: interest counts in the month in which it accrues, what is charged off is
lost in the month in which it is booked, and recoveries and their costs count in the month of their cash; so do costs of
collection strategies. Everything is within the horizon; nothing here is discounted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, Final

import pandas
import xarray as xr

from outputs import estimators
from outputs.balance_sheet import balance_at_opening
from outputs.measures import estimate_columns, runs, sample_of
from outputs.periods import YEAR, period_sums, periods
from outputs.portions import by_portions
from outputs.rates import ratio

RESULT: Final = "result"
"""The statement's last line."""
MARGIN_COLUMNS: Final = ("percent_a_year", "percent_a_year_error")


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the statement.

    Attributes
    ----------
    name, label : str
    variables : mapping of str to float
        Sum of which variables it is, each with its factor: 1 or -1.
    total : bool
        It sums up lines above.
    ladder : bool
        It is of collection strategies: left out where it is 0 in every run.
    """

    name: str
    label: str
    variables: dict[str, float]
    total: bool = False
    ladder: bool = False

    def shown(self, dataset: xr.Dataset) -> bool:
        """Whether a result has it."""
        return not self.ladder or all(name in dataset and bool(dataset[name].any()) for name in self.variables)

    def of(self, dataset: xr.Dataset) -> xr.DataArray:
        """Its amount by path and month; what only strategies leave may be missing."""
        held = {name for name in self.variables if name in dataset or name not in _LADDER}
        return reduce(add, (factor * dataset[name] for name, factor in self.variables.items() if name in held))


_EARNED: Final = {"interest_accrued": 1.0, "fees": 1.0, "funding_cost": -1.0}
_CREDIT: Final = {"charge_off": 1.0, "sale_proceeds": -1.0, "deficiency_cash": -1.0, "workout_cost": 1.0}
_LADDER: Final = {"judgment_cash": 1.0, "debt_sale_cash": 1.0, "collection_cost": -1.0, "incident_cost": -1.0}
_RESULT: Final = {**_EARNED, "servicing_cost": -1.0, **{name: -factor for name, factor in _CREDIT.items()}, **_LADDER}

ITEMS: Final = (
    Item("interest", "Interest accrued", {"interest_accrued": 1.0}),
    Item("fees", "Late and renewal fees", {"fees": 1.0}),
    Item("funding_cost", "less funding", {"funding_cost": 1.0}),
    Item("net_interest_and_fees", "Net interest and fees", _EARNED, total=True),
    Item("servicing_cost", "less servicing", {"servicing_cost": 1.0}),
    Item("charge_off", "less gross charge-off, accrued interest included", {"charge_off": 1.0}),
    Item("sale_proceeds", "Proceeds of repossessed cars", {"sale_proceeds": 1.0}),
    Item("deficiency_cash", "Deficiency collections", {"deficiency_cash": 1.0}),
    Item("judgment_cash", "Collections on judgments", {"judgment_cash": 1.0}, ladder=True),
    Item("debt_sale_cash", "Sales of deficiencies", {"debt_sale_cash": 1.0}, ladder=True),
    Item("workout_cost", "less costs of repossession and sale", {"workout_cost": 1.0}),
    Item("collection_cost", "less costs of collection", {"collection_cost": 1.0}, ladder=True),
    Item("incident_cost", "less costs of incidents", {"incident_cost": 1.0}, ladder=True),
    Item(RESULT, "Result before provision, overhead and tax", _RESULT, total=True),
)
"""Lines of the statement in their order. Amounts are positive; a label that begins with "less" is taken away."""


def income(dataset: xr.Dataset) -> pandas.DataFrame:
    """Income statement by year and over the horizon.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, period, first_month, last_month, item (`ITEMS`), value, standard_error, low,
        high (currency; totals are negative where the book loses), percent_a_year and percent_a_year_error (over the
        mean balance of the period's months, times twelve).
    """
    amounts = {item.name: _by_period(dataset, item.of) for item in ITEMS if item.shown(dataset)}
    balance = _by_period(dataset, balance_at_opening)
    rows: list[dict[str, Any]] = []
    for run in runs(dataset):
        for period in periods(dataset.sizes["month"]):
            chosen = {**run, "period": period.label}
            told = {**chosen, "first_month": period.first, "last_month": period.last}
            rows += [
                {**told, "item": name, **_columns(values.sel(chosen), balance.sel(chosen), dataset)}
                for name, values in amounts.items()
            ]
    return pandas.DataFrame(rows)


def _by_period(dataset: xr.Dataset, amount: Callable[[xr.Dataset], xr.DataArray]) -> xr.DataArray:
    """An amount by month as sums of the run's periods: float64[period, scenario, strategy, programme, path]."""
    return by_portions(dataset, lambda some: period_sums(amount(some)))


def _columns(total: xr.DataArray, balance: xr.DataArray, dataset: xr.Dataset) -> dict[str, Any]:
    """An amount by path, summed over a period, and the balance alike: currency, then percent a year of the balance."""
    found = estimate_columns(estimators.mean(sample_of(total, dataset)), 1.0)
    yearly = ratio(YEAR * total, balance, dataset)
    kept = {name: found[name] for name in ("value", "standard_error", "low", "high")}
    return {**kept, **dict(zip(MARGIN_COLUMNS, (yearly.value, yearly.standard_error), strict=True))}
