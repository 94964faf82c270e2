"""What the report says of strategies: the figures of the tables, how to read them, limits on incidents."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from types import SimpleNamespace

import numpy as np
import pandas
import pytest
import xarray as xr

from outputs import strategies, strategies_report
from outputs.incident_limits import check_incidents
from outputs.limits import check_limits
from outputs.manifest import run_facts
from outputs.report import ReportInputs, render_report
from outputs.strategies_report import action_costs
from outputs.strategies_view import compared
from outputs.tables import report_tables
from outputs.wording import amount, percent
from sample_results import sample_results
from scenarios.schema import Limit
from scenarios.strategy import CollectionStrategy
from strategy_samples import LADDERS, strategy_results

LIMITED = CollectionStrategy.model_validate(
    {
        "kind": "collection_strategy",
        "name": "field_first",
        "title": "Limits of a test",
        "source": "figures of a test, which stand for nothing",
        "currency": "USD",
        "ladder": [
            {"action": "repossession", "who": {"from_days": 60}, "incidents": {"complaint": 200, "regulatory": 1}}
        ],
        "incidents": {
            "limits": [
                {"kind": "complaint", "at_most": 0, "with_probability_percent": 90},
                {"kind": "regulatory", "at_most": 1000, "with_probability_percent": 95},
            ]
        },
    }
)


@pytest.fixture(scope="module")
def results() -> xr.Dataset:
    return strategy_results(n_paths=300, n_months=12)


@pytest.fixture(scope="module")
def inputs(results: xr.Dataset) -> ReportInputs:
    found = ReportInputs("strategies", results, run_facts(results, {}), ())
    return replace(found, comparison=compared(results), incident_limits=check_incidents(results, [LIMITED, None]))


@pytest.fixture(scope="module")
def html(inputs: ReportInputs) -> str:
    return render_report(inputs)


@pytest.fixture(scope="module")
def section(html: str) -> str:
    return words(html[html.index('<section id="strategies">') :].split("</section>")[0])


def words(html: str) -> str:
    html = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_every_strategy_has_its_loss_with_costs_cash_incidents_and_rank(results: xr.Dataset, section: str) -> None:
    losses, cash, counts = (
        strategies.strategy_loss(results),
        strategies.net_cash(results),
        strategies.incidents(results),
    )
    assert counts is not None
    scale = 100.0 / float(results.attrs["opening_balance"])
    for scenario in ("baseline", "severely_adverse"):
        means = {name: float(losses.sel(scenario=scenario, strategy=name).mean()) for name in LADDERS}
        for name, mean in means.items():
            shown = f"{name} (baseline)" if name == "reference_us" else name
            rank = sorted(means.values()).index(mean) + 1
            assert re.search(rf"{re.escape(shown)} {re.escape(percent(scale * mean))} ± [\d.]+ {rank} ", section)
            at = {"scenario": scenario, "strategy": name}
            assert f"{amount(float(cash.sel(at).mean()))} ± " in section
            assert f"{amount(float(counts.sel(at).mean()))} ± " in section


def test_differences_are_those_of_the_comparison_with_their_verdicts(inputs: ReportInputs, section: str) -> None:
    assert inputs.comparison is not None
    table = inputs.comparison.differences
    shown = table[(table["measure"] != "value_at_risk") & (table["level"].isna() | (table["level"] == 0.99))]
    assert len(shown) == 2 * 3 * 4
    scale = 100.0 / float(inputs.results.attrs["opening_balance"])
    labels = {"expected_loss": "EL", "expected_shortfall": "ES 99 %", "net_cash": "net cash"}
    for row in shown.itertuples():
        if row.measure == "incidents":
            told = (
                f"incidents, number {amount(row.value)} {amount(row.low, row.value)} to {amount(row.high, row.value)}"
            )
        else:
            ends = f"{percent(scale * row.low)} to {percent(scale * row.high)}"
            told = f"{labels[row.measure]} {percent(scale * row.value)} {ends} {amount(row.value)}"
        assert told in section
        p_value = "< 0.001" if row.adjusted_p < 0.001 else f"{row.adjusted_p:.3f}"
        verdict = "n/a not tested (too few paths)" if row.unreliable else f"{p_value} {row.verdict}"
        assert verdict in section.split(told, 1)[1][:60]


def test_costs_by_what_they_are_paid_for_sum_to_all_costs(results: xr.Dataset, section: str) -> None:
    paid = results.assign(collection_cost=results["pool_cost"].sum("pool"))
    paid["collection_cost"] = (
        paid["collection_cost"] + results["rung_cost_mean"].sum("rung").transpose(*results["rung_cost_mean"].dims[:-1])
    ).transpose(*results["collection_cost"].dims)
    for block in action_costs(paid):
        cells = np.array([[cell[0] for cell in row] for _, row in block.rows])
        np.testing.assert_allclose(cells[:-1].sum(axis=0), cells[-1], rtol=1e-9)
        at = {"scenario": block.scenario}
        whole = strategies.total_cost(paid).sel(at).mean("path").squeeze()
        np.testing.assert_allclose(cells[-1], whole, rtol=1e-9)
    assert "pool phone: hours and hiring" in section
    assert "net benefit above 0 says" in section


def test_pools_stand_with_what_they_were_asked_and_gave(results: xr.Dataset, section: str) -> None:
    at = {"scenario": "baseline", "strategy": "reference_us", "programme": "none", "pool": "field"}
    one = results.sel(at)
    assert "Queue of the pool field, 300 to 450 hours a month" in section
    for name, label in (("demand", "Hours asked for, mean month"), ("served", "Hours given, mean month")):
        assert label in section
        assert amount(float(one[f"pool_{name}"].mean())) in section
    longest = float(one["pool_waiting_months"].max("month").mean())
    assert "Months waited so far, worst month mean over loans not served, of each path; 0 where nobody waits" in section
    assert amount(longest) in section


def test_limits_on_incidents_say_kept_or_broken_and_how_often(
    results: xr.Dataset, html: str, section: str, inputs: ReportInputs
) -> None:
    at = {"scenario": "baseline", "strategy": "field_first", "programme": "none", "incident": "complaint"}
    counts = results["incident_count"].sel(at).sum("month")
    share = 100.0 * float((counts == 0).mean())
    assert f"baseline field_first 0 complaints 90 {percent(share, 1)} ± " in section
    assert "1000 regulatory events 95 100.0 ± 0.0 kept" in section
    assert section.count("BROKEN") == sum(not limit.passed for limit in inputs.incident_limits) == 2
    top = words(html[: html.index('<section id="summary">')])
    assert "A limit on incidents fails: baseline, field_first: at most 0 complaints" in top
    table = report_tables(inputs)["incident_limits"]
    assert list(table["found_percent"]) == [limit.found_percent for limit in inputs.incident_limits]


def test_the_top_names_who_loses_least_with_costs(html: str, inputs: ReportInputs) -> None:
    assert inputs.comparison is not None
    levels = inputs.comparison.levels
    top = words(html[: html.index('<section id="summary">')])
    for scenario in ("baseline", "severely_adverse"):
        part = levels[(levels["scenario"] == scenario) & (levels["measure"] == "expected_loss")]
        best = part.loc[part["value"].idxmin()]
        assert f"{best['strategy']} has the least expected loss in {scenario}: " in top


def test_a_run_without_collections_has_no_such_section() -> None:
    bare = sample_results(n_paths=5, n_months=3)
    text = render_report(ReportInputs("bare", bare, run_facts(bare, {}), ()))
    assert 'id="strategies"' not in text
    assert "#strategies" not in text


def test_one_ladder_alone_has_its_costs_and_nothing_to_compare() -> None:
    alone = strategy_results(40, 6, ladders={"field_first": LADDERS["field_first"]})
    text = render_report(ReportInputs("alone", alone, run_facts(alone, {}), (), comparison=compared(alone)))
    part = words(text[text.index('<section id="strategies">') :].split("</section>")[0])
    assert "What collections cost and bring" in part
    assert "verdict" not in part
    assert "net benefit" not in part


@pytest.mark.parametrize(
    ("scenario", "least"),
    [("good", "its expected loss is the least too: 2.00 %"), ("bad", "that of loose is the least: 5.00 %")],
)
def test_what_the_best_declines_is_told(scenario: str, least: str) -> None:
    rows = [("good", "strict", 9, 30.0, 2.0), ("good", "loose", 0, 0.0, 3.0)]
    rows += [("bad", "strict", 9, 30.0, 8.0), ("bad", "loose", 0, 0.0, 5.0)]
    names = ["scenario", "strategy", "declined", "declined_percent", "loss_percent"]
    business = pandas.DataFrame(rows, columns=names).assign(programme="none")
    strict = SimpleNamespace(scenario=scenario, strategy="strict", programme="none")
    said = strategies_report._of_what_is_lent(strict, business)
    assert said == f" It declines 30.0 % of the book before the loan; of what each lends, {least}."
    loose = SimpleNamespace(scenario=scenario, strategy="loose", programme="none")
    assert strategies_report._of_what_is_lent(loose, business) == ""


def test_a_declared_limit_names_the_strategy_where_several_ran(results: xr.Dataset, inputs: ReportInputs) -> None:
    bound = Limit(measure="expected_loss", scenario="baseline", at_most_percent=0.1)
    verdicts = check_limits(results, [bound])
    assert [str(verdict).split(": ")[1] for verdict in verdicts] == [f"baseline / {name}" for name in LADDERS]
    assert [verdict.record()["strategy"] for verdict in verdicts] == list(LADDERS)
    table = report_tables(replace(inputs, limits=verdicts))["limits"]
    assert list(table["strategy"]) == list(LADDERS)
    text = " ".join(re.sub(r"<[^>]+>", " ", render_report(replace(inputs, limits=verdicts))).split())
    for name in LADDERS:
        assert f"A declared limit fails: baseline / {name}, EL is " in text
        assert f"baseline / {name} EL " in text
    (alone,) = check_limits(results.isel(strategy=[0]), [bound])
    assert str(alone).startswith("limit FAILS: baseline: EL = ")
    assert "vary" not in alone.record()
