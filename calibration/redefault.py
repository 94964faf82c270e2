"""Multiplier of entry after a cure, solved so that cured loans relapse as often as a set's target says.

`python -m calibration.redefault` solves the shipped sets that state a target: the number to write into
each set, and beside it both shares that it implies, of cured loans in arrears again and in default.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from calibration.library import find_parameter_set, parameter_set_names
from simulator.parameter_borrower import History
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters, build_parameters
from simulator.seasoned import relapse_probability, solve_pool
from simulator.tier_tables import history_multiplier, tier_traits

LEAST, MOST = 0.05, 50.0
"""Multipliers among which one is looked for. The seasoned pool keeps the published matrix, so the share of cured
loans that relapse is bounded whatever the multiplier: beyond 50 nearly every entry is a relapse."""


@dataclass(frozen=True)
class CureFit:
    """A multiplier after a cure and what it implies.

    Attributes
    ----------
    multiplier : float
        Of entry in the first month after a cure.
    arrears_again_12m, redefault_12m : float
        Shares of cured loans that are in arrears again, and that reach the default bucket, within 12 months.
    """

    multiplier: float
    arrears_again_12m: float
    redefault_12m: float


def cure_levels(item: ParameterSet, parameters: Parameters, multiplier: float) -> CureFit:
    """What a multiplier after a cure implies in a set's seasoned pool.

    Parameters
    ----------
    item : ParameterSet
        One tier, with a section `history`.
    parameters : Parameters
        Built of that set alone.
    multiplier : float
        In place of the set's own.
    """
    history = _history(item)
    changed = history.model_copy(
        update={"multiplier_at_cure": history.multiplier_at_cure.model_copy(update={"value": multiplier})}
    )
    table = history_multiplier(changed)[None]
    traits = tier_traits(replace(parameters.borrower, history_multiplier=table), 0)
    pool = solve_pool(parameters.published_intensity[0], traits, item.name)
    shares = [relapse_probability(pool, traits, bucket) for bucket in (1, parameters.default_bucket)]
    return CureFit(multiplier, *shares)


def fit_multiplier_at_cure(item: ParameterSet) -> CureFit:
    """Solve a set's multiplier after a cure from its own target.

    Raises
    ------
    ValueError
        The set states no target, or one that no multiplier reaches.
    """
    history, parameters = _history(item), build_parameters([item])
    field = "arrears_again_12m" if history.arrears_again_12m else "redefault_12m"
    target = history.arrears_again_12m or history.redefault_12m
    if target is None:
        raise ValueError(f"{item.name} states neither history.arrears_again_12m nor history.redefault_12m to fit to")

    def miss(log_multiplier: float) -> float:
        found: float = getattr(cure_levels(item, parameters, float(np.exp(log_multiplier))), field)
        return found - target.value

    low, high = np.log(LEAST), np.log(MOST)
    least, most = miss(low), miss(high)
    if least > 0.0 or most < 0.0:
        raise ValueError(
            f"{item.name}: {field} = {target.value:g} is out of reach; multipliers of {LEAST:g} to {MOST:g} give "
            f"{least + target.value:.3g} to {most + target.value:.3g}, since the pool keeps the published matrix"
        )
    return cure_levels(item, parameters, float(np.exp(brentq(miss, low, high, xtol=1e-8))))


def _history(item: ParameterSet) -> History:
    if item.history is None:
        raise ValueError(f"{item.name} has no section `history`")
    return item.history


def main(names: Sequence[str] = ()) -> None:
    """Write a line a set: shipped and solved multiplier, and the shares of cured loans that relapse."""
    for name in names or parameter_set_names():
        item = find_parameter_set(name)
        if item.history is None:
            sys.stdout.write(f"{name}: no section history\n")
            continue
        shipped = item.history.multiplier_at_cure.value
        targeted = item.history.arrears_again_12m or item.history.redefault_12m
        fit = fit_multiplier_at_cure(item) if targeted else cure_levels(item, build_parameters([item]), shipped)
        aim = "" if targeted else ", no target"
        sys.stdout.write(
            f"{name}: multiplier_at_cure {fit.multiplier:.2f} (shipped {shipped:g}{aim}); "
            f"arrears_again_12m {fit.arrears_again_12m:.3f}, redefault_12m {fit.redefault_12m:.3f}\n"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
