"""The few sentences that a reader needs before any figure: what the largest assumptions of a run are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from outputs.provenance_view import confidence_counts
from outputs.start_levels import far_starts
from scenarios.checks import month_text
from scenarios.counted import counted
from scenarios.schema import MacroScenario, Satellite, Study
from simulator.effects import effective_pairs, moves, variables_without_effect
from simulator.ladder_facts import idle_rungs, unmet_rungs
from simulator.ladder_groups import asks_of_the_spell

if TYPE_CHECKING:
    from scenarios.strategy import CollectionStrategy
    from simulator.provenance import ProvenanceRow
    from simulator.study import StudyInputs

CAUSE_WORDS: Final = {
    "enter": "entry into arrears",
    "cure": "cures",
    "roll": "deeper arrears",
    "charge_off": "charge-offs",
    "prepay": "prepayment",
}
"""What the classes of causes are called in a sentence."""

MANNERS: Final = {"flat": "stay flat", "unemployment_gap": "follow unemployment"}
"""What used-car prices do under each satellite."""


FUNDING_RATE: Final = "prime_rate"
FUNDED: Final = "; the prime rate moves the cost of funding, and with it income."


def caveats(inputs: StudyInputs, rows: Sequence[ProvenanceRow]) -> tuple[str, ...]:
    """Largest assumptions of a run, largest first.

    Parameters
    ----------
    inputs : StudyInputs
        What was run.
    rows : sequence of ProvenanceRow
        Every number of its parameter sets.
    """
    tape = month_text((inputs.tape.as_of.year, inputs.tape.as_of.month))
    shifted = [scenario for scenario, path in zip(inputs.scenarios, inputs.macro_paths(), strict=True) if path.shifted]
    drawn = inputs.study.uncertainty is not None
    return (
        *_shifts(shifted, tape),
        *far_starts(inputs),
        *_satellites(inputs.scenarios),
        *_pools(inputs),
        *_idle_rungs(inputs),
        *_rungs_of_the_spell(inputs.strategies),
        *_weights(inputs.study),
        *_idle(inputs),
        *_assumed(rows, drawn=drawn),
    )


def _shifts(shifted: Sequence[MacroScenario], tape: str) -> Iterator[str]:
    if shifted:
        starts = " and ".join(dict.fromkeys(month_text(scenario.first_month) for scenario in shifted))
        yield (
            f"The calendar is shifted: {_named(shifted)} {_verb(shifted, 'was', 'were')} written for months from "
            f"{starts} on and {_verb(shifted, 'is', 'are')} run on a tape of {tape}. A book of one time meets "
            "the economy of another; this is an experiment, not a forecast of that pool."
        )


def _satellites(scenarios: Sequence[MacroScenario]) -> Iterator[str]:
    """One sentence on the scenarios that take used-car prices from no publication."""
    kinds: dict[str, list[MacroScenario]] = {}
    for scenario in scenarios:
        for path in scenario.used_car_index.values():
            if isinstance(path, Satellite) and scenario not in kinds.setdefault(path.satellite, []):
                kinds[path.satellite].append(scenario)
    cases = [f"they {MANNERS[kind]} in {_named(found)}" for kind, found in kinds.items()]
    if cases:
        yield (
            f"Used-car prices are an assumption where the published path has none: {'; '.join(cases)}. Recoveries, and "
            "with them every loss, hang on it; where negative equity counts, so do arrears."
        )


def _pools(inputs: StudyInputs) -> Iterator[str]:
    if any(strategy is not None for strategy in inputs.strategies):
        yield (
            "What collections do to a loan is relative to the strategy under which its parameters were observed, by "
            "that strategy's own stated effects; most of them are judgement, as the strategies' sources say."
        )


def _idle_rungs(inputs: StudyInputs) -> Iterator[str]:
    edges = inputs.parameters().bucket_edges
    for strategy in inputs.strategies:
        idle = () if strategy is None else idle_rungs(strategy, edges)
        if strategy is not None and idle:
            yield (
                f"No bucket of the parameter set begins in the days of {', '.join(idle)} of strategy {strategy.name}: "
                "nobody is on these rungs."
            )
        unmet = () if strategy is None else unmet_rungs(strategy, inputs.tape_of(strategy.name))
        if strategy is not None and unmet:
            yield (
                f"No loan of the book meets the conditions of {', '.join(unmet)} of strategy {strategy.name} (tracker, "
                "starter interrupt, region): nobody is on these rungs."
            )


def _rungs_of_the_spell(strategies: Sequence[CollectionStrategy | None]) -> Iterator[str]:
    for strategy in strategies:
        rungs = () if strategy is None else tuple(rung.label for rung in strategy.ladder if asks_of_the_spell(rung))
        if strategy is not None and rungs:
            ask, act = ("asks", "acts") if len(rungs) == 1 else ("ask", "act")
            yield (
                f"{', '.join(rungs)} of strategy {strategy.name} {ask} what a spell of arrears has shown, and so {act} "
                "on nobody before the first close and after the horizon (P13): a short horizon says little of such a "
                "ladder."
            )


def _weights(study: Study) -> Iterator[str]:
    if study.tail_method is not None and study.tail_method.shifts:
        yield (
            "Paths are weighted: most were drawn in worse times than the scenario's, and their weights undo it. "
            "Every mean, quantile, share of paths and picture takes the weights; the summary tells how many paths of "
            "equal weight stand behind a figure."
        )


def _idle(inputs: StudyInputs) -> Iterator[str]:
    """One sentence on the macro variables that scenarios move and that act on no borrower."""
    parameters, paths = inputs.parameters(), inputs.macro_paths()
    idle = [name for name in variables_without_effect(parameters) if any(moves(path, name) for path in paths)]
    if not idle:
        return
    acting: dict[str, list[str]] = {}
    for variable, cause in effective_pairs(parameters):
        acting.setdefault(variable, []).append(CAUSE_WORDS[cause])
    effects = [f"{_plain(variable)} (on {' and '.join(causes)})" for variable, causes in acting.items()]
    move, act, them = ("moves", "acts", "it") if len(idle) == 1 else ("move", "act", "them")
    named = " and ".join(map(_plain, idle))
    yield (
        f"{named[:1].upper()}{named[1:]} {move} in the scenarios and {act} on no borrower: the parameter sets have no "
        f"sensitivity to {them}. Of a scenario only {' and '.join([*effects, 'used-car prices'])} change the loss"
        f"{FUNDED if FUNDING_RATE in idle else '.'}"
    )


def _plain(variable: str) -> str:
    return variable.replace("_", " ")


def _assumed(rows: Sequence[ProvenanceRow], *, drawn: bool) -> Iterator[str]:
    words = share_on_assumption(confidence_counts(rows))
    errors = (
        "errors below hold what the parameters' stated ranges say of them, and no more"
        if drawn
        else "errors below are those of the simulation only: they do not tell how wrong a parameter may be"
    )
    if words:
        yield (
            f"{words} of the parameters {_rest(rows)} on an assumption, judgement or memory (confidence L), and "
            f"{errors}."
        )


def share_on_assumption(counts: Mapping[str, Mapping[str, int]]) -> str:
    """How many numbers have confidence L, as '1 of 3 numbers (33 %)'; empty where there is no number."""
    total = sum(sum(by_letter.values()) for by_letter in counts.values())
    low = sum(by_letter["L"] for by_letter in counts.values())
    return f"{low:,} of {counted(total, 'number')} ({100 * low / total:.0f} %)" if total else ""


def _rest(rows: Sequence[ProvenanceRow]) -> str:
    return "rests" if sum(row.confidence == "L" and row.acts for row in rows) == 1 else "rest"


def _named(scenarios: Sequence[MacroScenario]) -> str:
    return ", ".join(scenario.name for scenario in scenarios)


def _verb(scenarios: Sequence[MacroScenario], one: str, many: str) -> str:
    return one if len(scenarios) == 1 else many
