"""The dense bundle: units, several tiers, curves, covariates, tiers of loans."""

from __future__ import annotations

import math
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import pytest

from calibration.library import US_TIERS, find_parameter_set
from parameter_sections import EVIDENCE, SECTIONS, by_type, figure, plain, with_sections, without_sections
from scenarios.errors import InputError
from scenarios.vocabulary import (
    CAUSE_CLASSES,
    ENTER,
    HISTORIES,
    HISTORY_MONTHS,
    MACRO_VARIABLES,
    SEGMENTS,
    TYPES,
)
from simulator.collateral import TYPICAL, usage_class
from simulator.correlation import sum_variance_factor
from simulator.parameter_groups import Borrower, Economics, Workout
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters, build_parameters
from simulator.tiers import assign_tiers, tier_assignment
from small_books import tape_of

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
    assert parameters.depreciation.shape == (len(SEGMENTS), 3, 361)
    assert parameters.workout.sale_lag.dtype == np.int64
    assert parameters.borrower.history_multiplier.shape == (5, len(HISTORIES), HISTORY_MONTHS + 1)
    assert parameters.borrower.open_history.shape == (5, 1 + 2 * HISTORY_MONTHS)
    assert parameters.borrower.open_type.shape == (5, 4, len(TYPES))
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
    value = dict(zip(SEGMENTS, _tiers().depreciation[:, TYPICAL], strict=True))
    assert value["car"][[0, 12, 60]] == pytest.approx([1.0, 0.78, 0.78 * 0.88**4])
    assert value["ev"][12] == pytest.approx(1.0 - 0.22 * 1.35)
    assert value["truck"][60] > value["car"][60] > value["suv"][60] > value["ev"][60]
    assert (np.diff(_tiers().depreciation, axis=2) < 0.0).all()


def test_a_missing_floor_is_nan() -> None:
    item = find_parameter_set("us_prime")
    data = item.model_dump(mode="json", exclude_none=True)
    del data["sale"]["lgd_floor"]
    assert np.isnan(build_parameters([ParameterSet.model_validate(data)]).workout.lgd_floor).all()
    assert _tiers().workout.lgd_floor.tolist() == [0.0] * 5


def test_chinese_buckets() -> None:
    parameters = build_parameters([find_parameter_set("cn_auto_finance")])
    assert parameters.bucket_labels == ("current", "M1", "M2", "M3", "M4", "M5", "M6")
    assert (parameters.default_bucket, parameters.nonaccrual_months, parameters.currency) == (4, 4, "CNY")


# --- optional sections -----------------------------------------------------------------------------


@cache
def _full(name: str = "us_near_prime", **changes: Any) -> Parameters:
    return build_parameters([with_sections(find_parameter_set(name), **changes)])


def _group_values(group: object) -> dict[str, Any]:
    return {field.name: getattr(group, field.name) for field in fields(group)}  # type: ignore[arg-type]


def test_what_a_set_does_not_state_is_neutral() -> None:
    parameters = build_parameters([without_sections(find_parameter_set("us_prime"))])
    expected = _group_values(Borrower.neutral(1, 4))
    for name, value in _group_values(parameters.borrower).items():
        assert (value == expected[name]).all(), name
    expected = _group_values(Economics.neutral(1))
    for name, value in _group_values(parameters.economics).items():
        assert (value == expected[name]).all(), name
    workout = parameters.workout
    assert workout.total_loss.tolist() == workout.deficiency_share.tolist() == workout.search_lag.tolist() == [0.0]
    assert workout.seizure.tolist() == [[0.0] * 4]
    assert workout.season.tolist() == [1.0] * 12
    assert parameters.discount_cap.tolist() == [np.inf]
    assert (parameters.probation_months, parameters.jump_intensity, parameters.reversion) == (0, 0.0, 0.0)
    assert parameters.mileage_edges == (-np.inf, np.inf)
    assert (parameters.depreciation == parameters.depreciation[:, [TYPICAL]]).all()


