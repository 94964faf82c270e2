"""Business that strategies decline before the loan: how much of it, why, and how what is lent does (P17)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs import estimators
from outputs.lending import lent_balance, underwrites
from outputs.measures import Loss, sample_of
from outputs.strategies import compared_runs, strategy_loss
from outputs.weighted import with_mixture
from outputs.wording import align, amount, percent

CRITERION_LABELS: Final[Mapping[str, str]] = {
    "most_ltv_percent": "loan-to-value",
    "least_score": "score",
    "most_payment_to_income_percent": "payment to income",
    "income_verified": "income not verified",
    "credit_insured": "not insured",
    "tracker": "no tracker",
}
"""Why a loan was declined, by criterion."""

TABLE: Final = "strategy_business"
"""Name of the table's file."""

FIRST_UNMET: Final = "Each loan is counted with the first criterion that it does not meet."


def declined_business(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> pandas.DataFrame:
    """What each strategy declines of the book, and the loss with costs of what it lends.

    Where scenarios carry weights, over all of them too.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, declined (loans), declined_balance (currency), declined_percent (of the book's
        opening balance), declined_interest (contractual, over the horizon, currency), replaced (loans),
        replaced_balance, lent_balance (currency), loss_percent and loss_percent_error (expected loss with costs, of
        `lent_balance`), and declined_by_... (loans, by criterion). No row where no strategy declines.
    """
    rows: list[dict[str, Any]] = []
    losses = with_mixture(strategy_loss(dataset, loss), dataset) if underwrites(dataset) else None
    for run in compared_runs(dataset) if losses is not None else ():
        one = dataset.sel(strategy=run["strategy"])
        held = float(lent_balance(one))
        found = estimators.mean(sample_of(losses.sel(run), dataset))  # type: ignore[union-attr]
        rows.append({**run, **_declined(one), "lent_balance": held, **_loss_rate(found, held)} | _by_criterion(one))
    return pandas.DataFrame(rows)


def _declined(one: xr.Dataset) -> dict[str, float]:
    balance = float(one["declined_balance"])
    return {
        "declined": int(one["declined_count"]),
        "declined_balance": balance,
        "declined_percent": 100.0 * balance / float(one.attrs["opening_balance"]),
        "declined_interest": float(one["declined_interest"]),
        "replaced": int(one["replaced_count"]),
        "replaced_balance": float(one["replaced_balance"]),
    }


def _loss_rate(found: estimators.Estimate, held: float) -> dict[str, float]:
    scale = 100.0 / held if held > 0.0 else np.nan
    return {"loss_percent": scale * found.value, "loss_percent_error": scale * found.standard_error}


def _by_criterion(one: xr.Dataset) -> dict[str, int]:
    counts = one["declined_by_criterion"]
    return {f"declined_by_{name}": int(counts.sel(criterion=name)) for name in map(str, counts["criterion"].values)}


def business_tables(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> dict[str, pandas.DataFrame]:
    """The table by the name of its file; none where no strategy declines."""
    return {TABLE: declined_business(dataset, loss)} if underwrites(dataset) else {}


def reasons(table: pandas.DataFrame) -> dict[str, str]:
    """Why loans were declined, in words, by strategy; a strategy that declines none is left out."""
    first = table.drop_duplicates("strategy")
    return {str(row["strategy"]): ", ".join(_counts(row)) for row in first.to_dict("records") if row["declined"]}


def _counts(row: Mapping[Any, Any]) -> Iterator[str]:
    for name, label in CRITERION_LABELS.items():
        if row[f"declined_by_{name}"]:
            yield f"{label} {row[f'declined_by_{name}']:,}"


def business_lines(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> list[str]:
    """The table as the terminal shows it; nothing where no strategy declines."""
    if not underwrites(dataset):
        return []
    table, currency = declined_business(dataset, loss), str(dataset.attrs["currency"])
    head = ("scenario", "strategy", "loans", "balance", "% of book", "interest", "replaced", "EL, % of lent")
    rows: list[tuple[str, ...]] = []
    before = ""
    for row in table.to_dict("records"):
        scenario = str(row["scenario"])
        money = (amount(row["declined_balance"]), percent(row["declined_percent"], 1), amount(row["declined_interest"]))
        shown = (f"{row['declined']:,}", *money, amount(row["replaced_balance"]), percent(row["loss_percent"]))
        rows.append(("" if scenario == before else scenario, str(row["strategy"]), *shown))
        before = scenario
    title = f"Business declined before the loan, {currency}; interest by contract over the horizon; EL with costs"
    why = [f"{name} declines for: {text}." for name, text in reasons(table).items()]
    return ["", title, align([head, *rows], text_columns=2), *why, *([FIRST_UNMET] if why else [])]
