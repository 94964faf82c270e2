"""The other opinion on the engine: one loan, one month, one path at a time, in plain Python.

Written from docs/methodology.md; numbers in brackets are its equations.  Nothing here is fast or clever:
principal is iterated instalment by instalment, competing causes are a dict of waiting times, factors and
prices are loops.  With the engine it shares the addresses of draws (Philox block, hashes of names) and the
names of things, and nothing else.

A *world* is a dict of plain data: `loans` (a list of dicts), `macro`, `parameters`, `history`, `as_of`
(year, month), `seed`, `months`, `run_off`, `strategy` (the fields of a collection strategy; None: `reference`),
`observed` (by tier the strategy under which its figures were observed, or None; None: none is known), `market_share`.
`plain_books` makes one from a tape and parameters.  `reference_loan` opens the contracts, `reference_hazards`
says what happens, `reference_workout` what follows on arrears, `reference_collections` who is served and at what cost,
`reference_strategy` what that does, `reference_care` what is done before arrears, `reference_market` draws factors and
prices.
"""

from __future__ import annotations

import math
from collections import defaultdict
from statistics import fmean

from reference_care import avert, begin_care
from reference_collections import Office, close_month, pay_commission
from reference_hazards import event_in_arrears, event_of_current, type_after_spell, type_at_entry
from reference_loan import amortise, at_age, open_contract, opening_mark, opening_type
from reference_market import Plain, draw, draw_market
from reference_strategy import Spell, extension_share, return_factor, usual_treatment
from reference_workout import charge_off, follow_car, total_loss
from scenarios.vocabulary import (
    CHARGED_OFF,
    CURED,
    EXTENDED,
    HISTORY_MONTHS,
    MATURED,
    MAX_BUCKET,
    MODIFIED,
    PREPAID,
    PURPOSE_MODIFY,
    TOTAL_LOSS,
)


def simulate_plain(world: Plain, paths: int) -> list[Plain]:
    """Books and histories of the paths 0 .. paths - 1."""
    contracts = [open_contract(loan, world) for loan in world["loans"]]
    return [simulate_path(contracts, world, path) for path in range(paths)]


def simulate_path(contracts: list[Plain], world: Plain, path: int) -> Plain:
    """One path.

    `book[name, month]`, `moves[month, from, to]`; of a strategy `pool[name, pool, month]`, `incident[kind, month]`,
    `rung[name, month, place]` (rungs of the ladder, then those for loans without arrears), `care[alerts or
    waiting, month]` (of loans without arrears); by loan_id: `history` (rows of months
    0 .. T, see `Life.row`), `loss`, `recovered` (by month of the charge-off), `left` (principal and interest of
    loans that leave the run-off alive); by stage: `shortfall`, `shortfall_12m`.
    """
    market = draw_market(world, path)
    result: Plain = {"book": defaultdict(float), "moves": defaultdict(int), "pool": {}, "incident": {}}
    result["rung"], result["care"] = defaultdict(float), defaultdict(int)
    lives = [Life(contract, market, world, path, result) for contract in contracts]
    office = Office(lives, world, path) if world["strategy"] else None
    if office:
        begin_care(lives, result)
    for life in lives:
        life.book_stocks(0)
    history = [[life.row(0)] for life in lives]
    for month in range(1, world["months"] + 1):
        fire = fire_sale(lives, month, world, result["book"])
        for life in lives:
            life.live(month, fire)
        if office:
            close_month(lives, month, office, result)
        for life in lives:
            life.close(month)
        for rows, life in zip(history, lives, strict=True):
            rows.append(life.row(month))
    left = [life.run_off(fire) for life in lives]
    ids = [life.contract["loan_id"] for life in lives]
    result["history"] = dict(zip(ids, history, strict=True))
    result["left"] = dict(zip(ids, left, strict=True))
    result["loss"] = {life.contract["loan_id"]: life.loss for life in lives}
    result["recovered"] = {life.contract["loan_id"]: life.recovered for life in lives}
    for name in ("shortfall", "shortfall_12m"):
        result[name] = [sum(getattr(life, name) for life in lives if life.contract["stage"] == k) for k in range(3)]
    return result


