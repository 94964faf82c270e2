"""The report: one HTML file that needs nothing else, runs nothing and can be mailed and printed.

Everything that came from a tape or a study passes through the template's escaping; pictures are inline SVG with a
text alternative. Nothing in it tells the time, so the same run gives the same bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas
import xarray as xr

from outputs import measures, money_views
from outputs.balance_sheet import LABELS as BALANCE_SHEETS
from outputs.balance_sheet import constant_summary
from outputs.book_view import book_view
from outputs.business import FIRST_UNMET, declined_business, reasons
from outputs.capital import capital_view
from outputs.caveats import share_on_assumption
from outputs.incident_limits import IncidentResult
from outputs.limits import LimitResult
from outputs.manifest import RunFacts
from outputs.picture import Picture
from outputs.provenance_view import CONFIDENCE, ProvenanceGroup, confidence_counts, provenance_groups
from outputs.regime_view import regime_view
from outputs.report_views import arrears_view, by_run, cut_tables, difference_label, differences, rate_matrix
from outputs.run_folder import write_text
from outputs.sensitivity import top_of_range, why_lower
from outputs.starved_pools import starved_pools
from outputs.strategies_report import strategies_context
from outputs.strategies_view import Comparison
from outputs.tail_view import method_words, number_of_paths, tail_table
from outputs.term_structure import TERM_LABELS
from outputs.weighted import WEIGHT, weighted_summary
from outputs.wording import (
    LOSS_LABELS,
    NOT_AVAILABLE,
    amount,
    arrears_warnings,
    measure_label,
    path_count,
    percent,
    unreliable_note,
)
from scenarios.counted import counted
from scenarios.regimes import shipped_regimes
from simulator.stages import SIGNIFICANT_INCREASE
from simulator.tape.report import money_text

if TYPE_CHECKING:
    from markupsafe import Markup

    from simulator.provenance import ProvenanceRow
    from simulator.tape.report import LoadReport

TEMPLATE: Final = "report.html"
SHOWN_REJECTS: Final = 200
"""Rejected rows that the report prints; the table beside it has all of them."""

LIMITATIONS: Final = (
    "Cut-offs at underwriting decline loans of the book: no loan gets another rate, amount or term. There is no "
    "insurance programme.",
    "Suits and sales of debt act on what a sale of the car leaves unpaid and are no states of their own; prices of "
    "debt do not fall when everybody sells, and there are no settlements for less than is owed.",
    "Where no strategy says otherwise, repossession follows rates by arrears; yards and auction lanes are never full, "
    "and the book's own sales depress prices only where the study states its market share.",
    "The allowance by stage is that of the as-of date: how stages and provisions move later is not simulated, and the "
    "income statement is before provisions, overhead and tax.",
    "Funding is repriced every month and costs the same whatever happens to the book: no liquidity premium, no "
    "maturities, no triggers.",
    "Standard errors are those of the simulation. They say nothing about whether the parameters are right, unless the "
    "study draws its parameters, and then the bands say only what the stated ranges do.",
    "No new loans: a constant balance sheet is a scaling of loss rates, not an origination forecast.",
)
"""What this version does not compute, for readers; `docs/methodology.md` has the full list."""


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """Everything that a report shows.

    Attributes
    ----------
    title : str
        The study's title.
    results : xr.Dataset
    facts : RunFacts
    pictures : sequence of Picture
    load_report : LoadReport or None
        How the tape was read; None where there was none to read.
    provenance : sequence of ProvenanceRow
        Every number of the parameter sets with its source.
    assumptions : mapping of str to sequence of str
        Sentences by scenario: what it takes for granted, a satellite or a shifted calendar among it.
    notes : sequence of str
        Sentences of the run itself, as guesses and defaults of the book.
    limits : sequence of LimitResult
    incident_limits : sequence of IncidentResult
    comparison : Comparison or None
        Of the run's strategies, where it has several.
    limitations : sequence of str
    caveats : sequence of str
        The largest assumptions, for the top of the report.
    book : mapping or None
        What `simulator.tape.describe_tape` says of the tape.
    study : sequence of (str, str)
        The study's own assumptions, as `outputs.study_view.study_rows` tells them.
    settled : sequence of float
        Share of loans in each bucket in arrears or a worse one to which the parameter sets lead, fractions.
    """

    title: str
    results: xr.Dataset
    facts: RunFacts
    pictures: Sequence[Picture]
    load_report: LoadReport | None = None
    provenance: Sequence[ProvenanceRow] = ()
    assumptions: Mapping[str, Sequence[str]] | None = None
    notes: Sequence[str] = ()
    limits: Sequence[LimitResult] = ()
    incident_limits: Sequence[IncidentResult] = ()
    comparison: Comparison | None = None
    limitations: Sequence[str] = LIMITATIONS
    caveats: Sequence[str] = ()
    book: Mapping[str, Any] | None = None
    study: Sequence[tuple[str, str]] = ()
    settled: Sequence[float] = ()


def render_report(inputs: ReportInputs) -> str:
    """The report as HTML text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("outputs", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "amount": amount,
        "percent": percent,
        "cents": money_text,
        "inline": inline_svg,
        "label": _row_label,
        "interval": _interval,
        "counted": counted,
        "paths": number_of_paths,
        "difference_label": difference_label,
    }
    return environment.get_template(TEMPLATE).render(_context(inputs))


