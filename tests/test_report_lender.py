"""What the report says to the lender: provision, income, cash, recoveries, classes, capital, and the pool's queue."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import numpy as np
import pandas
import pytest
import xarray as xr

from outputs import cash, income, provision, recoveries
from outputs.caveats import caveats
from outputs.manifest import run_facts
from outputs.periods import WHOLE
from outputs.report import ReportInputs, render_report
from outputs.tables import report_tables
from outputs.terminal import further_lines
from outputs.wording import amount, percent
from sample_results import sample_results
from scenarios.library import find_study
from scenarios.treatment import Uncertainty
from simulator.study import load_inputs

DRAWS = 20


def inputs_of(results: xr.Dataset) -> ReportInputs:
    return ReportInputs("a lender's book", results, run_facts(results, {}), ())


def words(html: str) -> str:
    html = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def section(html: str, name: str) -> str:
    return words(html[html.index(f'<section id="{name}">') :].split("</section>")[0])


@pytest.fixture(scope="module")
def results() -> xr.Dataset:
    return sample_results(n_paths=60, pool=True).assign_coords(scenario_weight=("scenario", np.array([0.75, 0.25])))


@pytest.fixture(scope="module")
def html(results: xr.Dataset) -> str:
    return render_report(inputs_of(results))


@pytest.fixture(scope="module")
def drawn(results: xr.Dataset) -> xr.Dataset:
    """The sample as if each three of its paths shared a draw of two parameters, of which the first makes the loss."""
    draw = np.repeat(np.arange(DRAWS), 3)
    level = np.linspace(0.8, 1.2, DRAWS)
    losses = results["ultimate_loss"] * xr.DataArray(level[draw], dims="path")
    value = np.stack([level, np.random.default_rng(2).random(DRAWS)])
    told = {f"parameter_{name}": ("parameter", np.ones(2)) for name in ("central", "low", "high")}
    coordinates = {"parameter": ["sale.haircut", "other"], "draw": np.arange(DRAWS), **told}
    values = xr.DataArray(value, dims=("parameter", "draw"), coords=coordinates)
    return results.assign(ultimate_loss=losses, parameter_value=values).assign_coords(
        parameter_draw=("path", draw), batch=("path", draw)
    )


def test_provision_stands_by_stage_with_coverage_and_lifetime_loss(html: str, results: xr.Dataset) -> None:
    text = section(html, "provision")
    for row in provision.credit_loss(results).itertuples():
        shown = f"{row.stage} {row.loans:,.0f} {amount(row.opening_balance)}"
        assert f"{shown} {row.horizon} {amount(row.allowance)}".replace("  ", " ") in text
        assert f"{percent(row.coverage_percent, 2)} ± {percent(row.coverage_percent_error, 2)}" in text
    assert "(weighted)" in text
    assert "more than 2 times the lifetime probability of default" in text
    assert "Allowance of all stages over the balance in default: baseline" in text
    assert "Life ends with the horizon of 36 months" in text


def test_income_and_cash_are_those_of_the_tables(html: str, results: xr.Dataset) -> None:
    text = section(html, "money")
    table = income.income(results)
    for row in table[table["period"] == WHOLE].itertuples():
        assert amount(row.value) in text
    assert "less servicing" in text
    assert "a scenario that lowers the prime rate widens the margin" in text
    for row in cash.cash_by_period(results).itertuples():
        assert amount(row.shortfall) in text
    assert text.count("largest to date") == 2


def test_recoveries_and_the_queue_stand_in_their_sections(html: str, results: xr.Dataset) -> None:
    text = section(html, "workout")
    for row in recoveries.recoveries(results).itertuples():
        assert f"{recoveries.LABELS[row.channel]} {amount(row.value)}" in text
    assert "Queue of the pool phone, 900 hours a month" in section(html, "strategies")
    assert "Cars given back (redeemed) share of cars seized" in text
    assert "Queue" not in words(render_report(inputs_of(sample_results(n_paths=5, n_months=12))))


def test_classes_of_every_regime_and_capital_stand_side_by_side(html: str) -> None:
    text = section(html, "regimes")
    assert "Live balance by class, %, mean over paths" in text
    assert "Capital for credit losses of twelve months: baseline" in text
    for approach in ("Basel formula, other retail us_near_prime", "standardised approach", "simulation, VaR 99.9 %"):
        assert approach in text
    short = section(render_report(inputs_of(sample_results(n_paths=5, n_months=3))), "regimes")
    assert "needs a horizon of twelve months or more" in short


def test_balance_sheet_worst_stretches_and_terms_stand_among_further_tables(html: str) -> None:
    text = section(html, "further")
    assert "baseline: worst 12 months EL" in text
    assert "Loss with a constant balance sheet: each month's loss rate on the opening balance, no run-off" in text
    assert "months 25-36" in text
    assert "balance sheet run-off: no new loans" in section(html, "run")


def test_what_is_not_known_of_the_parameters_is_a_band_apart(drawn: xr.Dataset) -> None:
    """60 paths in draws of 3: the mean of a draw is told, a tail of one is not."""
    inputs = inputs_of(drawn)
    text = section(render_report(inputs), "summary")
    assert f"The study drew its parameters {DRAWS} times" in text
    assert "ran 3 paths with each draw" in text
    assert "The expected loss of baseline goes most with sale.haircut (rank correlation" in text
    assert "other (rank" not in text, "an idle parameter is not named"
    chance = report_tables(inputs)["parameter_drivers"]["largest_by_chance"].iloc[0]
    assert f"of 2 parameters that did nothing the largest correlation would be up to {chance:.2f} by chance" in text
    table = report_tables(inputs)["parameter_bands"]
    assert f"EL {percent(table['percent_of_opening'].iloc[0])}" in text
    lines = "\n".join(further_lines(drawn))
    assert f"What the parameters alone do, % of opening balance; {DRAWS} draws" in lines


def test_parameters_that_chance_explains_are_not_named(drawn: xr.Dataset) -> None:
    """The second parameter alone: its correlation is one that chance makes."""
    text = section(render_report(inputs_of(drawn.isel(parameter=[1]))), "summary")
    assert "No parameter stands out as what the expected loss of baseline goes with: of 1 parameter that did" in text
    assert "goes most with" not in text
    assert "The table parameter_drivers.csv has all." in text


def test_tables_hold_every_figure_for_the_lender(results: xr.Dataset) -> None:
    found = report_tables(inputs_of(results))
    lender = ("expected_credit_loss", "income", "cash", "cash_by_month", "recoveries", "funnel", "pools", "capital")
    book = ("term_structure", "stocks", "worst_periods", "constant_balance", "regimes", "regime_migration")
    for name in (*lender, *book):
        assert not found[name].empty, name
    assert found["parameter_bands"].empty
    pandas.testing.assert_frame_equal(found["cash"], cash.cash_by_period(results))


def test_caveats_name_the_pool_and_drawn_parameters() -> None:
    from calibration.library import find_parameter_set
    from simulator.provenance import provenance

    inputs = load_inputs(find_study("call_centre"), find_parameter_set)
    rows = provenance(inputs.parameters())
    (told,) = [text for text in caveats(inputs, rows) if "What collections do to a loan" in text]
    assert told.endswith("most of them are judgement, as the strategies' sources say.")
    uncertain = replace(
        inputs, study=inputs.study.model_copy(update={"uncertainty": Uncertainty(draws=2, parameters="all")})
    )
    (assumed,) = [text for text in caveats(uncertain, rows) if "confidence L" in text]
    assert assumed.endswith("errors below hold what the parameters' stated ranges say of them, and no more.")
