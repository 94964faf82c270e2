"""Strategies with cut-offs at underwriting, for tests of them."""

from __future__ import annotations

from typing import Any

from ladders import ladder, rung
from scenarios.strategy import CollectionStrategy
from simulator.tape import LoanTape
from simulator.underwriting import Lent, lent

SEED = 20
CUT_OFFS = {"most_ltv_percent": 120.0, "least_score": 610.0, "most_payment_to_income_percent": 15.0}

LTV = "most_ltv_percent: 120"
TEXT = f"""\
kind: collection_strategy
name: asking
title: Cut-offs
source: Assumption, for a test.
currency: USD
underwriting:
  {LTV}
ladder:
  - {{action: extension}}
  - {{action: repossession}}
"""


def asking(**block: Any) -> CollectionStrategy:
    """A strategy with a block, and a ladder that couples no loans."""
    seize = rung("repossession", who={"from_days": 60})
    return ladder(rung("extension"), seize, name="asking", **({"underwriting": block} if block else {}))


def lending(tape: LoanTape, seed: int = SEED, **block: Any) -> Lent:
    """What a strategy with that block lends."""
    found = lent(tape, asking(**block), seed)
    assert found is not None
    return found
