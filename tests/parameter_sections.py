"""Optional sections of a parameter set, made up: every effect is on, and strong enough to be seen."""

from __future__ import annotations

from typing import Any, Final

from simulator.parameter_set import ParameterSet

EVIDENCE: Final = {"source": "assumption: made up for a test", "confidence": "L"}


def figure(value: float) -> dict[str, Any]:
    """A sourced number."""
    return {"value": value, **EVIDENCE}


def by_type(forgetful: float, hardship: float, strategic: float) -> dict[str, Any]:
    """Figures of the three types."""
    return {"forgetful": forgetful, "hardship": hardship, "strategic": strategic, **EVIDENCE}


SECTIONS: Final[dict[str, Any]] = {
    "history": {
        "multiplier_at_cure": figure(3.0),
        "half_life_months": figure(4.0),
        "multiplier_modified": figure(2.0),
        "modified_months": figure(12),
    },
    "types": {
        "shares": by_type(0.4, 0.5, 0.1),
        "hardship_log_odds_per_point": figure(0.1),
        "hardship_ends_per_month": figure(0.15),
        "cure_multiplier": by_type(1.5, 0.7, 0.5),
        "roll_multiplier": by_type(0.7, 1.2, 1.4),
        "charge_off_multiplier": by_type(1.0, 1.0, 1.2),
    },
    "negative_equity": {
        "threshold": figure(1.0),
        "multiplier_at_125": figure(1.35),
        "cap": figure(2.0),
        "mean_multiplier": figure(1.25),
    },
    "total_loss": {"intensity_per_month": figure(0.0005), "insured_share": figure(0.8), "deductible": figure(500.0)},
    "deficiency": {"collected_share": figure(0.06), "lag_months": figure(18)},
    "fees": {"late_fee": figure(25.0), "renewal_fee_share": figure(0.1)},
    "fire_sale": {"elasticity": figure(0.03)},
    "economics": {
        "funding_spread_percent": figure(-1.5),
        "servicing_cost_per_loan_month": figure(10.0),
        "delinquent_servicing_cost_per_month": figure(25.0),
    },
    "discount_cap": figure(0.36),
}
"""Sections that fit every set, whatever its buckets."""

OPTIONAL: Final = (*SECTIONS, "modification", "repossession")


def bucket_sections(item: ParameterSet) -> dict[str, Any]:
    """Sections with figures by bucket, rising from the first bucket of arrears to the last."""
    late = item.buckets.labels[1:]
    rising = {label: place / len(late) for place, label in enumerate(late, start=1)}
    return {
        "modification": {
            "share_of_cures": {"by_bucket": {label: 0.3 * high for label, high in rising.items()}, **EVIDENCE}
        },
        "repossession": {
            "intensity_per_month": {"by_bucket": {label: 0.4 * high for label, high in rising.items()}, **EVIDENCE},
            "tracker_multiplier": figure(1.25),
            "segment_multiplier": {"default": figure(1.0), "by_segment": {"truck": figure(0.9)}},
        },
    }


def plain(item: ParameterSet) -> dict[str, Any]:
    """A set's data without any optional section."""
    data = item.model_dump(mode="json", exclude_none=True)
    for name in OPTIONAL:
        data.pop(name, None)
    for name in ("search_lag_months", "storage_per_month", "season"):
        data["sale"].pop(name, None)
    for name in ("score_per_point", "score_reference"):
        data["covariates"].pop(name, None)
    for name in ("jumps", "mean_reversion_per_year"):
        data["used_car_index"].pop(name, None)
    data["depreciation"].pop("mileage", None)
    data["buckets"].pop("probation_months", None)
    return data


def with_sections(item: ParameterSet, **changes: Any) -> ParameterSet:
    """A set with all optional sections in place of its own; `changes` replace whole sections, None takes one out."""
    data = {**plain(item), **SECTIONS, **bucket_sections(item), **changes}
    return ParameterSet.model_validate({name: value for name, value in data.items() if value is not None})


def without_sections(item: ParameterSet) -> ParameterSet:
    """A set that states nothing optional."""
    return ParameterSet.model_validate(plain(item))
