"""The other opinion on the engine: one loan, one month, one path at a time, in plain Python.

Written from docs/methodology.md; numbers in brackets are its equations.  Nothing here is fast or clever:
principal is iterated instalment by instalment, competing causes are a dict of waiting times, factors and
prices are loops.  With the engine it shares the addresses of draws (Philox block, hashes of names) and the
names of things, and nothing else.

A *world* is a dict of plain data: `loans` (a list of dicts), `macro`, `parameters`, `history`, `as_of`
(year, month), `seed`, `months`, `run_off`.  `small_books` makes one from a tape and parameters.
"""

from __future__ import annotations

import math
from collections import defaultdict

from reference_market import NORMAL, Plain, draw_market, event_uniform, monthly_uniform
from scenarios.vocabulary import (
    CHARGED_OFF,
    MATURED,
    MAX_BUCKET,
    PREPAID,
    PURPOSE_BUCKET,
    PURPOSE_CHARGE_OFF,
    PURPOSE_CONDITION,
    PURPOSE_PREPAY,
    PURPOSE_SOLD,
)
from simulator.entities import loan_entities

USED_CAR_AGE = 48  # months since new of a used car without a model year, at origination: the engine's assumption


# --- the loan and its car at the as-of date (1), (3), (6) ----------------------------------------------------


def open_contract(loan: Plain, world: Plain) -> Plain:
    """Everything about a loan that no path changes."""
    parameters = world["parameters"]
    tier = parameters["tiers"][tier_of(loan, parameters["tiers"])]
    bucket = max(k for k, edge in enumerate(parameters["bucket_edges"]) if loan["days_past_due"] >= edge)
    owed, instalment = instalment_by_instalment(loan, bucket)
    since = months_between(loan["origination_date"], world["as_of"])
    car_age = car_age_at_origination(loan)
    depreciation = parameters["depreciation"][loan["vehicle"]]
    growth = world["history"][world["as_of"]] / world["history"][loan["origination_date"]]
    wholesale = loan["vehicle_value"] * parameters["wholesale"][loan["value_source"]] * growth
    return {
        **{name: loan[name] for name in ("loan_id", "region", "sector", "vehicle")},
        "entity": int(loan_entities([loan["loan_id"]])[0]),
        "tier": tier,
        "bucket": bucket,
        "owed": owed,
        "instalment": instalment,
        "monthly_rate": loan["rate"] / 12.0,
        "age": since,
        "car_age": car_age + since,
        "value_as_new": wholesale / at_age(depreciation, car_age),
        "risk": math.exp(feature_score(loan, tier)),
        "depreciation": depreciation,
    }


def instalment_by_instalment(loan: Plain, bucket: int) -> tuple[list[float], float]:
    """Principal after 0, 1, 2, ... further instalments, up to the last one due (1).

    A loan that is `bucket` instalments behind has as many more to pay than it has months left.  A thousandth
    of an instalment is rounding of the tape's figures and makes no further instalment.
    """
    growth = 1.0 + loan["rate"] / 12.0
    due = max(loan["remaining_term"], 0 if bucket else 1) + bucket
    instalment = loan["scheduled_payment"]
    if not instalment > 0.0:
        instalment = loan["current_balance"] / sum(growth**-k for k in range(1, due + 1))
    owed = [loan["current_balance"], loan["current_balance"] * growth - instalment]
    while len(owed) <= due and owed[-1] > 1e-3 * instalment:
        owed.append(owed[-1] * growth - instalment)
    return owed, instalment


def tier_of(loan: Plain, tiers: list[Plain]) -> int:
    """The set whose score band, or without a score whose rate band, holds the loan."""
    if len(tiers) == 1:
        return 0
    scored = loan["score"] > 0.0
    value = loan["score"] if scored else 100.0 * loan["rate"]
    bands = [tier["score_band" if scored else "rate_band"] for tier in tiers]
    inside = [k for k, (low, high) in enumerate(bands) if low <= value < high]
    nearest = min(range(len(tiers)), key=lambda k: min(abs(value - bands[k][0]), abs(value - bands[k][1])))
    return inside[0] if inside else nearest


def feature_score(loan: Plain, tier: Plain) -> float:
    """x'beta; a missing feature counts as the reference."""
    score = tier["ltv_coefficient"] * (loan["original_balance"] / loan["vehicle_value"] - tier["ltv_reference"])
    if not math.isnan(loan["payment_to_income"]):
        score += tier["pti_coefficient"] * (loan["payment_to_income"] - tier["pti_reference"])
    return score


def months_between(first: tuple[int, int], last: tuple[int, int]) -> int:
    return 12 * (last[0] - first[0]) + last[1] - first[1]


def car_age_at_origination(loan: Plain) -> int:
    """Months since new; a model year stands for July of that year."""
    if loan["vehicle_new"]:
        return 0
    if math.isnan(loan["model_year"]):
        return USED_CAR_AGE
    return max(months_between((int(loan["model_year"]), 7), loan["origination_date"]), 0)


