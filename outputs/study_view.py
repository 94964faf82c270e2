"""What a study assumes beside its parameter sets and scenarios: its phone pool and its share of the market."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from scenarios.treatment import ByType, Effects, Factor, Phone, Treatment

if TYPE_CHECKING:
    from simulator.servicing import PhonePool
    from simulator.study import StudyInputs

VERBS: Final = {"cure": "cures", "roll": "rolls", "charge_off": "is charged off"}
"""What the classes of causes do, of one loan."""

AS_OBSERVED: Final = "does as the parameter sets say"

PRICES: Final = "of the used-car market's auctions: the book's own sales lower prices"


def study_rows(inputs: StudyInputs) -> tuple[tuple[str, str], ...]:
    """Name and words of each assumption of the study; nothing where it makes none."""
    return (*_pool_rows(inputs), *_market_rows(inputs))


def study_document(inputs: StudyInputs) -> dict[str, Any]:
    """The same as plain values, under the names of the study's file; empty where it makes none."""
    study, pool, labels = inputs.study, inputs.servicing().pool, inputs.parameters().bucket_labels
    found: dict[str, Any] = {}
    if study.treatment is not None and pool is not None:
        buckets = list(labels[pool.first_bucket : pool.last_bucket + 1])
        stated = study.treatment.model_dump(mode="json", exclude_none=True)
        found["treatment"] = {"phone": {**stated["phone"], "hours_per_month": pool.hours, "buckets": buckets}}
    if study.market_share_percent > 0.0:
        found["market_share_percent"] = study.market_share_percent
    return found


def waiting_words(treatment: Treatment | None) -> str:
    """What a loan does that waits for its contact, by the study's own effects: the end of a sentence."""
    if treatment is None:
        return "is not treated that month"
    effect = treatment.phone.effect
    served = effect_words(effect.served)
    words = f"is not treated that month: by the study's figures it {effect_words(effect.unserved)}"
    return words if served == AS_OBSERVED else f"{words}, while one that is reached {served}"


def waiting_worsens(treatment: Treatment | None) -> bool:
    """Whether a loan that waits cures less, rolls more or is charged off more than one that is reached."""
    if treatment is None:
        return False
    effect = treatment.phone.effect
    pairs = {name: _pairs(getattr(effect.unserved, name), getattr(effect.served, name)) for name in VERBS}
    return any(
        (waits < served) if name == "cure" else (waits > served) for name in VERBS for waits, served in pairs[name]
    )


def effect_words(effects: Effects) -> str:
    """Factors on the intensities in words: 'cures 0.7 times as often as the parameter sets say'."""
    found = [(verb, getattr(effects, name)) for name, verb in VERBS.items()]
    cases = [f"{verb} {_factor_words(factor)}" for verb, factor in found if set(_values(factor)) != {1.0}]
    return f"{' and '.join(cases)} times as often as the parameter sets say" if cases else AS_OBSERVED


def _values(factor: Factor) -> tuple[float, ...]:
    """A factor by type, in the types' order."""
    if isinstance(factor, ByType):
        return tuple(getattr(factor, name) for name in ByType.model_fields)
    return (float(factor),) * len(ByType.model_fields)


def _pairs(one: Factor, other: Factor) -> list[tuple[float, float]]:
    return list(zip(_values(one), _values(other), strict=True))


def _factor_words(factor: Factor) -> str:
    values = _values(factor)
    if len(set(values)) == 1:
        return f"{values[0]:g}"
    named = [f"{value:g} ({name})" for name, value in zip(ByType.model_fields, values, strict=True)]
    return f"{', '.join(named[:-1])} or {named[-1]}"


def _pool_rows(inputs: StudyInputs) -> Iterator[tuple[str, str]]:
    treatment, pool = inputs.study.treatment, inputs.servicing().pool
    if treatment is None or pool is None:
        return
    phone, labels = treatment.phone, inputs.parameters().bucket_labels
    buckets = labels[pool.first_bucket : pool.last_bucket + 1]
    yield "hours", _hours(phone, pool)
    yield "hours a contact", f"{pool.hours_per_contact:g}"
    yield "buckets that are called", ", ".join(buckets)
    yield "reached, of those served", f"{phone.reach_percent:g} %"
    weights = phone.priority
    yield (
        "served first: the largest sum of",
        f"{weights.bucket:g} an instalment past due, {weights.waiting:g} a month of waiting, {weights.balance:g} "
        "for the book's mean opening principal",
    )
    yield "a loan that is served and reached", effect_words(phone.effect.served)
    yield "a loan in arrears that is not", effect_words(phone.effect.unserved)
    yield "source", " ".join(phone.source.split())


def _hours(phone: Phone, pool: PhonePool) -> str:
    each = (
        "" if phone.hours_per_1000_loans is None else f", {phone.hours_per_1000_loans:g} for each 1,000 opening loans"
    )
    return f"{pool.hours:,.6g} a month{each}"


def _market_rows(inputs: StudyInputs) -> Iterator[tuple[str, str]]:
    share = inputs.study.market_share_percent
    if share > 0.0:
        yield "market share", f"{share:g} % {PRICES}"
