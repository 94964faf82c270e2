"""Probabilities of a study's scenarios: all of them are stated, and sum to 1, or none is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scenarios.errors import Fault, InputError
from scenarios.schema import MacroScenario, Study

TOLERANCE = 1e-6
"""How far weights may miss 1: seven digits are as many as anybody writes."""


def scenario_weights(study: Study, scenarios: Sequence[MacroScenario]) -> tuple[float, ...] | None:
    """Weight of each scenario of a study, rescaled to sum to 1 exactly; None where they carry none.

    A study of one scenario has nothing to weigh, whatever that scenario says.

    Raises
    ------
    InputError
        Only some scenarios carry a weight, or the weights do not sum to 1.
    """
    stated = [scenario.weight for scenario in scenarios if scenario.weight is not None]
    if len(scenarios) < 2 or not stated:
        return None
    remedy = "Give every scenario of the study its probability, or take the weights out."
    if len(stated) < len(scenarios):
        expected = "a weight in all scenarios of a study, or in none"
        raise InputError(
            Fault(study.where("scenarios", place), f"scenario {scenario.name} has no weight", expected, remedy)
            for place, scenario in enumerate(scenarios)
            if scenario.weight is None
        )
    total = math.fsum(stated)
    if abs(total - 1.0) > TOLERANCE:
        found = f"the weights of its scenarios sum to {total:.6g}"
        raise InputError(Fault(study.where("scenarios"), found, "weights that sum to 1", remedy))
    return tuple(weight / total for weight in stated)
