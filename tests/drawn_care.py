"""Strategies for loans without arrears with drawn figures, for comparing the engine with `reference`."""

from __future__ import annotations

from typing import Any

import numpy as np

from busy_books import SOURCE, busy_pools, early_rungs, observed_strategy
from scenarios.strategy import CollectionStrategy
from scenarios.vocabulary import TYPES
from simulator.parameters import Parameters
from simulator.servicing import Servicing


def drawn_care(random: np.random.Generator, parameters: Parameters) -> Servicing:
    """A watch list and some rungs that ask it, with pools or without, beside a ladder or alone."""
    with_pools, with_ladder = random.random() < 0.6, random.random() < 0.7
    ladder = [rung for rung in early_rungs(parameters.bucket_edges) if with_pools or "pool" not in rung]
    care = drawn_rungs(random, ("desk", "robot", "field") if with_pools else (), parameters.names[-1])
    used = {rung.get("pool") for rung in (*(ladder if with_ladder else ()), *care)}
    strategy = CollectionStrategy(
        name="drawn",
        title="Drawn figures",
        currency="USD",
        pools={name: pool for name, pool in busy_pools().items() if name in used},
        ladder=ladder if with_ladder else (),
        watch_list=drawn_list(random),
        while_current=care,
        source=SOURCE,
    )
    observed = tuple(observed_strategy(parameters) if random.random() < 0.5 else None for _ in parameters.names)
    return Servicing(strategy=strategy, observed=observed, market_share=float(random.choice([0.0, 0.8])))


def drawn_list(random: np.random.Generator) -> dict[str, Any]:
    """One of its conditions, two or all."""
    conditions: dict[str, Any] = {
        "from_hazard_percent": float(random.uniform(2.0, 50.0)),
        "from_ltv_percent": float(random.uniform(60.0, 200.0)),
        "alerts": {name: float(random.uniform(20.0, 100.0)) for name in ("hits_percent", "right_percent")},
    }
    kept = random.choice(list(conditions), int(random.integers(1, 4)), replace=False)
    return {**{name: conditions[name] for name in kept}, "macro_lag_months": int(random.integers(0, 8))}


def drawn_rungs(random: np.random.Generator, pools: tuple[str, ...], tier: str) -> list[dict[str, Any]]:
    """A reminder for the watched, and some others."""
    whose: dict[str, tuple[str, dict[str, Any]]] = {
        "watched": ("reminder", {"watched": True}),
        "not_watched": ("reminder", {"watched": False, "regions": ["CA", "NV"]}),
        "tracked": ("check_in", {"tracker": True}),
        "others": ("check_in", {"tracker": False, "starter_interrupt": False, "tiers": [tier]}),
    }
    kept = {"watched", *random.choice(list(whose), 3)}
    return [
        {"name": name, "action": action, "who": who, **drawn_figures(random, pools)}
        for name, (action, who) in whose.items()
        if name in kept
    ]


def drawn_figures(random: np.random.Generator, pools: tuple[str, ...]) -> dict[str, Any]:
    """How often, how well and at what cost a rung does its work."""
    by_type = dict(zip(TYPES, random.uniform(1.0, 100.0, len(TYPES)).tolist(), strict=True))
    pool = {"pool": str(random.choice(pools)), "hours_per_contact": float(random.uniform(0.03, 0.15))} if pools else {}
    return {
        "contacts_per_month": float(random.uniform(0.5, 3.0)),
        "cost_per_contact": float(random.uniform(0.0, 3.0)),
        "reach_percent": float(random.choice([100.0, random.uniform(10.0, 100.0)])),
        "averted_percent": by_type if random.random() < 0.5 else float(random.uniform(1.0, 100.0)),
        "priority": float(random.uniform(0.0, 5.0)),
        **(pool if random.random() < 0.7 else {}),
    }
