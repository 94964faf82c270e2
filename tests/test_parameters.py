"""The dense bundle: units, several tiers, curves, covariates, tiers of loans."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest

from calibration.library import US_TIERS, find_parameter_set
from scenarios.errors import InputError
from scenarios.vocabulary import CAUSE_CLASSES, ENTER, MACRO_VARIABLES, SEGMENTS
from simulator.correlation import sum_variance_factor
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters, build_parameters
from simulator.tiers import assign_tiers, tier_assignment

UNEMPLOYMENT = MACRO_VARIABLES.index("unemployment")


@cache
def _tiers() -> Parameters:
    return build_parameters([find_parameter_set(name) for name in US_TIERS])


def _changed(item: ParameterSet, *path: str, value: Any) -> ParameterSet:
    """A copy with one field changed; `path` leads to it."""
    data = item.model_dump(mode="json", exclude_none=True)
    place = data
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return ParameterSet.model_validate(data)


# --- units and shapes ----------------------------------------------------------------------------


def test_shapes_follow_tiers_buckets_and_vocabulary() -> None:
    parameters = _tiers()
    assert parameters.names == US_TIERS
    assert parameters.intensity.shape == (5, 4, 6)
    assert parameters.seasoning.shape == (5, 361)
    assert parameters.sensitivity.shape == (5, len(CAUSE_CLASSES), len(MACRO_VARIABLES))
    assert parameters.depreciation.shape == (len(SEGMENTS), 361)
    assert parameters.sale_lag.dtype == np.int64
    assert (parameters.default_bucket, parameters.nonaccrual_months) == (3, 3)


def test_no_transition_stands_on_the_diagonal() -> None:
    for table in _tiers().intensity:
        assert np.diag(table).tolist() == [0.0] * 4
        assert (table >= 0.0).all()


def test_percent_becomes_fraction() -> None:
    parameters = _tiers()
    assert parameters.reference[1] == pytest.approx([0.0388, 0.0307, 0.0493, 1.0])
    # +.06 log a percentage point is +6 a unit: a rise of unemployment by .05 multiplies entry by e^.3.
    assert math.exp(0.05 * parameters.sensitivity[1, ENTER, UNEMPLOYMENT]) == pytest.approx(math.exp(0.3))
    assert parameters.sensitivity[2, ENTER, UNEMPLOYMENT] == pytest.approx(5.0)


def test_sensitivity_at_the_top_of_its_range() -> None:
    top = build_parameters([find_parameter_set("us_prime")], sensitivity="top")
    assert top.sensitivity[0, ENTER, UNEMPLOYMENT] == pytest.approx(12.0)
    assert top.sensitivity[0].sum() == pytest.approx(12.0)


def test_ten_points_of_loan_to_value_raise_entry_by_17_percent() -> None:
    assert np.exp(0.1 * _tiers().ltv_coefficient) == pytest.approx(1.17)
    assert np.exp(0.01 * _tiers().pti_coefficient) == pytest.approx(math.exp(0.02))


def test_entry_falls_with_age_after_36_months() -> None:
    seasoning = _tiers().seasoning[0]
    assert seasoning[:37].tolist() == [1.0] * 37
    assert seasoning[45] == pytest.approx(0.675)
    assert seasoning[[54, 360]].tolist() == [0.35, 0.35]


def test_segment_residuals_have_the_stated_yearly_sd() -> None:
    parameters = _tiers()
    yearly = parameters.index_residual_sd * math.sqrt(sum_variance_factor(parameters.index_persistence))
    expected = [0.08 if segment == "ev" else 0.04 for segment in SEGMENTS]
    assert yearly == pytest.approx(expected)


def test_depreciation_by_segment() -> None:
    value = dict(zip(SEGMENTS, _tiers().depreciation, strict=True))
    assert value["car"][[0, 12, 60]] == pytest.approx([1.0, 0.78, 0.78 * 0.88**4])
    assert value["ev"][12] == pytest.approx(1.0 - 0.22 * 1.35)
    assert value["truck"][60] > value["car"][60] > value["suv"][60] > value["ev"][60]
    assert (np.diff(_tiers().depreciation, axis=1) < 0.0).all()


def test_a_missing_floor_is_nan() -> None:
    item = find_parameter_set("us_prime")
    data = item.model_dump(mode="json", exclude_none=True)
    del data["sale"]["lgd_floor"]
    assert np.isnan(build_parameters([ParameterSet.model_validate(data)]).lgd_floor).all()
    assert _tiers().lgd_floor.tolist() == [0.0] * 5


def test_chinese_buckets() -> None:
    parameters = build_parameters([find_parameter_set("cn_auto_finance")])
    assert parameters.bucket_labels == ("current", "M1", "M2", "M3", "M4", "M5", "M6")
    assert (parameters.default_bucket, parameters.nonaccrual_months, parameters.currency) == (4, 4, "CNY")


# --- several sets --------------------------------------------------------------------------------


def _refusal(*sets: ParameterSet) -> str:
    with pytest.raises(InputError) as caught:
        build_parameters(sets)
    return str(caught.value)


def test_sets_of_two_countries_are_no_tiers_of_one_book() -> None:
    text = _refusal(find_parameter_set("us_prime"), find_parameter_set("cn_auto_finance"))
    assert "parameters us_prime, cn_auto_finance: " in text
    assert "differ in currency: CNY and USD; expected the same `currency` in all tiers of a book" in text
    assert "differ in buckets.labels" in text
    assert "cn_auto_finance has no score band" in text


def test_another_response_is_refused_but_another_correlation_is_not() -> None:
    prime, near = find_parameter_set("us_prime"), find_parameter_set("us_near_prime")
    other = _changed(near, "systematic", "response", value="probit")
    assert "differ in systematic.response: probit and lognormal" in _refusal(prime, other)
    looser = _changed(near, "systematic", "correlation", "value", value=0.03)
    assert build_parameters([prime, looser]).sigma[1] > build_parameters([prime, near]).sigma[1]


def test_a_new_source_of_a_shared_number_is_no_difference() -> None:
    prime, near = find_parameter_set("us_prime"), find_parameter_set("us_near_prime")
    other = _changed(near, "depreciation", "first_year", "source", value="another publication of the same figure")
    assert build_parameters([prime, other]).names == ("us_prime", "us_near_prime")


def test_the_same_set_twice_and_overlapping_bands_are_refused() -> None:
    prime, near = find_parameter_set("us_prime"), find_parameter_set("us_near_prime")
    text = _refusal(prime, prime)
    assert "'us_prime' more than once" in text
    assert "score bands of us_prime and us_near_prime overlap" in _refusal(
        prime, _changed(near, "score", "high", value=680)
    )


def test_no_set_at_all_is_refused() -> None:
    assert "no parameter set; expected at least one" in _refusal()


def test_correlations_out_of_reach_name_their_field() -> None:
    prime = find_parameter_set("us_prime")
    data = prime.model_dump(mode="json", exclude_none=True)
    data["used_car_index"]["correlation_with_credit"].update(value=-0.9, range=[-0.95, 0.0])
    text = _refusal(ParameterSet.model_validate(data))
    assert "used_car_index.correlation_with_credit: correlation -0.9 of 12-month sums" in text
    data = prime.model_dump(mode="json", exclude_none=True)
    data["systematic"]["correlation"].update(value=0.95, range=[0.0, 0.99])
    data["systematic"]["persistence"].update(value=0.0, range=[0.0, 0.9])
    assert "systematic.correlation = 0.95" in _refusal(ParameterSet.model_validate(data))


# --- tiers of loans ------------------------------------------------------------------------------


def test_tiers_by_score() -> None:
    score = np.array([300.0, 579.9, 580.0, 619.0, 620.0, 660.0, 719.0, 720.0, 900.0])
    found = assign_tiers(_tiers(), score, np.full(score.size, 0.01))
    assert [US_TIERS[tier] for tier in found] == [
        *["us_deep_subprime"] * 2,
        *["us_subprime"] * 2,
        "us_near_prime",
        *["us_prime"] * 2,
        *["us_super_prime"] * 2,
    ]


def test_tiers_by_rate_where_the_score_is_absent() -> None:
    score = np.array([np.nan, 0.0, np.nan, 0.0, 700.0])
    rate = np.array([0.03, 0.07, 0.12, 0.30, 0.30])
    found = tier_assignment(_tiers(), score, rate)
    assert found.tier.tolist() == [0, 1, 2, 4, 1]
    assert (found.by_rate, found.outside) == (4, 0)


def test_loans_outside_every_band_go_to_the_nearest() -> None:
    parameters = build_parameters([find_parameter_set("us_prime"), find_parameter_set("us_subprime")])
    found = tier_assignment(parameters, np.array([900.0, 650.0, 630.0, 300.0, 720.0]), np.full(5, 0.1))
    assert found.tier.tolist() == [0, 0, 1, 1, 0]
    assert found.outside == 5


def test_a_single_set_takes_every_loan() -> None:
    parameters = build_parameters([find_parameter_set("cn_auto_finance")])
    found = tier_assignment(parameters, np.array([np.nan, 900.0]), np.array([0.05, 0.05]))
    assert found.tier.tolist() == [0, 0]
    assert (found.by_rate, found.outside) == (0, 0)
