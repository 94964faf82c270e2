"""Every figure of a report takes the weights of paths: a path of weight 3 is three paths of weight 1."""

from __future__ import annotations

import numpy as np
import pandas
import pytest
import xarray as xr

from outputs import figure_data, figure_money
from outputs.manifest import run_facts
from outputs.report import ReportInputs
from outputs.tables import report_tables
from sample_results import sample_results

UNCERTAIN = ("error", "low", "high", "unreliable", "sd", "paths", "draws", "resolved", "spread")
"""Parts of the names of columns that tell how well a figure is known, or how many paths there are."""

FIGURES = {
    "loss_distribution": figure_data.loss_distribution,
    "net_loss_fan": figure_data.net_loss_fan,
    "used_car_fan": figure_data.used_car_fan,
    "cash_bands": figure_money.cash_bands,
    "recovery_flows": figure_money.recovery_flows,
    "credit_losses": figure_money.credit_losses,
}


def pair() -> tuple[xr.Dataset, xr.Dataset]:
    """A result whose paths weigh 1, 2 or 3, and the one in which each stands so many times."""
    plain = sample_results(n_paths=90)
    times = 1 + np.arange(90) % 3
    weighted = plain.assign_coords(log_weight=("path", np.log(times.astype(float))))
    repeated = plain.isel(path=np.repeat(np.arange(90), times))
    number = np.arange(repeated.sizes["path"])
    return weighted, repeated.assign_coords(path=number, batch=("path", number))


def figures(table: pandas.DataFrame) -> pandas.DataFrame:
    """What a table says, without how well it is known; a standard deviation has a divisor of its own."""
    kept = [name for name in table.columns if not any(part in name for part in UNCERTAIN)]
    rows = table["measure"] != "standard_deviation" if "measure" in table.columns else slice(None)
    return table.loc[rows, kept].reset_index(drop=True)


def assert_same(one: pandas.DataFrame, other: pandas.DataFrame, name: str) -> None:
    pandas.testing.assert_frame_equal(figures(one), figures(other), rtol=1e-9, atol=1e-9, obj=name)


@pytest.fixture(scope="module")
def tables() -> tuple[dict[str, pandas.DataFrame], dict[str, pandas.DataFrame]]:
    found = []
    for dataset in pair():
        inputs = ReportInputs("weights", dataset, run_facts(dataset, {}), ())
        found.append(report_tables(inputs))
    return found[0], found[1]


def test_all_tables_take_the_weights(tables: tuple[dict[str, pandas.DataFrame], dict[str, pandas.DataFrame]]) -> None:
    weighted, repeated = tables
    assert len(weighted) > 25
    assert weighted.keys() == repeated.keys()
    for name, table in weighted.items():
        assert_same(table, repeated[name], name)


def test_weights_change_the_tables_at_all(
    tables: tuple[dict[str, pandas.DataFrame], dict[str, pandas.DataFrame]],
) -> None:
    """Without the weights most tables with figures over paths would say something else."""
    plain = sample_results(n_paths=90)
    unweighted = report_tables(ReportInputs("weights", plain, run_facts(plain, {}), ()))
    moved = [name for name, table in tables[0].items() if not figures(table).equals(figures(unweighted[name]))]
    assert {
        "summary",
        "return_periods",
        "differences",
        "rates",
        "income",
        "cash",
        "cash_by_month",
        "recoveries",
    } <= set(moved)
    assert {"funnel", "term_structure", "worst_periods", "constant_balance", "loss_by_cut", "capital"} <= set(moved)
    assert {"expected_credit_loss", "regimes"} <= set(moved)


@pytest.mark.parametrize("name", FIGURES)
def test_pictures_take_the_weights(name: str) -> None:
    weighted, repeated = (FIGURES[name](dataset) for dataset in pair())
    if name == "loss_distribution":  # bins are as wide as the number of paths lets them be
        weighted, repeated = (table[table["kind"] == "mark"].reset_index(drop=True) for table in (weighted, repeated))
        weighted, repeated = (table.rename(columns={"low": "value"}) for table in (weighted, repeated))
    assert_same(weighted, repeated, name)


def test_a_histogram_takes_the_weights() -> None:
    weighted, _ = pair()
    table = figure_data.loss_distribution(weighted)
    bins = table[(table["kind"] == "bin") & (table["run"] == table["run"].iloc[0])]
    assert bins["share_percent"].sum() == pytest.approx(100.0)
    losses = 100.0 * figure_data.measures.path_loss(weighted)[0, 0, 0].to_numpy() / weighted.attrs["opening_balance"]
    first = bins.iloc[0]
    inside = (losses >= first["low"]) & (losses < first["high"])
    weight = np.exp(weighted["log_weight"].to_numpy())
    assert first["share_percent"] == pytest.approx(100.0 * weight[inside].sum() / weight.sum())
