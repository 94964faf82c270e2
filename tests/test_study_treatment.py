"""A study's treatment, market share and uncertainty: what its words become, and what is refused with which words."""
# ruff: noqa: E501  # a table has one case a line

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from scenarios.errors import InputError
from scenarios.load import spec_from_text
from scenarios.schema import Study
from scenarios.treatment import ByType, Treatment
from scenarios.vocabulary import CAUSE_CLASSES, TYPES
from simulator.parameters import Parameters
from simulator.servicing import PhonePool, Servicing, build_servicing

STUDY = """\
kind: study
name: worked
portfolio: {file: loans.csv}
parameters: us_subprime
scenarios: [baseline]
paths: 100
seed: 7
"""

PHONE = """\
treatment:
  phone:
    hours_per_1000_loans: 12.5
    hours_per_contact: 0.25
    from_bucket: 30-59
    to_bucket: 60-89
    reach_percent: 60
    priority: {bucket: 1, waiting: 0.5, balance: 0.25}
    effect:
      served: {cure: 1.2}
      unserved:
        cure: {hardship: 0.7, strategic: 0.9}
        roll: 1.1
    source: Assumption, for a test.
"""

LABELS = SimpleNamespace(bucket_labels=("current", "30-59", "60-89", "90-119"))
"""All that the treatment asks of parameters."""


def study(more: str = "", *, old: str = "", new: str = "") -> Study:
    text = STUDY + more
    assert text.count(old) >= 1
    return spec_from_text(text.replace(old, new, 1) if old else text, "study.yaml", Study)


def servicing(found: Study, loans: int = 2000) -> Servicing:
    share = found.market_share_percent / 100.0
    return build_servicing(found.treatment, cast(Parameters, LABELS), loans, share, found.where)


def pool(found: Study, loans: int = 2000) -> PhonePool:
    made = servicing(found, loans).pool
    assert made is not None
    return made


# --- what the words become ---------------------------------------------------------------------------


def test_a_study_says_nothing_of_treatment_and_nothing_is_done() -> None:
    found = study()
    assert (found.treatment, found.market_share_percent, found.uncertainty) == (None, 0.0, None)
    assert servicing(found).pool is None
    assert servicing(found).market_share == 0.0


def test_a_pool_in_the_engines_units() -> None:
    made = pool(study(PHONE))
    assert made.hours == 25.0  # 12.5 for each of two thousand loans
    assert (made.hours_per_contact, made.reach) == (0.25, 0.6)
    assert (made.first_bucket, made.last_bucket) == (1, 2)
    assert made.weights == (1.0, 0.5, 0.25)


def test_effects_by_type_and_class_and_1_where_nothing_is_said() -> None:
    effect = pool(study(PHONE)).effect
    assert effect.shape == (2, len(TYPES), len(CAUSE_CLASSES))
    expected = np.ones_like(effect)
    expected[1, :, CAUSE_CLASSES.index("cure")] = 1.2
    expected[0, TYPES.index("hardship"), CAUSE_CLASSES.index("cure")] = 0.7
    expected[0, TYPES.index("strategic"), CAUSE_CLASSES.index("cure")] = 0.9
    expected[0, :, CAUSE_CLASSES.index("roll")] = 1.1
    np.testing.assert_array_equal(effect, expected)


def test_what_is_left_out_of_a_pool() -> None:
    made = pool(study("treatment: {phone: {hours_per_month: 40, hours_per_contact: 0.5}}\n"))
    assert (made.hours, made.reach, made.weights) == (40.0, 1.0, (1.0, 0.0, 0.0))
    assert (made.first_bucket, made.last_bucket) == (1, 3)
    assert np.all(made.effect == 1.0)


def test_the_book_is_a_share_of_the_auctions() -> None:
    assert servicing(study("market_share_percent: 2.5\n")).market_share == pytest.approx(0.025, rel=1e-15)


def test_a_treatment_made_in_python_is_checked_as_well() -> None:
    made = Treatment.model_validate({"phone": {"hours_per_month": 1, "hours_per_contact": 1}})
    assert made.phone.effect.served.cure == 1.0
    assert ByType(hardship=0.5).forgetful == 1.0
    data = study(PHONE).model_dump()
    assert Study(**data).treatment == study(PHONE).treatment
    data["treatment"]["phone"]["hours_per_month"] = 4.0
    with pytest.raises(ValueError, match="two capacities"):
        Study(**data)


def test_uncertainty_is_of_everything_unless_named() -> None:
    everything = study("uncertainty: {draws: 10}\n").uncertainty
    some = study("uncertainty: {draws: 50, parameters: [systematic.correlation, sale]}\n").uncertainty
    assert everything is not None
    assert some is not None
    assert (everything.draws, everything.parameters) == (10, "all")
    assert some.parameters == ("systematic.correlation", "sale")


# --- what is refused -----------------------------------------------------------------------------------