def write_report(path: Path, inputs: ReportInputs) -> Path:
    """Write the report, whole or not at all."""
    write_text(path, render_report(inputs))
    return path


def _context(inputs: ReportInputs) -> dict[str, Any]:
    results = inputs.results
    summary, top = measures.summary(results), top_of_range(results)
    remarks = _remarks(inputs)
    return {
        "inputs": inputs,
        "facts": inputs.facts,
        "attrs": results.attrs,
        "paths": path_count(results),
        "months": results.sizes["month"],
        "headline": headline(summary, results),
        "remarks": remarks,
        "warnings": [text for text in inputs.facts.warnings if text not in remarks],
        "summary": by_run(summary),
        "differences": differences(results),
        "tail": by_run(tail_table(results)),
        "tail_words": method_words(results),
        "weighted": by_run(weighted_summary(results)),
        "weights": scenario_shares(results),
        "top": by_run(top),
        "top_note": why_lower(top),
        "bands": money_views.band_view(results),
        "drivers": money_views.driver_view(results),
        "rates": rate_matrix(results),
        "book": None if inputs.book is None else book_view(inputs.book),
        **_business_context(results),
        "arrears": arrears_view(results, inputs.settled),
        "arrears_differ": bool(arrears_warnings(results)),
        "cuts": cut_tables(results),
        **_money_context(results),
        **_regime_context(results),
        **strategies_context(results, inputs.comparison, inputs.incident_limits),
        "net_loss": by_run(measures.summary(results, "net_loss")),
        "return_periods": by_run(measures.return_periods(results)),
        "loss_labels": LOSS_LABELS,
        "unreliable_note": unreliable_note(results) if bool(summary["unreliable"].any()) else "",
        "load": inputs.load_report,
        "shown_rejects": SHOWN_REJECTS,
        **_provenance_context(inputs.provenance),
        "style": _style_sheet(),
    }


def _business_context(results: xr.Dataset) -> dict[str, Any]:
    """What strategies decline of the book; nothing where none does."""
    table = declined_business(results)
    why = {} if table.empty else reasons(table)
    return {"business": table.to_dict("records"), "business_reasons": why, "first_unmet": FIRST_UNMET if why else ""}


def _money_context(results: xr.Dataset) -> dict[str, Any]:
    """Provision, income, cash, recoveries, and what follows from the book year by year."""
    provisions = money_views.provision_view(results)
    return {
        "provision": provisions,
        "stage_3_coverage": money_views.stage_3_coverage(provisions),
        "significant": f"{SIGNIFICANT_INCREASE:g}",
        "cut_off": money_views.cut_off(results),
        "income": money_views.income_view(results),
        "cash": money_views.cash_view(results),
        "recoveries": money_views.recovery_view(results),
        "funnel": money_views.funnel_view(results),
        "pools": money_views.pool_view(results),
        "pool_hours": money_views.pool_hours(results),
        "term": money_views.term_view(results),
        "term_labels": TERM_LABELS,
        "worst": money_views.worst_view(results),
        "constant": by_run(constant_summary(results)),
        "balance_sheet": BALANCE_SHEETS[str(results.attrs["balance_sheet"])],
    }


def _regime_context(results: xr.Dataset) -> dict[str, Any]:
    """Classes of the stock in arrears, and capital."""
    capital = capital_view(results)
    return {
        "regimes": [regime_view(results, regime) for regime in shipped_regimes()],
        "capital": capital,
        "capital_lines": [] if capital is None else money_views.capital_lines(capital.rows),
    }


