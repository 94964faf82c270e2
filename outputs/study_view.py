"""What a study assumes beside its parameter sets and scenarios: collection strategies, and its share of the market."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from scenarios.counted import counted

if TYPE_CHECKING:
    from scenarios.strategy import CollectionStrategy
    from scenarios.underwriting import Underwriting
    from simulator.study import StudyInputs

PRICES: Final = "of the used-car market's auctions: the book's own sales lower prices"
AS_OBSERVED: Final = "loans in arrears are worked as those were that the parameters come from"
LOANS_BASE: Final = 1000


def study_rows(inputs: StudyInputs) -> tuple[tuple[str, str], ...]:
    """Name and words of each assumption of the study; nothing where it makes none."""
    return (*_strategy_rows(inputs), *_market_rows(inputs))


def study_document(inputs: StudyInputs) -> dict[str, Any]:
    """The same as plain values, under the names of the study's file; empty where it makes none."""
    found: dict[str, Any] = {}
    if any(item is not None for item in inputs.strategies):
        found["strategies"] = [
            {"name": servicing.name}
            if servicing.strategy is None
            else servicing.strategy.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
            for servicing in inputs.servicings()
        ]
    if inputs.study.market_share_percent > 0.0:
        found["market_share_percent"] = inputs.study.market_share_percent
    return found


def _strategy_rows(inputs: StudyInputs) -> Iterator[tuple[str, str]]:
    if all(item is None for item in inputs.strategies):
        return
    for servicing in inputs.servicings():
        strategy = servicing.strategy
        yield f"strategy {servicing.name}", AS_OBSERVED if strategy is None else _strategy_words(strategy)
        if strategy is not None:
            yield f"source of {servicing.name}", " ".join(strategy.source.split())
        if strategy is not None and strategy.underwriting is not None:
            yield f"underwriting of {servicing.name}", _underwriting_words(strategy.underwriting)


def _strategy_words(strategy: CollectionStrategy) -> str:
    rungs = ", ".join(strategy.labels) if strategy.labels else "nobody does anything about arrears"
    pools = "; ".join(_pool_words(strategy, name) for name in strategy.pools)
    return f"{strategy.title}. {counted(len(strategy.labels), 'rung')}: {rungs}. {pools}".rstrip(". ") + "."


def _underwriting_words(block: Underwriting) -> str:
    """Cut-offs and terms as they are written, then their source."""
    asked = block.model_dump(mode="json", exclude_defaults=True, exclude={"source"})
    words = ", ".join(f"{name} = {json.dumps(value)}".replace('"', "") for name, value in asked.items())
    return f"{words}. {' '.join(block.source.split())}".rstrip()


def _pool_words(strategy: CollectionStrategy, name: str) -> str:
    pool = strategy.pools[name]
    if pool.unlimited:
        return f"{name}: as many hours as are asked"
    if pool.hours_per_month is not None:
        return f"{name}: {pool.hours_per_month:,g} hours a month"
    if pool.hours_per_1000_loans is not None:
        return f"{name}: {pool.hours_per_1000_loans:g} hours a month for each {LOANS_BASE:,} opening loans"
    return f"{name}: {pool.hours_per_100_in_arrears:g} hours a month for each 100 loans past due at the as-of date"


def _market_rows(inputs: StudyInputs) -> Iterator[tuple[str, str]]:
    share = inputs.study.market_share_percent
    if share > 0.0:
        yield "market share", f"{share:g} % {PRICES}"
