"""Wrong models, each one replacement in one source file: `planted_errors.py` plants them, one at a time.

A replacement must fit exactly once; `test_planted_models.py` sees to it, so that the list ages with the sources.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Planted:
    """One wrong model.

    Attributes
    ----------
    name, what : str
        Short name; what is wrong.
    file, sound, wrong : str
        Source file from the root; text that stands there once; what replaces it.
    first : tuple of str
        Test files that are likely to notice.
    why_it_survives : str
        For what no test can or should notice.
    """

    name: str
    what: str
    file: str
    sound: str
    wrong: str
    first: tuple[str, ...] = ()
    why_it_survives: str = ""


def planted_text(error: Planted, text: str) -> str:
    """The file's text with the error in it."""
    if text.count(error.sound) != 1:
        raise ValueError(f"{error.name}: {error.file} holds {error.sound!r} {text.count(error.sound)} times, not once")
    return text.replace(error.sound, error.wrong)


KERNELS = "simulator/kernels"
REFERENCE = ("test_engine_reference.py",)

ERRORS = (
    Planted(
        "pd_times_1.02", "entry into arrears 2 % too frequent", f"{KERNELS}/current.py",
        "worse = work.entry[worker, month, cell] * fact.risk",
        "worse = 1.02 * work.entry[worker, month, cell] * fact.risk",
        REFERENCE,
    ),
    Planted(
        "macro_month_off_by_one", "macro variables of the month before", "simulator/hazards.py",
        "return np.asarray(levels[:, None, :] - parameters.reference",
        "levels = np.concatenate([levels[:1], levels[:-1]])\n"
        "    return np.asarray(levels[:, None, :] - parameters.reference",
        REFERENCE,
    ),
    Planted(
        "sale_lag_lost", "cash of a seized car comes at once", f"{KERNELS}/workout.py",
        "lag = max(lag - held, 0)", "lag = 0", REFERENCE,
    ),
    Planted(
        "lgd_sign", "costs of a sale added to its proceeds", f"{KERNELS}/workout.py",
        "net = result.book[row], claim.proceeds - claim.cost", "net = result.book[row], claim.proceeds + claim.cost",
        REFERENCE,
    ),
    Planted(
        "axes_swapped", "histories and kinds swapped in the table of multipliers", "simulator/hazards.py",
        '"history": np.ascontiguousarray(borrower.history_multiplier),',
        '"history": np.ascontiguousarray(borrower.history_multiplier[:, ::-1]),',
        REFERENCE,
    ),
    Planted(
        "seed_ignored", "all runs draw from seed 0", "simulator/engine.py",
        "seed=np.uint64(seed),", "seed=np.uint64(0),", ("test_engine_invariance.py",),
    ),
    Planted(
        "roll_and_cure_swapped", "what macro variables do to rolls acts on cures and the reverse",
        f"{KERNELS}/items.py",
        "(cure if target < bucket else roll)", "(roll if target < bucket else cure)",
        ("test_kernels_arrears.py", *REFERENCE),
    ),
    Planted(
        "types_roll_and_cure_swapped", "what type and treatment do to rolls acts on cures and the reverse",
        "simulator/hazards.py",
        "cause = np.full((size, size + 2), ROLL)\n    cause[np.tril_indices(size, -1)] = CURE",
        "cause = np.full((size, size + 2), CURE)\n    cause[np.tril_indices(size, -1)] = ROLL",
        ("test_engine_types.py", *REFERENCE),
    ),
    Planted(
        "mean_correction_lost", "lognormal response without -sigma^2/2", "simulator/hazards.py",
        "np.log(base) - 0.5 * sigma**2", "np.log(base)", ("test_engine_factors.py", *REFERENCE),
    ),
    Planted(
        "discount_lost", "recoveries not discounted", f"{KERNELS}/workout.py",
        "net / discount**claim.sale_lag", "net", REFERENCE,
    ),
    Planted(
        "insurance_counted_twice", "what insurance paid after a total loss is not taken off the loss",
        f"{KERNELS}/workout.py", "rest = exposure - paid", "rest = exposure",
        ("test_engine_conservation.py", *REFERENCE),
    ),
    Planted(
        "naive_probabilities", "1 - exp(-lambda) for entry, competition ignored", f"{KERNELS}/borrower.py",
        "p_worse = worse / total * any_event", "p_worse = -math.expm1(-worse)",
        ("test_kernels_borrower.py", "test_engine_known_answers.py"),
    ),
    Planted(
        "path_in_no_address", "all paths of a loan draw the same events in arrears", f"{KERNELS}/items.py",
        "(clock.first_path + spot.row, spot.month, clock.seed)", "(0, spot.month, clock.seed)", REFERENCE,
    ),
    Planted(
        "month_in_no_address", "the same uniform decides every fourth month", f"{KERNELS}/portfolio.py",
        "(clock.first_path + spot.row, spot.month // WORDS, clock.seed)",
        "(clock.first_path + spot.row, 0, clock.seed)",
        ("test_engine_known_answers.py", *REFERENCE),
    ),
    Planted(
        "interest_on_scheduled_balance", "non-accrual forgotten at a month's close", f"{KERNELS}/items.py",
        "items.rate[item] * min(state[item], most)", "items.rate[item] * state[item]",
        ("test_kernels_booking.py", *REFERENCE),
    ),
    Planted(
        "interest_never_stops", "non-accrual forgotten from the as-of date on", "simulator/engine.py",
        "        run.parameters.nonaccrual_months,\n", "        10_000,\n", REFERENCE,
    ),
    Planted(
        "capitalised_interest_lost", "an extension forgives the unpaid interest", f"{KERNELS}/items.py",
        "owed = principal[item] + items.interest[item] if drawn[item] == EXTENDED",
        "owed = principal[item] if drawn[item] == EXTENDED",
        ("test_kernels_booking.py", "test_engine_conservation.py", *REFERENCE),
    ),
    Planted(
        "extension_one_month_short", "an extension moves the last due date a month too little", f"{KERNELS}/close.py",
        "path.term += items.bucket[item] + 1\n                path.last_due += items.bucket[item] + 1 if",
        "path.term += items.bucket[item]\n                path.last_due += items.bucket[item] if",
        REFERENCE,
    ),
    Planted(
        "history_forgotten", "who cured is as good as never late", f"{KERNELS}/current.py",
        "worse *= hazards.history[tier, kind, since] *", "worse *= ", (*REFERENCE, "test_engine_borrowers.py"),
    ),
    Planted(
        "bound_too_low", "the dense pass forgets the memory of arrears in its bound", f"{KERNELS}/slots.py",
        "np.float32(risk_bound * hazards.history_bound[kind, since])", "np.float32(risk_bound)", REFERENCE,
    ),
    Planted(
        "car_leaves_a_month_late", "the car of a loan that ended counts as collateral for another month",
        f"{KERNELS}/slots.py",
        "month, car = min(spot.month, clock.months + 1)", "month, car = min(spot.month + 1, clock.months + 1)",
        REFERENCE,
    ),
    Planted(
        "equity_on_value_now_lost", "negative equity measured at origination's value", f"{KERNELS}/current.py",
        "equity_effect(work.slots.track[worker, slot], value, trait",
        "equity_effect(work.slots.track[worker, slot], fact.value_as_new, trait",
        REFERENCE,
    ),
    Planted(
        "equity_mean_lost", "the mean effect of negative equity not taken out", f"{KERNELS}/current.py",
        "(equity / trait.equity_mean)", "equity", REFERENCE,
    ),
    Planted(
        "hardship_never_ends", "hardship lasts for ever", f"{KERNELS}/items.py",
        "< hazards.trait[tier].spell_end)", "< 0.0 * hazards.trait[tier].spell_end)",
        ("test_kernels_arrears.py", *REFERENCE, "test_engine_borrowers.py"),
    ),
    Planted(
        "seized_car_still_sought", "a seized car is sold only if it is found again", f"{KERNELS}/workout.py",
        "if held >= 0 or car_is_found", "if car_is_found", REFERENCE,
    ),
    Planted(
        "season_of_charge_off", "season of the month of charge-off instead of the sale's", f"{KERNELS}/workout.py",
        "workouts.season[month]", "workouts.season[spot.month]", REFERENCE,
    ),
    Planted(
        "condition_mean_lost", "a car's own condition has a mean above 1", f"{KERNELS}/collateral.py",
        "math.exp(sd * z - 0.5 * sd * sd)", "math.exp(sd * z)", REFERENCE,
    ),
    Planted(
        "deficiency_on_exposure", "deficiency collected on all that was owed", f"{KERNELS}/workout.py",
        "max(exposure - (proceeds - cost), 0.0)", "exposure", REFERENCE,
    ),
    Planted(
        "default_each_month", "a default is counted in every month in default", f"{KERNELS}/close.py",
        "path.defaulted = month if enters else path.defaulted", "path.defaulted += 0", REFERENCE,
    ),
    Planted(
        "probation_ignored", "every relapse is a new default", f"{KERNELS}/current.py",
        "(month - (path.mark >> 1) >= clock.probation_months)", "(month > 0)",
        REFERENCE,
    ),
    Planted(
        "slot_keeps_the_dead_ones_bound", "who moves into a dead loan's slot takes its bound over",
        f"{KERNELS}/slots.py",
        "    slots.limit[worker, slot] = slots.limit[worker, last]\n", "", ("test_kernels_slots.py", *REFERENCE),
    ),
    Planted(
        "slot_of_the_moved_forgotten", "a loan that moves to another slot is still looked for in its old one",
        f"{KERNELS}/slots.py",
        "    work.path[worker, moved].slot = slot\n", "", ("test_kernels_slots.py", *REFERENCE),
    ),
    Planted(
        "cars_of_the_gone_kept", "cars of loans that are gone stay in the lender's collateral", f"{KERNELS}/slots.py",
        "work.gone[worker, month, car] += np.int64(loans.fact[loan].value_as_new * clock.scale)",
        "work.gone[worker, month, car] += 0", ("test_kernels_slots.py", *REFERENCE),
    ),
    Planted(
        "unsure_stay", "who moves or not by a hair never moves", f"{KERNELS}/current.py",
        "movers.drawn[worker, mover] = make_sure(mover, spot, bundles, work)", "movers.drawn[worker, mover] = 0",
        REFERENCE,
    ),
    Planted(
        "half_of_a_word", "the exponential of a draw lacks the half that keeps a word off 0", f"{KERNELS}/logarithm.py",
        "x = np.float64(word) + 0.5", "x = np.float64(word) + 1.0", ("test_kernels_arrears.py",),
    ),
    Planted(
        "pool_serves_the_least", "the pool serves low priorities first", f"{KERNELS}/pools.py",
        "return min(max(math.floor(score * STEPS), 0), PRIORITIES - 1)",
        "return PRIORITIES - 1 - min(max(math.floor(score * STEPS), 0), PRIORITIES - 1)",
        ("test_collections_pools.py", *REFERENCE),
    ),
    Planted(
        "pool_without_limit", "the pool serves everybody", f"{KERNELS}/pools.py",
        "    if pool.unlimited:\n        return np.inf",
        "    if pool.unlimited or pool.hours > 0.0:\n        return np.inf",
        ("test_collections_pools.py", *REFERENCE),
    ),
    Planted(
        "pool_passes_over", "a pool that cannot serve a loan goes on to the next", f"{KERNELS}/treatment.py",
        "work.left[worker, pool] = -1.0", "work.left[worker, pool] += ladder.rung[number].hours",
        ("test_collections_pools.py", *REFERENCE),
    ),
    Planted(
        "waiting_never_forgotten", "months waited count on after service", f"{KERNELS}/treatment.py",
        "        effort.queued = effort.asked\n", "        effort.queued |= effort.asked\n",
        ("test_collections_pools.py", *REFERENCE),
    ),
    Planted(
        "stayed_is_kept", "who stays as far behind as promised has kept the promise", f"{KERNELS}/treatment.py",
        "if effort.reached and state >= effort.bucket:", "if effort.reached and state > effort.bucket:",
        REFERENCE,
    ),
    Planted(
        "plan_after_the_term", "plans are accepted when nothing is due any more", f"{KERNELS}/items.py",
        "cause[buckets + 3, item] = effort.plan if has_term else 0.0", "cause[buckets + 3, item] = effort.plan",
        ("test_kernels_arrears.py", *REFERENCE),
    ),
    Planted(
        "suit_on_top", "a won suit collects on top of what the set collects", f"{KERNELS}/workout.py",
        "cash, channel = rest * suit.enforced, JUDGMENT_ROW",
        "cash, channel = cash + rest * suit.enforced, JUDGMENT_ROW",
        ("test_collections_pools.py", *REFERENCE),
    ),
    Planted(
        "effects_at_once", "a rung acts although the borrower was not reached", f"{KERNELS}/treatment.py",
        "    if u >= rung.reach:\n        return", "    if u >= 1.0:\n        return",
        ("test_collections_pools.py", *REFERENCE),
    ),
    Planted(
        "observed_not_neutral", "effects are not divided by the observed strategy's", "simulator/ladder.py",
        "scale = np.ascontiguousarray(1.0 / observed_means(", "scale = np.ascontiguousarray(0.0 * observed_means(",
        ("test_collections_effects.py", *REFERENCE),
    ),
    Planted(
        "writ_before_the_visit", "what a visit reveals counts at the same close", f"{KERNELS}/treatment.py",
        "        while fits != 0:\n            number = first_bit(fits)\n            fits &= fits - np.uint32(1)\n",
        "        number = np.int64(-1)\n        while True:\n"
        "            known = ladder.fits[loan] & ladder.of_bucket[state] & ladder.of_known[effort.revealed]\n"
        "            fits = np.uint32(np.int64(known) & -(np.int64(1) << (number + 1)))\n"
        "            if fits == 0:\n                break\n            number = first_bit(fits)\n",
        ("test_collections_effects.py", *REFERENCE),
    ),
    Planted(
        "incidents_without_teams", "teams do not differ", "simulator/ladder.py",
        "return np.asarray(gammaincinv(1.0 / variance, u) * variance)", "return np.ones(len(paths))",
        ("test_collections_effects.py", *REFERENCE),
    ),
    Planted(
        "all_averted_alike", "the borrower's type does not matter to whether arrears are averted", f"{KERNELS}/care.py",
        "if u < rung.reach * ladder.accepted[number, kind]:", "if u < rung.reach * ladder.accepted[number, 0]:",
        REFERENCE,
    ),
    Planted(
        "averted_by_next_months_draw", "who is reached without arrears is drawn in the month after the close",
        f"{KERNELS}/care.py",
        "u = event_uniform(entity, path, before, rung.purpose,", "u = event_uniform(entity, path, month, rung.purpose,",
        REFERENCE,
    ),
    Planted(
        "waiting_without_arrears_forgotten", "months waited without arrears do not count", f"{KERNELS}/pools.py",
        "level_of(ladder.pool[rung.pool], rung, state, waited, principal)",
        "level_of(ladder.pool[rung.pool], rung, state, waited * (state > 0), principal)", REFERENCE,
    ),
    Planted(
        "waiting_goes_over_into_arrears", "months waited without arrears count in arrears", f"{KERNELS}/treatment.py",
        "        stop_waiting(effort)  # it may", "        pass  # it may", REFERENCE,
    ),
    Planted(
        "record_goes_to_the_grave", "a loan that dies takes its record of collections with it", f"{KERNELS}/close.py",
        "        if path.effort != NO_EFFORT:\n            give_effort_back",
        "        if path.effort < 0:\n            give_effort_back",
        ("test_kernels_effort.py",),
    ),
    Planted(
        "record_of_another", "a loan goes on with what was done for the last that had its record",
        f"{KERNELS}/effort.py",
        "    effort.own_find = fact.find\n    begin_spell(effort)", "    effort.own_find = fact.find",
        ("test_kernels_effort.py", *REFERENCE),
    ),
    Planted(
        "usual_by_days_alone", "on average a rung is for nobody who has to meet more than days",
        "simulator/ladder_groups.py",
        "        if asks_of_the_spell(item):\n",
        "        if asks_of_the_spell(item) or fits.min() == 0 or np.isfinite(rung[place].from_balance):\n",
        ("test_collections_mean.py", *REFERENCE),
    ),
    Planted(
        "macro_known_at_once", "predictions use macro variables that nobody knows yet", "simulator/care.py",
        "np.maximum(np.arange(hazards.threshold.shape[0]) - lag, 0)", "np.arange(hazards.threshold.shape[0])",
        REFERENCE,
    ),
    Planted(
        "alerts_always_heard", "trackers tell of every entry", f"{KERNELS}/care.py",
        "PURPOSE_ALERT, clock.seed) >= ladder.alert_hits:", "PURPOSE_ALERT, clock.seed) >= 1.0:", REFERENCE,
    ),
    Planted(
        "reminders_counted_twice", "entries as observed although the observed strategy averted some",
        f"{KERNELS}/hazards.py",
        "            entry[month, cell] *= scale[cell]\n", "", REFERENCE,
    ),
    Planted(
        "predicted_as_observed", "predictions count on what the observed strategy averted", "simulator/care.py",
        'found["entry_scale"] * _predicted(', "_predicted(", REFERENCE,
    ),
    Planted(
        "fire_sale_raises_prices", "sign of the fire sale", f"{KERNELS}/portfolio.py",
        "math.exp(-power *", "math.exp(power *", ("test_engine_workouts.py", *REFERENCE),
    ),
    Planted(
        "index_noise_not_compensated", "used-car index with a mean above its path", "simulator/factors.py",
        "noise -= 0.5 *", "noise -= 0.0 *", ("test_engine_factors.py", *REFERENCE),
    ),
    Planted(
        "index_unlinked", "car prices independent of credit", "simulator/factors.py",
        "common = tie * credit +", "common = 0.0 * credit +", ("test_engine_factors.py", *REFERENCE),
    ),
    Planted(
        "monthly_correlation", "the 12-month correlation fed in monthly", "simulator/parameters.py",
        "return solve_response(credit, response, quoted.correlation.value, quoted.horizon_months)",
        "return float(np.sqrt(quoted.correlation.value)) if response == 'lognormal' else quoted.correlation.value",
        ("test_engine_factors.py", "test_parameters.py"),
    ),
    Planted(
        "published_not_renormalised", "types and histories on top of the published matrix", "simulator/seasoned.py",
        "            return SeasonedPool(intensity, *_mixes(share), share, kept)\n",
        "            return SeasonedPool(published.copy(), *_mixes(share), share, kept)\n",
        ("test_seasoned.py", "test_engine_borrowers.py"),
    ),
    Planted(
        "run_off_forgotten", "loans in default at the horizon vanish", f"{KERNELS}/run_off.py",
        "if 1 <= bucket <= MAX_BUCKET and work", "if bucket > MAX_BUCKET and work", ("test_run_off.py", *REFERENCE),
    ),
    Planted(
        "after_horizon_dropped", "recoveries after the horizon not counted", "simulator/totals.py",
        "late = result.book[:, :, horizon:].sum(axis=2)", "late = 0.0 * result.book[:, :, horizon:].sum(axis=2)",
        ("test_engine_cash.py", *REFERENCE),
    ),
    Planted(
        "median_for_var", "VaR a rank too low", "outputs/estimators.py",
        "excess = np.maximum(sample.value - threshold, 0.0) / (1.0 - level)",
        "excess = np.maximum(sample.value - threshold, 0.0) / level",
        ("test_measures.py",),
    ),
    Planted(
        "stage_by_arrears_alone", "no significant increase in credit risk", "simulator/stages.py",
        "np.where(now > threshold * expected, STAGE_2, STAGE_1)", "STAGE_1", ("test_stages.py",),
    ),
    Planted(
        "capital_without_expected_loss", "capital holds the expected loss as well", "outputs/capital.py",
        "* (stressed - probability)", "* stressed", ("test_capital.py",),
    ),
    Planted(
        "weights_of_the_wrong_density", "shifted paths weigh more, not less", "simulator/tail_proposal.py",
        "moved_part = np.log1p(-unshifted) + shift * z - 0.5 * shift**2",
        "moved_part = np.log1p(-unshifted) + shift * z + 0.5 * shift**2",
        ("test_tail_proposal.py",),
    ),
    Planted(
        "means_without_weights", "what only means are kept of counts every path alike", "simulator/totals.py",
        "weight, held = np.exp(systematic.log_weight), totals.weight[0]",
        "weight, held = np.ones(len(chunk)), totals.weight[0]",
        ("test_tail_study.py",),
    ),
    Planted(
        "strata_without_correction", "strata do not weigh what their probabilities say", "simulator/tail_proposal.py",
        "np.log(stratum_probability(edges) * (paths / held))",
        "np.log(stratum_probability(edges) * edges.size)",
        ("test_tail_proposal.py",),
    ),
    Planted(
        "shift_beside_the_direction", "the component along the direction is added, not replaced",
        "simulator/tail_proposal.py",
        "out += (along[:, item] - own)[:, None] * flat[item]", "out += along[:, item][:, None] * flat[item]",
        ("test_tail_proposal.py",),
    ),
)  # fmt: skip