def _remarks(inputs: ReportInputs) -> list[str]:
    """What stands in the box at the top, worst first: arrears that do not fit, then the largest assumptions."""
    return [*arrears_warnings(inputs.results), *starved_pools(inputs.results), *inputs.caveats]


def _provenance_context(rows: Sequence[ProvenanceRow]) -> dict[str, Any]:
    """Numbers of the parameter sets by confidence, the weakest first."""
    by_letter = {letter: [row for row in rows if row.confidence == letter] for letter in reversed(CONFIDENCE)}
    counts = confidence_counts(rows)
    groups: dict[str, list[ProvenanceGroup]] = {
        letter: provenance_groups(chosen) for letter, chosen in by_letter.items() if chosen
    }
    return {
        "confidence": counts,
        "counts": {letter: len(chosen) for letter, chosen in by_letter.items()},
        "meanings": CONFIDENCE,
        "on_assumption": share_on_assumption(counts),
        "parameters": groups,
    }


def scenario_shares(results: xr.Dataset) -> list[tuple[str, float]]:
    """Scenarios with their probabilities in percent; empty where they carry none."""
    if WEIGHT not in results.coords:
        return []
    shares = 100.0 * results[WEIGHT].values
    return [(str(name), float(share)) for name, share in zip(results["scenario"].values, shares, strict=True)]


def _row_label(row: Mapping[str, Any]) -> str:
    """Label of a table's row: a measure with its level, or a return period."""
    if "return_period" in row:
        return f"1 in {row['return_period']:,} paths"
    level = float(row.get("level", math.nan))
    return measure_label(row["measure"], level)


def _interval(row: Mapping[str, Any]) -> str:
    low, high = amount(row["low"]), amount(row["high"])
    return NOT_AVAILABLE if NOT_AVAILABLE in (low, high) else f"{low} to {high}"


def headline(summary: pandas.DataFrame, dataset: xr.Dataset) -> list[tuple[str, str]]:
    """The result in one sentence a run: (run, sentence)."""
    currency = dataset.attrs["currency"]
    name = "expected loss without costs of collection and incidents" if measures.has_costs(dataset) else "expected loss"
    sentences = []
    for block in by_run(summary):
        expected = next(row for row in block.rows if row["measure"] == "expected_loss")
        worst = next(row for row in block.rows if (row["measure"], row["level"]) == ("value_at_risk", 0.99))
        doubt = " (unreliable: too few paths)" if worst["unreliable"] else ""
        sentence = (
            f"the {name} is {amount(expected['value'])} {currency} "
            f"({percent(expected['percent_of_opening'], 2)} % of the opening balance); with a probability of 1 % "
            f"it is more than {amount(worst['value'])} {currency} ({percent(worst['percent_of_opening'], 2)} %){doubt}."
        )
        sentences.append((block.run, sentence))
    return sentences


def _style_sheet() -> Markup:
    """The style sheet, from beside the template; it is ours and holds nothing of the user's."""
    from importlib.resources import files

    from markupsafe import Markup

    return Markup(files("outputs").joinpath("templates", "report.css").read_text("utf-8"))  # noqa: S704  # our own text


def inline_svg(picture: Picture) -> Markup:
    """A picture as an SVG element of the page.

    Prolog and metadata go, names of its parts get the picture's own prefix (two pictures share matplotlib's names),
    its size becomes that of the column, and its text alternative is attached. What a picture draws from the user's
    text are outlines of letters, never markup.
    """
    from markupsafe import Markup, escape

    text = picture.svg[picture.svg.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    prefix = f"{picture.name}-"
    text = re.sub(r'\bid="', f'id="{prefix}', text)
    text = re.sub(r"url\(#", f"url(#{prefix}", text)
    text = re.sub(r'href="#', f'href="#{prefix}', text)
    text = re.sub(r"<style type=\"text/css\">.*?</style>", "", text, flags=re.DOTALL)
    head = f'<svg role="img" aria-label="{escape(picture.alternative)}" stroke-linejoin="round" '
    opening, rest = text.split(">", 1)
    opening = re.sub(r'\s(width|height)="[^"]*"', "", opening)
    return Markup(opening.replace("<svg ", head, 1) + ">" + rest)  # noqa: S704  # drawn by matplotlib from escaped text
