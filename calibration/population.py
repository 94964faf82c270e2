"""Where a book's loans stand, in probabilities: histories, types, seized cars; and a month of it, without draws.

The engine's order of a month (methodology (3), (3f) to (3k), (8b)): the event, then seizure at the close.
An extended loan owes more than its schedule says; the excess is carried as its mean over each state, which
is exact for amounts, since claims are linear in it.  Its schedule ends when the others' do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.vocabulary import HISTORY_MONTHS, MODIFIED, STRATEGIC, TYPES
from simulator.kernels.bundles import DRAW_MARK, Loans
from simulator.parameters import Parameters
from simulator.seasoned import HISTORY_STATES, history_of_states, older, pool_chain
from simulator.tier_tables import tier_traits

Floats = NDArray[np.float64]

CURED_NOW = 1
MODIFIED_NOW = 1 + HISTORY_MONTHS
"""States of a current loan that returned in this month."""

HELD_BEYOND = 2
"""Months after the sale lag up to which the time since a seizure is told apart; it costs storage alone by then."""


@dataclass(frozen=True, eq=False)
class Standing:
    """Probabilities of each loan's states, and expected principal above schedule in them.

    Attributes
    ----------
    current : float64[2, loan, 1+2H]
        Probability, excess in currency; clean, cured, modified, as in `simulator.seasoned`.
    arrears : float64[2, loan, K, type, 1+held]
        By bucket 1..K and type; car not seized, then by months since its seizure, the last for all later ones.
    """

    current: Floats
    arrears: Floats

    def excess(self) -> Floats:
        """Mean excess of the fully paid track above schedule by bucket, currency: float64[loan, K+1]."""
        both = np.concatenate([self.current.sum(axis=2, keepdims=True), self.arrears.sum(axis=(3, 4))], axis=2)
        return np.asarray(np.divide(both[1], both[0], out=np.zeros_like(both[0]), where=both[0] > 0.0))


@dataclass(frozen=True, eq=False)
class Owed:
    """What loans owe in a month, their excess over schedule included.

    Attributes
    ----------
    claim : float64[loan, K+1]
        Principal and accrued interest by opening bucket, the month's accrual included, currency.
    principal : float64[loan]
        Opening principal of a loan without arrears.
    track : float64[loan]
        Principal at the close if all instalments had been paid by schedule.
    """

    claim: Floats
    principal: Floats
    track: Floats


@dataclass(frozen=True, eq=False)
class Exits:
    """How loans leave in a month, and who enters.

    Attributes
    ----------
    charged_off : float64[loan, K+1, 1+held]
        By opening bucket and by the car: not seized, or held for 1.. months.
    total_loss : float64[loan, K+1]
        By opening bucket.
    entries, entries_without_equity : float64[loan]
        Probability to fall behind, and the same without the effect of negative equity.
    """

    charged_off: Floats
    total_loss: Floats
    entries: Floats
    entries_without_equity: Floats


def opening(loans: Loans, parameters: Parameters) -> Standing:
    """Where loans stand at the as-of date; what the tape does not tell as in the seasoned pool (3k)."""
    count, worst = loans.bucket.size, len(parameters.bucket_labels) - 1
    borrower, bucket = parameters.borrower, loans.bucket.astype(np.int64)
    drawn = borrower.open_history[loans.fact.tier].copy()
    since = np.concatenate([[0], np.tile(np.arange(HISTORY_MONTHS), 2)])
    unborn = since > loans.fact.age[:, None]
    drawn[:, 0] += np.where(unborn, drawn, 0.0).sum(axis=1)
    drawn[unborn] = 0.0
    months, kind = -(loans.mark.astype(np.int64) >> 1), loans.mark & 1
    told = (months >= 0) & (months < HISTORY_MONTHS)  # NO_MARK and DRAW_MARK lie far outside
    known = np.where(told, 1 + months + np.where(kind == MODIFIED, HISTORY_MONTHS, 0), 0)
    current = np.where((loans.mark == DRAW_MARK)[:, None], drawn, np.eye(HISTORY_STATES)[known])
    longest = int(parameters.workout.sale_lag.max()) + HELD_BEYOND
    arrears = np.zeros((2, count, worst, len(TYPES), 2 + longest))
    late = np.flatnonzero(bucket)
    car = loans.repossessed[late].astype(np.int64)
    arrears[0, late, bucket[late] - 1, :, car] = borrower.open_type[loans.fact.tier[late], bucket[late]]
    current = current * (bucket == 0)[:, None]
    return Standing(np.stack([current, np.zeros_like(current)]), arrears)


class Population:
    """Moves a book's standing by months; factors and macro at reference.

    Parameters
    ----------
    loans : Loans
        The book.
    parameters : Parameters
        Its tiers.
    """

    def __init__(self, loans: Loans, parameters: Parameters) -> None:
        self.loans, self.parameters = loans, parameters
        borrower, tiers = parameters.borrower, range(len(parameters.names))
        self.chains = [pool_chain(parameters.intensity[tier], tier_traits(borrower, tier)).arrears for tier in tiers]
        self.members = [np.flatnonzero(loans.fact.tier == tier) for tier in tiers]
        payoff, loss = parameters.intensity[:, :, -1], parameters.workout.total_loss[:, None]
        share = np.divide(loss, payoff, out=np.zeros_like(payoff), where=payoff > 0.0)
        self.total_loss_share = np.minimum(share, 1.0)[loans.fact.tier]
        self.ageing = np.eye(HISTORY_STATES)[older(np.arange(HISTORY_STATES))]
        self.history = history_of_states(borrower.history_multiplier)[loans.fact.tier]
        intensity = parameters.workout.seizure[loans.fact.tier, 1:] * loans.fact.find[:, None]
        self.seized = -np.expm1(-intensity)

    def equity_multiplier(self, principal: Floats, value: Floats) -> Floats:
        """Effect of negative equity on entry before its mean is taken out (4): float64[loan]."""
        borrower, tier = self.parameters.borrower, self.loans.fact.tier
        above = np.maximum(principal / value - borrower.equity_threshold[tier], 0.0)
        raised = np.minimum(1.0 + borrower.equity_slope[tier] * above, borrower.equity_cap[tier])
        return np.where(borrower.equity_slope[tier] > 0.0, raised, 1.0)

    def step(self, standing: Standing, month: int, equity: Floats, owed: Owed) -> tuple[Standing, Exits]:
        """One month.

        Parameters
        ----------
        month : int
            1 is the first.
        equity : float64[loan]
            Effect of negative equity in the month (`equity_multiplier`).
        owed : Owed
            What an extension makes principal.
        """
        current, entering, left = self._from_current(standing.current, month, equity)
        arrears, cured, gone = self._from_arrears(standing.arrears)
        arrears[..., 0] += entering
        for states in (current[1], arrears[1]):
            states *= self.loans.contract.shrink.reshape(-1, *(1,) * (states.ndim - 1))
        extended = (
            self.parameters.borrower.modified_share[self.loans.fact.tier, 1:] * (month < self.loans.fact.term)[:, None]
        )
        paid = cured * (1.0 - extended)
        current[0, :, CURED_NOW] += paid[0].sum(axis=1)
        current[1, :, CURED_NOW] += paid[1].sum(axis=1) * self.loans.contract.shrink
        current[0, :, MODIFIED_NOW] += (cured[0] * extended).sum(axis=1)
        above = owed.claim[:, 1:] - owed.track[:, None]
        current[1, :, MODIFIED_NOW] += (cured[0] * extended * above).sum(axis=1)
        return self._close(current, arrears, month), _joined(left, gone)

    def _from_current(self, current: Floats, month: int, equity: Floats) -> tuple[Floats, Floats, Exits]:
        """Histories after the month, entries into arrears float64[2, loan, K, type], and exits."""
        loans, parameters = self.loans, self.parameters
        tier, borrower = loans.fact.tier, parameters.borrower
        row = parameters.intensity[tier, 0]
        age = np.minimum(loans.fact.age + month, parameters.seasoning.shape[1] - 1)
        own = loans.fact.risk * parameters.seasoning[tier, age] * equity / borrower.equity_mean[tier]
        entry, payoff = row[:, 1:-1].sum(axis=1), row[:, -1:]
        rate = (entry * own)[:, None] * self.history
        total = rate + payoff
        moves = current * np.divide(-np.expm1(-total), total, out=np.zeros_like(total), where=total > 0.0)
        enters, pays = (moves * rate).sum(axis=2), (moves[0] * payoff).sum(axis=1, keepdims=True)
        target = np.divide(row[:, 1:-1], entry[:, None], out=np.zeros_like(row[:, 1:-1]), where=entry[:, None] > 0.0)
        strategic = (1.0 - 1.0 / equity)[:, None]
        types = strategic * np.eye(len(TYPES))[STRATEGIC] + (1.0 - strategic) * borrower.type_share[tier]
        entering = enters[:, :, None, None] * target[:, :-1, None] * types[:, None, :]
        direct = (enters[0] * target[:, -1])[:, None, None]
        exits = Exits(direct, pays * self.total_loss_share[:, :1], enters[0], enters[0] / equity)
        return (current * np.exp(-total)) @ self.ageing, entering, exits

    def _from_arrears(self, arrears: Floats) -> tuple[Floats, Floats, Exits]:
        """Arrears after the month, returns to current float64[2, loan, K], and exits by bucket 1..K."""
        _, count, worst, types, held = arrears.shape
        after, cured = np.empty_like(arrears), np.empty((2, count, worst))
        charged_off, paid = np.empty((count, worst, held)), np.empty((count, worst))
        for chain, members in zip(self.chains, self.members, strict=True):
            inside = arrears[:, members]
            among = np.swapaxes(chain[..., 1 : worst + 1], 2, 3).reshape(worst * types, worst * types)
            flat = np.moveaxis(inside, 4, 2).reshape(2, members.size, held, worst * types)
            after[:, members] = np.moveaxis((flat @ among).reshape(2, members.size, held, worst, types), 2, 4)
            by_event = chain.sum(axis=2)
            cured[:, members] = np.einsum("wnktz,kt->wnk", inside, by_event[..., 0])
            charged_off[members] = np.einsum("nktz,kt->nkz", inside[0], by_event[..., worst + 1])
            paid[members] = np.einsum("nktz,kt->nk", inside[0], by_event[..., worst + 2])
        none = np.zeros(count)
        return _held_longer(after), cured, Exits(charged_off, paid * self.total_loss_share[:, 1:], none, none)

    def _close(self, current: Floats, arrears: Floats, month: int) -> Standing:
        """Loans that have paid their last instalment leave; cars of loans in arrears are seized."""
        behind = np.arange(arrears.shape[2] + 1)
        ended = (month - behind >= self.loans.fact.term[:, None]) & (self.loans.fact.renewal == 0)[:, None]
        arrears *= ~ended[:, 1:, None, None]
        taken = arrears[..., 0] * self.seized[:, :, None]
        arrears[..., 0] -= taken
        arrears[..., 1] += taken
        return Standing(current * ~ended[:, :1], arrears)


def _joined(current: Exits, arrears: Exits) -> Exits:
    """Exits of current loans, whose cars are not seized, and of loans in arrears, by opening bucket 0..K."""
    charged_off = np.concatenate([np.zeros_like(arrears.charged_off[:, :1]), arrears.charged_off], axis=1)
    charged_off[:, 0, 0] = current.charged_off[:, 0, 0]
    total_loss = np.concatenate([current.total_loss, arrears.total_loss], axis=1)
    return Exits(charged_off, total_loss, current.entries, current.entries_without_equity)


def _held_longer(arrears: Floats) -> Floats:
    """The same with a month more since each seizure."""
    moved = np.zeros_like(arrears)
    moved[..., 0] = arrears[..., 0]
    moved[..., 2:] = arrears[..., 1:-1]
    moved[..., -1] += arrears[..., -1]
    return moved
