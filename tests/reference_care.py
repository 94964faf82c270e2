"""The reference's care of loans without arrears: watch list, reminders, check-ins (P14) to (P16) (see `reference`).

A rung for loans without arrears has its place after those of the ladder; what it may do, it does in the month after.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reference_hazards import after_return, entry_at_mean, equity_multiplier, type_at_entry, without_care
from reference_loan import at_age
from reference_market import Plain, draw, monthly_uniform
from reference_strategy import by_kind, contacts, reach
from scenarios.vocabulary import ACTION_PURPOSE, PURPOSE_ALERT

if TYPE_CHECKING:
    from reference import Life


# --- the watch list (P14) ----------------------------------------------------------------------------------------


def watch(life: Life, month: int, result: Plain) -> None:
    """Whether a loan is watched from a close on, and whether its tracker was heard."""
    watch_list = life.world["strategy"]["watch_list"]
    life.watched = False
    if watch_list is None or life.state != 0:
        return
    expected = predicted_entry(life, month, watch_list["macro_lag_months"])
    heard = hears_alert(life, month, watch_list["alerts"], expected)
    result["care"]["alerts", month] += heard
    hazard, ltv = watch_list["from_hazard_percent"], watch_list["from_ltv_percent"]
    by_hazard = hazard is not None and expected >= -math.log(1.0 - hazard / 100.0)
    by_ltv = ltv is not None and life.ltv(month) >= ltv / 100.0
    life.watched = heard or by_hazard or by_ltv


def predicted_entry(life: Life, month: int, lag: int) -> float:
    """Intensity of entry as a servicer knows it at a close: no latent factors, and macro variables come late."""
    contract, tier = life.contract, life.contract["tier"]
    known = entry_at_mean(contract, max(month - lag, 0), life.world)
    own = contract["risk"] * at_age(tier["seasoning"], contract["age"] + month + 1)
    own *= after_return(life, month + 1) * equity_multiplier(life, month) / tier["equity_mean"]
    return known * own / without_care(life)


def hears_alert(life: Life, month: int, alerts: Plain | None, expected: float) -> bool:
    """A tracker sees ahead: the uniform of next month's entry."""
    if alerts is None or not life.contract["tracker"]:
        return False
    ahead = monthly_uniform(life.contract["entity"], life.path, month + 1, life.world["seed"])
    is_heard = draw(life, month, PURPOSE_ALERT) < alerts["hits_percent"] / 100.0
    return is_heard and ahead < expected / (alerts["right_percent"] / 100.0)


# --- for whom, and what it brings (P15) ----------------------------------------------------------------------------


def is_care_for(rung: Plain, life: Life) -> bool:
    """Whether a rung is for a loan at the close at which `watch` has looked at it."""
    who, contract = rung["who"], life.contract
    known = {
        "watched": life.watched,
        "tracker": contract["tracker"],
        "starter_interrupt": contract["starter_interrupt"],
    }
    return (
        life.state == 0
        and all(who[name] is None or who[name] == value for name, value in known.items())
        and (who["regions"] is None or contract["region"] in who["regions"])
        and (who["tiers"] is None or contract["tier"]["name"] in who["tiers"])
    )


def begin_care(lives: list[Life], result: Plain) -> None:
    """Before the first close every rung was carried out for all whom it is for (P16)."""
    for life in lives:
        watch(life, 0, result)
        ladder, care = life.world["strategy"]["ladder"], life.world["strategy"]["while_current"]
        life.asked_by = [len(ladder) + place for place, rung in enumerate(care) if is_care_for(rung, life)]
        life.carried_out = life.asked_by


def avert(life: Life, month: int) -> int:
    """Arrears of one instalment, or none where a rung of the last close averts them; what followed is counted."""
    strategy = life.world["strategy"]
    if strategy is None:
        return 1
    for place in life.asked_by:
        life.result["rung"]["followed", month - 1, place] += 1.0
    kind, before = type_at_entry(life, month), len(strategy["ladder"])
    for place in life.carried_out:
        rung = strategy["while_current"][place - before]
        share = reach(rung) * by_kind(rung["averted_percent"], kind) / 100.0
        if draw(life, month - 1, ACTION_PURPOSE[rung["action"]]) < share:
            life.result["rung"]["averted", month, place] += 1.0
            return 0
    return 1


def count_care(rung: Plain, month: int, place: int, result: Plain) -> None:
    """One loan served: only borrowers who would fall behind are drawn, of the others a share counts as reached."""
    for name, amount in (("served", 1.0), ("reached", reach(rung)), ("contacts", contacts(rung))):
        result["rung"][name, month, place] += amount
    cost = contacts(rung) * rung["cost_per_contact"]
    result["rung"]["cost", month, place] += cost
    result["book"]["collection_cost", month] += cost