def test_groups_without_any_effect_have_the_shapes_of_a_book() -> None:
    neutral, found = Workout.neutral(5, 4), _tiers().workout
    for name, value in _group_values(neutral).items():
        assert np.shape(value) == np.shape(getattr(found, name)), name
    assert neutral.season.mean() == 1.0
    assert np.isnan(neutral.lgd_floor).all()


def test_sections_in_their_units() -> None:
    parameters = _full()
    borrower, workout, economics = parameters.borrower, parameters.workout, parameters.economics
    assert borrower.type_share[0].tolist() == [0.4, 0.5, 0.1]
    # .1 log odds a percentage point are 10 a unit: five points more make hardship e^.5 as likely.
    assert borrower.hardship_per_point.tolist() == [10.0]
    assert borrower.spell_end.tolist() == [0.15]
    assert borrower.modified_share[0] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert (borrower.late_fee.tolist(), borrower.renewal_fee.tolist()) == ([25.0], [0.1])
    assert workout.seizure[0] == pytest.approx([0.0, 0.4 / 3.0, 0.8 / 3.0, 0.4])
    assert workout.segment_find[[SEGMENTS.index("truck"), SEGMENTS.index("car")]].tolist() == [0.9, 1.0]
    assert (workout.tracker_multiplier.tolist(), workout.fire_sale_elasticity) == ([1.25], 0.03)
    assert (workout.deficiency_share.tolist(), workout.deficiency_lag.tolist()) == ([0.06], [18])
    assert (workout.total_loss.tolist(), workout.insurance_deductible.tolist()) == ([0.0005], [500.0])
    assert economics.funding_spread == pytest.approx([-0.015])
    assert (economics.servicing_cost[0], economics.delinquent_servicing_cost[0]) == (10.0, 25.0)
    assert parameters.discount_cap.tolist() == [0.36]


def test_negative_equity_rises_by_the_stated_slope() -> None:
    borrower = _full().borrower
    assert 1.0 + borrower.equity_slope[0] * (1.25 - borrower.equity_threshold[0]) == pytest.approx(1.35)
    assert (borrower.equity_cap[0], borrower.equity_mean[0]) == (2.0, 1.25)


def test_a_missing_score_counts_as_the_reference() -> None:
    data = plain(find_parameter_set("us_prime"))
    data["covariates"].update(score_per_point=figure(-0.006), score_reference=figure(690.0))
    borrower = build_parameters([ParameterSet.model_validate(data)]).borrower
    assert (borrower.score_coefficient.tolist(), borrower.score_reference.tolist()) == ([-0.006], [690.0])


def test_a_year_of_seasons_has_no_level() -> None:
    data = plain(find_parameter_set("us_prime"))
    data["sale"]["season"] = {"by_month": [1.04, *[1.0] * 11], **EVIDENCE}
    season = build_parameters([ParameterSet.model_validate(data)]).workout.season
    assert season.mean() == pytest.approx(1.0, abs=1e-15)
    assert season[0] / season[1] == pytest.approx(1.04)


def test_jumps_and_reversion_by_month() -> None:
    data = plain(find_parameter_set("us_prime"))
    jumps = {"per_year": figure(0.12), "mean": figure(-0.1), "sd": figure(0.05)}
    data["used_car_index"].update(jumps=jumps, mean_reversion_per_year=figure(0.15))
    parameters = build_parameters([ParameterSet.model_validate(data)])
    assert (parameters.jump_intensity, parameters.reversion) == pytest.approx((0.01, 0.0125))
    assert (parameters.jump_mean, parameters.jump_sd) == (-0.1, 0.05)


# --- mileage -----------------------------------------------------------------------------------------


