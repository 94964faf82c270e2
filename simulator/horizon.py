"""How far a run reaches beyond its horizon: the run-off, and the cash that follows a charge-off."""

from __future__ import annotations

from scenarios.rungs import Litigation
from simulator.parameters import Parameters
from simulator.servicing import Servicing

RUN_OFF_MONTHS = 24
"""Months after the horizon in which loans in default go on; who is left then is charged off. Assumption, L:
under every shipped matrix fewer than one defaulted loan in 10,000 is left, and a test says so."""


def months_needed(parameters: Parameters, months: int) -> int:
    """Last month that the macro paths must reach: horizon, run-off, and the longest search and sale after it."""
    return months + RUN_OFF_MONTHS + longest_sale(parameters)


def longest_sale(parameters: Parameters) -> int:
    """Months from a charge-off to the last cash of a sale."""
    return int((parameters.workout.search_lag + parameters.workout.sale_lag).max())


def longest_lag(parameters: Parameters, servicing: Servicing) -> int:
    """Months from a charge-off to the last cash of any kind."""
    rungs = () if servicing.strategy is None else servicing.strategy.ladder
    suits = [rung.judgment_months for rung in rungs if isinstance(rung, Litigation)]
    return max(longest_sale(parameters), int(parameters.workout.deficiency_lag.max()), 1, *suits)
