"""What follows from other figures of a set: the multiplier after a cure, the mean effect of negative equity."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calibration import equity, redefault
from calibration.baseline import baseline_book
from calibration.equity import fit_equity
from calibration.expectation import expected_book
from calibration.library import find_parameter_set, parameter_set_names
from calibration.redefault import cure_levels, fit_multiplier_at_cure
from parameter_sections import SECTIONS, figure, with_sections
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters, build_parameters

WITH_EQUITY = [name for name in parameter_set_names() if find_parameter_set(name).negative_equity is not None]
WITH_TARGET = [
    name
    for name in parameter_set_names()
    if (history := find_parameter_set(name).history) and (history.arrears_again_12m or history.redefault_12m)
]


@cache
def _parameters(name: str) -> Parameters:
    return build_parameters([find_parameter_set(name)])


def _with_target(**target: float) -> ParameterSet:
    """A set whose cured loans relapse that often, each target with a band around it."""
    bands = {name: {**figure(value), "range": [0.0, 1.0]} for name, value in target.items()}
    return with_sections(find_parameter_set("us_near_prime"), history={**SECTIONS["history"], **bands})


# --- after a cure -------------------------------------------------------------------------------------


def test_some_set_states_a_target_and_its_multiplier_is_the_solved_one() -> None:
    assert WITH_TARGET
    for name in WITH_TARGET:
        item = find_parameter_set(name)
        assert item.history is not None
        shipped = item.history.multiplier_at_cure
        assert shipped.value == pytest.approx(fit_multiplier_at_cure(item).multiplier, rel=0.01), name
        assert "python -m calibration.redefault" in shipped.source


@pytest.mark.parametrize("field", ["arrears_again_12m", "redefault_12m"])
def test_the_multiplier_after_a_cure_meets_its_target(field: str) -> None:
    item = _with_target()
    aimed = getattr(cure_levels(item, build_parameters([item]), 5.0), field)
    fit = fit_multiplier_at_cure(_with_target(**{field: aimed}))
    assert fit.multiplier == pytest.approx(5.0, rel=1e-5)
    assert getattr(fit, field) == pytest.approx(aimed, rel=1e-6)


def test_relapse_rises_with_the_multiplier() -> None:
    item = _with_target()
    parameters = build_parameters([item])
    levels = [cure_levels(item, parameters, multiplier) for multiplier in (0.5, 1.0, 3.0, 10.0, 40.0)]
    assert (np.diff([level.arrears_again_12m for level in levels]) > 0.0).all()
    assert (np.diff([level.redefault_12m for level in levels]) > 0.0).all()
    assert all(level.redefault_12m < level.arrears_again_12m for level in levels)


def test_a_target_out_of_reach_names_the_reachable_ones() -> None:
    # The pool keeps the published matrix: cured loans can bring no more entries than there are.
    with pytest.raises(ValueError, match=r"redefault_12m = 0.9 is out of reach; multipliers of 0.05 to 50 give 0\.0"):
        fit_multiplier_at_cure(_with_target(redefault_12m=0.9))


def test_a_set_without_target_or_history_says_so() -> None:
    with pytest.raises(ValueError, match=r"neither history\.arrears_again_12m nor history\.redefault_12m to fit to"):
        fit_multiplier_at_cure(_with_target())
    with pytest.raises(ValueError, match="us_prime has no section `history`"):
        fit_multiplier_at_cure(with_sections(find_parameter_set("us_prime"), history=None))


def test_the_command_of_redefault(capsys: pytest.CaptureFixture[str]) -> None:
    redefault.main([WITH_TARGET[0], "cn_auto_finance"])
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{WITH_TARGET[0]}: multiplier_at_cure ")
    assert "(shipped " in first
    assert "arrears_again_12m 0." in second


# --- negative equity ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WITH_EQUITY)
def test_shipped_mean_effects_are_the_solved_ones(name: str) -> None:
    # .01: the shipped values are rounded, and 1,000 loans stand for the 4,000 that they were solved on.
    item = find_parameter_set(name)
    assert item.negative_equity is not None
    fit = fit_equity(baseline_book(item, loans=1_000), _parameters(name))
    assert item.negative_equity.mean_multiplier.value == pytest.approx(fit.mean_multiplier, abs=0.01)
    assert item.covariates.ltv_reference.value <= item.negative_equity.threshold.value
    assert "python -m calibration.equity" in item.negative_equity.mean_multiplier.source


def test_the_solved_mean_keeps_entry_as_published() -> None:
    # Entries with the effect over its mean, and entries where it is off, over the window: the same number.
    item = find_parameter_set("us_subprime")
    tape, parameters = baseline_book(item, loans=300), _parameters("us_subprime")
    fit = fit_equity(tape, parameters)
    mean = np.array([fit.mean_multiplier])
    on = replace(parameters, borrower=replace(parameters.borrower, equity_mean=mean))
    on = replace(on, ltv_reference=np.array([fit.ltv_reference]))
    with_effect = expected_book(tape, on)
    ratio = with_effect.entries[1:37].sum() / with_effect.entries_without_equity[1:37].sum()
    assert ratio == pytest.approx(fit.mean_multiplier, abs=1e-5)
    assert 1.0 < fit.mean_multiplier < 2.0


def test_cars_worth_more_than_any_balance_leave_no_effect() -> None:
    item = find_parameter_set("us_prime")
    tape, parameters = baseline_book(item, loans=100), _parameters("us_prime")
    high = replace(parameters.borrower, equity_threshold=np.array([50.0]))
    assert fit_equity(tape, replace(parameters, borrower=high)).mean_multiplier == 1.0


def test_a_set_without_negative_equity_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    item = with_sections(find_parameter_set("us_prime"), negative_equity=None)
    with pytest.raises(ValueError, match="us_prime has no section `negative_equity`"):
        equity.fit_tier(item)


def test_the_command_of_equity(capsys: pytest.CaptureFixture[str]) -> None:
    equity.main(["us_super_prime"])
    said = capsys.readouterr().out
    assert said.startswith("us_super_prime: mean_multiplier 1.")
    assert "ltv_reference 0." in said