def _driven() -> Parameters:
    data = plain(find_parameter_set("us_prime"))
    lost = {"default": figure(0.003), "by_segment": {"ev": figure(0.005)}}
    data["depreciation"]["mileage"] = {
        "value_lost_per_1000_km": lost,
        "km_per_year": figure(20_000.0),
        "km_step": figure(8_000.0),
    }
    return build_parameters([ParameterSet.model_validate(data)])


def test_a_car_driven_more_is_worth_less() -> None:
    parameters = _driven()
    low, typical, high = parameters.depreciation[SEGMENTS.index("car")]
    plain_curve = build_parameters([without_sections(find_parameter_set("us_prime"))]).depreciation[0, TYPICAL]
    assert (typical == plain_curve).all()
    # 8,000 km a year more for five years: forty times .3 % of value.
    assert high[60] / typical[60] == pytest.approx(0.997**40)
    assert low[60] * high[60] == pytest.approx(typical[60] ** 2)
    assert (low[0], high[0]) == (1.0, 1.0)
    assert (np.diff(parameters.depreciation, axis=2) < 0.0).all()
    ev = parameters.depreciation[SEGMENTS.index("ev")]
    assert ev[2, 12] / ev[1, 12] == pytest.approx(0.995**8)


def test_the_class_of_mileage_is_the_nearest() -> None:
    # Four years old at origination: edges at 16,000 and 24,000 km a year.
    rows = [
        {"mileage": kilometres, "vehicle_new": new, "model_year": year, "origination_date": np.datetime64("2023-07")}
        for kilometres, new, year in (
            (60_000.0, False, 2019.0),
            (66_000.0, False, 2019.0),
            (94_000.0, False, 2019.0),
            (100_000.0, False, 2019.0),
            (np.nan, False, 2019.0),
            (100_000.0, False, np.nan),
            (100_000.0, True, 2019.0),
            (100_000.0, False, 2023.0),
        )
    ]
    tape = tape_of(rows)
    age = np.where(tape["model_year"] == 2019.0, 48, 0)
    assert usage_class(tape, age, _driven()).tolist() == [0, 1, 1, 2, 1, 1, 1, 1]
    assert usage_class(tape, age, _tiers_without_sections()).tolist() == [1] * 8


def _tiers_without_sections() -> Parameters:
    return build_parameters([without_sections(find_parameter_set("us_prime"))])


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


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("buckets", "probation_months"), figure(3), "`buckets` in all tiers"),
        (
            ("used_car_index", "mean_reversion_per_year"),
            figure(0.2),
            "the same `used_car_index` in all tiers",
        ),
        (("sale", "season"), {"by_month": [1.0] * 12, **EVIDENCE}, "the same `sale.season` in all tiers"),
        (("fire_sale", "elasticity"), figure(0.5), "differ in fire_sale.elasticity: 0.5 and 0.03"),
        (
            ("repossession", "segment_multiplier", "default"),
            figure(0.7),
            "differ in repossession.segment_multiplier.default: 0.7 and 1.0",
        ),
    ],
)
def test_what_is_one_market_s_is_the_same_in_all_tiers(path: tuple[str, ...], value: Any, words: str) -> None:
    prime, near = (with_sections(find_parameter_set(name)) for name in ("us_prime", "us_near_prime"))
    assert words in _refusal(prime, _changed(near, *path, value=value))


def test_borrowers_and_terms_are_a_tier_s_own() -> None:
    prime, near = (with_sections(find_parameter_set(name)) for name in ("us_prime", "us_near_prime"))
    types = {**SECTIONS["types"], "shares": by_type(0.2, 0.7, 0.1)}
    other = _changed(_changed(near, "types", value=types), "deficiency", "collected_share", value=figure(0.09))
    parameters = build_parameters([prime, other])
    assert parameters.borrower.type_share == pytest.approx(np.array([[0.4, 0.5, 0.1], [0.2, 0.7, 0.1]]))
    assert parameters.workout.deficiency_share.tolist() == [0.06, 0.09]


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