def at_age(curve: list[float], age: int) -> float:
    return curve[min(age, len(curve) - 1)]


# --- a month's event (2), (3) --------------------------------------------------------------------------------------


def multiplier(contract: Plain, cause: str, month: int, world: Plain) -> float:
    """exp(m'gamma) of a class of causes."""
    tier, macro = contract["tier"], world["macro"]
    offset = macro["offsets"].get(contract["region"], {})
    return math.exp(
        sum(
            effect * (macro["levels"][month][name] + offset.get(name, 0.0) - tier["reference"][name])
            for name, effect in tier["sensitivity"][cause].items()
        )
    )


def entry_intensity(contract: Plain, month: int, market: Plain, world: Plain) -> float:
    """Intensity of leaving current for arrears or charge-off (3), (3a), (3b)."""
    tier, parameters = contract["tier"], world["parameters"]
    base = sum(rate for target, rate in tier["rows"][0].items() if target != "prepay")
    base *= multiplier(contract, "enter", month, world)
    names = ("global", f"region:{contract['region']}", f"sector:{contract['sector']}")
    y = sum(
        math.sqrt(share) * market["factor"][name][month]
        for share, name in zip(parameters["shares"], names, strict=True)
    )
    if parameters["response"] == "lognormal":
        cell = base * math.exp(tier["sigma"] * y - tier["sigma"] ** 2 / 2.0)
    else:
        threshold = NORMAL.inv_cdf(1.0 - math.exp(-base))
        x = (threshold + math.sqrt(tier["rho"]) * y) / math.sqrt(1.0 - tier["rho"])
        cell = -math.log(0.5 * math.erfc(x / math.sqrt(2.0)))
    return cell * contract["risk"] * at_age(tier["seasoning"], contract["age"] + month)


def event_of_current(contract: Plain, month: int, market: Plain, world: Plain, path: int) -> int:
    """One uniform: lowest part entry (its own lowest part a direct charge-off), highest part payoff."""
    row = contract["tier"]["rows"][0]
    worse = entry_intensity(contract, month, market, world)
    payoff = row.get("prepay", 0.0) * multiplier(contract, "prepay", month, world)
    total = worse + payoff
    if total == 0.0:
        return 0
    moves = 1.0 - math.exp(-total)
    u = monthly_uniform(contract["entity"], path, month, world["seed"])
    if u < moves * worse / total:
        direct = row.get("charge_off", 0.0) / (row.get("charge_off", 0.0) + row.get(1, 0.0))
        return CHARGED_OFF if u < direct * moves * worse / total else 1
    return PREPAID if u > 1.0 - moves * payoff / total else 0


def event_in_arrears(contract: Plain, bucket: int, month: int, world: Plain, path: int) -> int:
    """The cause with the shortest waiting time, if that is less than a month."""
    waiting: dict[int, float] = {}
    for target, rate in contract["tier"]["rows"][bucket].items():
        if target == "charge_off":
            event, cause, purpose = CHARGED_OFF, "charge_off", PURPOSE_CHARGE_OFF
        elif target == "prepay":
            event, cause, purpose = PREPAID, "prepay", PURPOSE_PREPAY
        else:
            event, cause, purpose = target, "cure" if target < bucket else "roll", PURPOSE_BUCKET + target
        u = event_uniform(contract["entity"], path, month, purpose, world["seed"])
        waiting[event] = -math.log(u) / (rate * multiplier(contract, cause, month, world))
    first = min(waiting, key=waiting.__getitem__, default=bucket)
    return first if waiting.get(first, 1.0) < 1.0 else bucket


# --- a loan's life and its accounts (1a), (8) ----------------------------------------------------------------------


def simulate_plain(world: Plain, paths: int) -> list[Plain]:
    """Books and histories of the paths 0 .. paths - 1."""
    contracts = [open_contract(loan, world) for loan in world["loans"]]
    return [simulate_path(contracts, world, path) for path in range(paths)]


def simulate_path(contracts: list[Plain], world: Plain, path: int) -> Plain:
    """One path: `book[name, month]`, `moves[month, from, to]`, `history[loan_id]`, `loss[loan_id]`."""
    market = draw_market(world, path)
    result: Plain = {"book": defaultdict(float), "moves": defaultdict(int), "history": {}, "loss": {}}
    for contract in contracts:
        life = Life(contract, market, world, path, result)
        result["history"][contract["loan_id"]] = life.live()
        result["loss"][contract["loan_id"]] = life.loss
    return result