# --- what loans do to each other: prices (7) --------------------------------------------------------------------


def fire_sale(lives: list[Life], month: int, world: Plain, book: Plain) -> float:
    """Factor on the prices of this month's charge-offs by the cars that the month before sent to sale (7).

    After the horizon the book is no longer complete, and the factor of the last month stays.
    """
    usual = fmean(life.contract["tier"]["baseline_sales"] for life in lives) * sum(life.alive for life in lives)
    strength = world["parameters"]["fire_sale_elasticity"] * world["market_share"]
    if month == 1 or usual == 0.0 or strength == 0.0:
        return 1.0
    return math.exp(-strength * math.log(max(book["sold_count", month - 1] / usual, 1.0)))


# --- a loan's life and its accounts (1a), (1b), (1c) -------------------------------------------------------------


class Life:
    """One loan on one path."""

    def __init__(self, contract: Plain, market: Plain, world: Plain, path: int, result: Plain) -> None:
        self.contract, self.market, self.world, self.path = contract, market, world, path
        self.result, self.book, self.moves = result, result["book"], result["moves"]
        self.state, self.paid = contract["bucket"], 0
        self.schedule, self.term = contract["owed"], contract["term"]
        self.mark = opening_mark(contract, path, world["seed"])
        self.type = opening_type(contract, path, world["seed"])
        self.spell, self.carried_out = Spell(), list[int]()
        self.asked_by, self.watched = list[int](), False  # at the last close, of a loan without arrears
        self.waiting: dict[str, int] = defaultdict(int)  # months, by pool, since arrears last began or ended
        self.opened, self.cured_after = self.state, None  # the state at the month's opening; month and rungs of a cure
        self.treatment: Plain | None = None  # of the last close; None: no rung has looked at these arrears
        self.seized = 0 if contract["repossessed"] else None
        self.default_bucket = world["parameters"]["default_bucket"]
        self.default_month = 0 if self.serious else None
        self.received, self.loss, self.shortfall, self.shortfall_12m = 0.0, 0.0, 0.0, 0.0
        self.recovered: dict[int, float] = {}
        self.at_start = self.owed, self.ltv(0)

    @property
    def alive(self) -> bool:
        return self.state <= MAX_BUCKET

    @property
    def in_arrears(self) -> bool:
        return 0 < self.state <= MAX_BUCKET

    @property
    def serious(self) -> bool:
        """A live loan that meets the terms of default."""
        return self.alive and (self.state >= self.default_bucket or self.seized is not None)

    @property
    def was_reached(self) -> bool:
        """Whether a rung reached the borrower at the last close."""
        return self.treatment is not None and self.treatment["reached_in"] is not None

    @property
    def redeems(self) -> bool:
        """Whether the borrower gets a seized car back."""
        return self.state in (0, PREPAID, MATURED)

    @property
    def owed(self) -> float:
        """Principal after the instalments paid so far; nothing after an exit."""
        return self.schedule[self.paid] if self.alive else 0.0

    @property
    def receivable(self) -> float:
        """Accrued unpaid interest (1a)."""
        months = min(self.state, self.world["parameters"]["nonaccrual_months"])
        return self.owed * self.contract["monthly_rate"] * months if self.alive else 0.0

    def car_value(self, month: int) -> float:
        """Wholesale value without the car's own condition (6)."""
        aged = self.contract["value_as_new"] * at_age(self.contract["depreciation"], self.contract["car_age"] + month)
        return aged * self.market["index"][self.contract["vehicle"]][month]

    def ltv(self, month: int) -> float:
        """Principal over that value, by the published index (P1), (P14)."""
        value = self.car_value(month)
        return self.owed / value if value > 0.0 else math.inf

    # --- months

    def run_off(self, fire: float) -> float:
        """After the horizon a loan in default goes on until it is cured or gone; return what it then owes."""
        goes_on = self.in_arrears and self.default_month is not None
        month = self.world["months"]
        while goes_on and self.in_arrears:
            month, self.treatment = month + 1, None
            self.live(month, fire)
            self.close(month)
        return self.owed + self.receivable if goes_on else 0.0

    def live(self, month: int, fire: float) -> None:
        """One month: event, cash, car."""
        self.received, self.opened = 0.0, self.state
        if not self.alive:
            return
        bucket = self.state
        if bucket == 0:
            event = event_of_current(self, month)
            event = avert(self, month) if event == 1 else event
            self.leave_current(event, month)
        else:
            self.treatment = self.treatment or usual_treatment(self)
            self.type = type_after_spell(self, month)
            event = event_in_arrears(self, month)
        end = self.world["months"] + self.world["run_off"]
        if month == end and 0 < event <= MAX_BUCKET and not self.pays_last(event):
            event = CHARGED_OFF
        self.settle(event, month, fire)
        follow_car(self, month)
        self.moves[month, bucket, self.state] += 1
        if (bucket == 0) != (self.state == 0):
            self.waiting.clear()

    def close(self, month: int) -> None:
        """Default and stocks at the close, when trucks have been and gone."""
        if self.serious:
            self.note_default(month, self.owed + self.receivable)
        if self.alive:
            self.book_stocks(month)

    def leave_current(self, event: int, month: int) -> None:
        """A default before counts no longer if the probation since was served; whoever enters arrears has a type."""
        if event in (1, CHARGED_OFF, TOTAL_LOSS) and self.months_clean(month) >= self.probation:
            self.default_month = None
        if event == 1:
            self.type = type_at_entry(self, month)

    # --- default and probation

    @property
    def probation(self) -> int:
        return int(self.world["parameters"]["probation_months"])

    def months_clean(self, month: int) -> int:
        """Closings without arrears before this month, of a current loan."""
        return month - (self.mark[0] if self.mark else 0)

    def note_default(self, month: int, exposure: float) -> None:
        """A default counts once until its probation is served."""
        if self.default_month is None:
            self.default_month = month
            self.add(month, default_count=1, default_balance=exposure)

    def in_default(self, month: int) -> bool:
        """At the close of a month, probation included."""
        if self.default_month is None:
            return False
        return self.state > 0 or self.seized is not None or self.months_clean(month + 1) < self.probation

    # --- cash

    def instalments_paid(self, event: int) -> int:
        """All instalments paid after a month that ends `event` behind: one falls due each month."""
        return self.paid + max(self.state + 1 - event, 0)

    def pays_last(self, event: int) -> bool:
        return self.instalments_paid(event) >= len(self.schedule) - 1

    def settle(self, event: int, month: int, fire: float) -> None:
        """Interest accrues, the event's cash flows, and the state follows."""
        before = self.owed
        accrues = self.state < self.world["parameters"]["nonaccrual_months"]
        accrual = before * self.contract["monthly_rate"] if accrues else 0.0
        interest = self.receivable + accrual
        self.add(month, interest_accrued=accrual)
        if event == CHARGED_OFF:
            charge_off(self, month, before, interest, fire)
            self.state = CHARGED_OFF
        elif event == TOTAL_LOSS:
            of_interest, of_principal = total_loss(self, month, before, interest)
            self.receive(month, interest_paid=of_interest, total_loss_paid=of_principal)
            self.state = TOTAL_LOSS
        elif event == EXTENDED or (event == 0 and self.is_extended(month)):
            self.extend(month, before + interest, interest)
        else:
            self.pay(event, month, before, interest)

    def pay(self, event: int, month: int, before: float, interest: float) -> None:
        """Instalments, or all that is owed; fees for those that come late, and for a renewal."""
        was, tier = self.state, self.contract["tier"]
        late = was if event == PREPAID else max(was + 1 - event, 0) - (event == 0)
        renews = was == 0 and event == 0 and self.renews_in(month)
        if event == PREPAID:
            self.state = PREPAID
        else:
            repaid, self.paid = self.pays_last(event), self.instalments_paid(event)
            self.state = MATURED if repaid else event
        if was > 0 and self.state == 0:
            self.mark = (month, CURED)
        fees = tier["late_fee"] * late + (tier["renewal_fee"] * before if renews else 0.0)
        principal = {"prepaid" if event == PREPAID else "principal_paid": before - self.owed}
        self.receive(month, interest_paid=interest - self.receivable, **principal, fees=fees)
        if was > 0:
            pay_commission(self, month, self.received, self.result)
        if was > 0 and event != PREPAID:
            self.add(month, collected=before + interest - self.owed - self.receivable)
        self.add(month, prepaid_count=self.state == PREPAID, matured_count=self.state == MATURED, renewed_count=renews)

    def renews_in(self, month: int) -> bool:
        """A single-payment loan is renewed on its due date and every period after (1c)."""
        if self.contract["amortisation"] != "single_payment" or month < self.term:
            return False
        return (month - self.term) % self.contract["renewal_period"] == 0

    def is_extended(self, month: int) -> bool:
        """Whether a return to current is an extension (3i), (P6)."""
        share = extension_share(self, month)
        if share == 0.0 or self.treatment is None:
            return False
        share *= self.treatment["extension"] / return_factor(self, month)
        return self.state > 0 and draw(self, month, PURPOSE_MODIFY) < share

    def extend(self, month: int, owed: float, interest: float) -> None:
        """Arrears become principal, and as many more months as instalments were missed, this month's too (1b)."""
        steps = len(self.schedule) - 1 - self.paid
        self.schedule, self.paid = amortise(owed, self.contract["factor"], self.contract["payment"], steps), 0
        self.term += self.state + 1
        self.state, self.mark = 0, (month, MODIFIED)
        self.add(month, capitalised=interest, modified_count=1)

    # --- books

    def receive(self, month: int, **amounts: float) -> None:
        """Cash from the borrower, or from the insurance of the car."""
        total = sum(amounts.values())
        self.received += total
        self.add(month, **amounts, cash=total)

    def book_stocks(self, month: int) -> None:
        arrears, owed = self.state, self.owed
        self.add(
            month,
            balance=owed,
            delinquent_balance=owed if arrears >= 1 else 0.0,
            seriously_delinquent_balance=owed if arrears >= 2 else 0.0,
            defaulted_balance=owed if self.in_default(month) else 0.0,
            modified_balance=owed if self.lately_extended(month) else 0.0,
            repossessed_balance=owed if self.seized is not None else 0.0,
            accrued_interest=self.receivable,
            collateral_value=self.car_value(month),
            live_count=1,
            delinquent_count=arrears >= 1,
        )

    def lately_extended(self, month: int) -> bool:
        return self.mark is not None and self.mark[1] == MODIFIED and month - self.mark[0] < HISTORY_MONTHS

    def row(self, month: int) -> tuple[float, ...]:
        """State, principal, loss so far, value of the car, cash of the month, type, rungs carried out, flags."""
        if not self.alive:
            return self.state, 0.0, self.loss, 0.0, self.received, -1, 0, 0
        flags = 1 * self.lately_extended(month) + 2 * (self.seized is not None)
        flags += 4 * (self.was_reached and self.state > 0) + 8 * self.in_default(month)
        kind, rungs = self.type if self.state > 0 else -1, sum(2**place for place in self.carried_out)
        return self.state, self.owed, self.loss, self.car_value(month), self.received, kind, rungs, flags

    def add(self, month: int, **amounts: float) -> None:
        for name, amount in amounts.items():
            self.book[name, month] += amount