READING = [
    # what is replaced, by what, line:column, words
    ("hours_per_1000_loans: 12.5", "hours_per_month: 0", "10:22", "hours_per_month = 0; expected more than 0", "Take `treatment` out where nobody calls"),
    ("hours_per_1000_loans: 12.5", "hours_per_1000_loans: 0", "10:27", "hours_per_1000_loans = 0; expected more than 0", "where nobody calls"),
    ("hours_per_contact: 0.25", "hours_per_contact: 0", "11:24", "hours_per_contact = 0; expected more than 0", "0.25 for a quarter of an hour"),
    ("    hours_per_1000_loans: 12.5\n", "", "10:5", "treatment.phone has no capacity", "hours_per_month or hours_per_1000_loans"),
    ("hours_per_contact: 0.25", "hours_per_month: 4\n    hours_per_contact: 0.25", "10:27", "two capacities", "Take one out"),
    ("reach_percent: 60", "reach_percent: 160", "14:20", "reach_percent = 160; expected 0 to 100", "5.5 for 5.5 %"),
    ("{cure: 1.2}", "{cure: -1}", "17:22", "effect.served.cure = -1; expected 0 to 20", ""),
    ("{cure: 1.2}", "{cure: [1, 2]}", "17:22", "effect.served.cure = [1, 2]", "expected a number"),
    ("{cure: 1.2}", "{prepay: 1.2}", "17:16", "unknown key treatment.phone.effect.served.prepay", "charge_off, cure, roll"),
    ("hardship: 0.7", "hardshp: 0.7", "19:16", "unknown key treatment.phone.effect.unserved.cure.hardshp", "Did you mean `hardship`?"),
    ("waiting: 0.5", "waiting: -0.5", "15:36", "priority.waiting = -0.5; expected 0 to 10", ""),
    ("waiting: 0.5", "age: 0.5", "15:27", "unknown key treatment.phone.priority.age", "balance, bucket, waiting"),
    ("source: Assumption, for a test.", 'source: ""', "21:13", "expected some text", ""),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "place", "said", "remedy"), READING)
def test_a_treatment_that_cannot_be_read(old: str, new: str, place: str, said: str, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        study(PHONE, old=old, new=new)
    (found,) = [str(fault) for fault in caught.value.faults]
    assert found.startswith(f"study.yaml:{place}: ")
    assert said in found
    assert remedy in found


MEANING = [
    ("from_bucket: 30-59", "from_bucket: 30-58", "12:18", "from_bucket = 30-58, which is no bucket of arrears", "Did you mean `30-59`?"),
    ("to_bucket: 60-89", "to_bucket: current", "13:16", "to_bucket = current, which is no bucket", "expected one of 30-59, 60-89, 90-119"),
    ("from_bucket: 30-59", "from_bucket: 90-119", "13:16", "to_bucket = 60-89, which comes before from_bucket = 90-119", "expected one of 90-119"),
    ("hours_per_1000_loans: 12.5", "hours_per_1000_loans: 0.1", "10:27", "0.2 hours a month for a book of 2,000 loans", "at least 0.25 hours a month"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "place", "said", "remedy"), MEANING)
def test_a_treatment_that_the_parameters_or_the_book_contradict(
    old: str, new: str, place: str, said: str, remedy: str
) -> None:
    with pytest.raises(InputError) as caught:
        servicing(study(PHONE, old=old, new=new))
    (found,) = [str(fault) for fault in caught.value.faults]
    assert found.startswith(f"study.yaml:{place}: ")
    assert said in found
    assert remedy in found


OTHERS: list[tuple[str, str, str, str]] = [
    ("market_share_percent: 250\n", "8:23", "market_share_percent = 250; expected 0 to 100", "Rates are in percent"),
    ("uncertainty: {draws: 1}\n", "8:22", "uncertainty.draws = 1; expected 2 to 10000", ""),
    ("uncertainty: {draws: 51}\n", "8:22", "uncertainty.draws = 51 with 100 paths", "at most 50, two paths a draw"),
    ("uncertainty: {draws: 5, parameters: sale}\n", "8:37", 'parameters = "sale"; expected `all`', ""),
    ("uncertainty: {draws: 5, parameters: []}\n", "8:37", "parameters = []; expected at least one value", ""),
    ("uncertainty: {parameters: all}\n", "8:14", "uncertainty.draws is missing", "Number of draws"),
]


@pytest.mark.parametrize(("more", "place", "said", "remedy"), OTHERS)
def test_shares_and_draws_that_cannot_be(more: str, place: str, said: str, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        study(more)
    (found,) = [str(fault) for fault in caught.value.faults]
    assert found.startswith(f"study.yaml:{place}: ")
    assert said in found
    assert remedy in found


def test_both_buckets_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        servicing(study(PHONE.replace("30-59", "early").replace("60-89", "late")))
    assert len(caught.value.faults) == 2