class Life:
    """One loan on one path."""

    def __init__(self, contract: Plain, market: Plain, world: Plain, path: int, result: Plain) -> None:
        self.contract, self.market, self.world, self.path = contract, market, world, path
        self.book, self.moves = result["book"], result["moves"]
        self.state, self.paid, self.loss = contract["bucket"], 0, 0.0
        self.default_bucket = world["parameters"]["default_bucket"]
        self.defaulted = self.in_default()

    def in_default(self) -> bool:
        return self.state == CHARGED_OFF or self.default_bucket <= self.state <= MAX_BUCKET

    @property
    def owed(self) -> float:
        """Principal after the instalments paid so far; nothing after an exit."""
        return self.contract["owed"][self.paid] if self.state <= MAX_BUCKET else 0.0

    @property
    def receivable(self) -> float:
        """Accrued unpaid interest (1a)."""
        months = min(self.state, self.world["parameters"]["nonaccrual_months"])
        return self.owed * self.contract["monthly_rate"] * months if self.state <= MAX_BUCKET else 0.0

    def live(self) -> list[tuple[int, float, float]]:
        """Go through horizon and run-off; return (state, principal, loss) at months 0 .. horizon."""
        horizon = self.world["months"]
        self.book_stocks(0)
        history = [(self.state, self.owed, self.loss)]
        for month in range(1, horizon + 1):
            if self.state <= MAX_BUCKET:
                self.step(month)
            history.append((self.state, self.owed, self.loss))
        month = horizon
        goes_on = self.in_default()
        while goes_on and 0 < self.state <= MAX_BUCKET:
            month += 1
            self.step(month)
        return history

    def step(self, month: int) -> None:
        """One month: event, cash, stocks."""
        bucket = self.state
        if bucket == 0:
            event = event_of_current(self.contract, month, self.market, self.world, self.path)
        else:
            event = event_in_arrears(self.contract, bucket, month, self.world, self.path)
        end = self.world["months"] + self.world["run_off"]
        if month == end and 0 < event <= MAX_BUCKET and not self.pays_last(event):
            event = CHARGED_OFF
        exposure = self.settle(event, month)
        if self.in_default() and not self.defaulted:
            self.defaulted = True
            self.add(month, default_count=1, default_balance=exposure)
        if self.state <= MAX_BUCKET:
            self.book_stocks(month)
        self.moves[month, bucket, self.state] += 1

    def instalments_paid(self, event: int) -> int:
        """All instalments paid after a month that ends `event` behind: one falls due each month."""
        return self.paid + max(self.state + 1 - event, 0)

    def pays_last(self, event: int) -> bool:
        return self.instalments_paid(event) >= len(self.contract["owed"]) - 1

    def settle(self, event: int, month: int) -> float:
        """Move cash and state; return principal and interest that stay, or are charged off."""
        before = self.owed
        accrues = self.state < self.world["parameters"]["nonaccrual_months"]
        accrual = before * self.contract["monthly_rate"] if accrues else 0.0
        interest = self.receivable + accrual
        self.add(month, interest_accrued=accrual)
        if event <= MAX_BUCKET:
            repaid, self.paid = self.pays_last(event), self.instalments_paid(event)
            event = MATURED if repaid else event
        self.state = event
        if event == CHARGED_OFF:
            self.charge_off(month, before, interest)
            return before + interest
        self.add(month, interest_paid=interest - self.receivable)
        self.add(month, **{"prepaid" if event == PREPAID else "principal_paid": before - self.owed})
        self.add(month, prepaid_count=event == PREPAID, matured_count=event == MATURED)
        return self.owed + self.receivable

    def charge_off(self, month: int, principal: float, interest: float) -> None:
        """Sale of the car and loss (8), (8a)."""
        contract, tier, exposure = self.contract, self.contract["tier"], principal + interest
        address = contract["entity"], self.path
        lag, recovery = tier["sale_lag"], 0.0
        if event_uniform(*address, month, PURPOSE_SOLD, self.world["seed"]) < tier["sold_share"]:
            z = NORMAL.inv_cdf(event_uniform(*address, 0, PURPOSE_CONDITION, self.world["seed"]))
            condition = math.exp(tier["vehicle_sd"] * z - tier["vehicle_sd"] ** 2 / 2.0)
            price = self.car_value(month + lag) * condition * (1.0 - tier["haircut"])
            recovery = price * (1.0 - tier["sale_cost_share"]) - tier["sale_cost"]
            if not math.isnan(tier["lgd_floor"]):
                recovery = min(recovery, exposure * (1.0 - tier["lgd_floor"]))
        self.loss = exposure - recovery / (1.0 + contract["monthly_rate"]) ** lag
        self.add(month, charge_off=exposure, charge_off_interest=interest, charge_off_count=1, ultimate_loss=self.loss)
        self.add(month + lag, recovery=recovery)

    def car_value(self, month: int) -> float:
        """Wholesale value without the car's own condition (6)."""
        aged = self.contract["value_as_new"] * at_age(self.contract["depreciation"], self.contract["car_age"] + month)
        return aged * self.market["index"][self.contract["vehicle"]][month]

    def book_stocks(self, month: int) -> None:
        late = self.owed if self.state >= 1 else 0.0
        serious = self.owed if self.state >= 2 else 0.0
        self.add(month, balance=self.owed, delinquent_balance=late, seriously_delinquent_balance=serious)
        self.add(month, accrued_interest=self.receivable, collateral_value=self.car_value(month), live_count=1)

    def add(self, month: int, **amounts: float) -> None:
        for name, amount in amounts.items():
            self.book[name, month] += amount
