"""What couples the loans of a path: a collection strategy, and prices that answer to the book's own sales."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from scenarios.strategy import CollectionStrategy
from scenarios.underwriting import CRITERIA
from scenarios.vocabulary import INCIDENTS, REFERENCE_STRATEGY


@dataclass(frozen=True, eq=False)
class Servicing:
    """Who works arrears, and how much of the auction market the book is.

    Attributes
    ----------
    strategy : CollectionStrategy or None
        None: loans in arrears are worked as those were that the parameters come from.
    observed : tuple of (CollectionStrategy or None)
        One a tier: the strategy under which its parameter set was observed, to which effects are relative (P5); None,
        or an empty tuple: effects are relative to no treatment.
    market_share : float
        Share of the auction market that the book's sales are, fraction; 0: no fire sale (methodology (7)).
    pools, rungs, care : tuple of str
        Names of the pools and rungs that results tell of, those of all strategies of a study, and of those rungs that
        are for loans without arrears; the strategy's own where left empty.
    underwrites : bool
        Whether results tell of declined loans because some strategy of the study declines any.
    """

    strategy: CollectionStrategy | None = None
    observed: tuple[CollectionStrategy | None, ...] = ()
    market_share: float = 0.0
    pools: tuple[str, ...] = field(default=())
    rungs: tuple[str, ...] = field(default=())
    care: tuple[str, ...] = field(default=())
    underwrites: bool = False

    @property
    def name(self) -> str:
        """Name of the strategy in results."""
        return REFERENCE_STRATEGY if self.strategy is None else self.strategy.name

    @property
    def pool_names(self) -> tuple[str, ...]:
        """Labels of the dim `pool`; none: results have no such dim."""
        return self.pools or (() if self.strategy is None else tuple(self.strategy.pools))

    @property
    def rung_names(self) -> tuple[str, ...]:
        """Labels of the dim `rung`; none: results have no such dim."""
        return self.rungs or (() if self.strategy is None else self.strategy.labels)

    @property
    def care_names(self) -> tuple[str, ...]:
        """Those of `rung_names` that are for loans without arrears."""
        return self.care or (() if self.strategy is None else care_labels(self.strategy))

    @property
    def incident_names(self) -> tuple[str, ...]:
        """Labels of the dim `incident`; none: results have no such dim."""
        return INCIDENTS if self.rung_names else ()

    @property
    def criterion_names(self) -> tuple[str, ...]:
        """Labels of the dim `criterion`; none: results have no such dim."""
        own = self.strategy is not None and self.strategy.underwriting is not None
        return CRITERIA if self.underwrites or own else ()


def care_labels(strategy: CollectionStrategy) -> tuple[str, ...]:
    """Names of a strategy's rungs for loans without arrears."""
    return tuple(rung.label for rung in strategy.while_current)


def merged(ladders: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Labels of all ladders, each once: a new one stands right after that which it follows in its own ladder.

    What comes before all that is known of its ladder stands right before that, and a ladder of which nothing is known
    comes last.
    """
    found: list[str] = []
    for labels in ladders:
        place = next((found.index(label) for label in labels if label in found), len(found))
        for label in labels:
            if label not in found:
                found.insert(place, label)
            place = found.index(label) + 1
    return tuple(found)


def study_servicing(
    strategies: tuple[CollectionStrategy | None, ...],
    observed: tuple[CollectionStrategy | None, ...],
    market_share: float,
) -> tuple[Servicing, ...]:
    """One for each strategy of a study, all with the names of all pools and rungs, so that their results stack."""
    named = [item for item in strategies if item is not None]
    pools = tuple(dict.fromkeys(name for item in named for name in item.pools))
    rungs = merged(item.labels for item in named)
    care = merged(care_labels(item) for item in named)
    underwrites = any(item.underwriting is not None for item in named)
    return tuple(Servicing(item, observed, market_share, pools, rungs, care, underwrites) for item in strategies)
