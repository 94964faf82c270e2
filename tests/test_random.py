"""Draws by address: published known answers, a plain second opinion, the layout (D1), normals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import kstest

from known_cases import WORD, plain_philox
from scenarios import vocabulary
from scenarios.errors import InputError
from scenarios.vocabulary import EVENT_SLOT, MAX_BUCKET, PURPOSE_BUCKET, PURPOSES_PER_MONTH
from simulator.entities import loan_entities, named_entity
from simulator.horizon import RUN_OFF_MONTHS
from simulator.kernels.random import (
    SLOTS_PER_MONTH,
    block_at,
    draw_normals,
    event_uniform,
    normal_quantile,
    philox,
    unit,
)
from small_books import fixed_examples

LONGEST_RUN = 1200 + RUN_OFF_MONTHS
"""Last month of the longest run in which a loan may move; draws of later months do not exist."""

TOP_BIT = 2**63

# Random123 @9545ff6, tests/kat_vectors lines 27 to 29: philox4x32, 10 rounds.
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


def engine_philox(counter: list[int], key: list[int]) -> list[int]:
    return [int(word) for word in philox(*(np.uint64(value) for value in (*counter, *key)))]


# --- blocks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_known_answers(counter: str, key: str, answer: str) -> None:
    assert engine_philox(words(counter), words(key)) == words(answer)
    assert plain_philox(words(counter), words(key)) == words(answer)


def test_philox_agrees_with_plain_python() -> None:
    addresses = np.random.default_rng(11).integers(0, WORD, size=(10_000, 6)).tolist()
    for address in addresses:
        assert engine_philox(address[:4], address[4:]) == plain_philox(address[:4], address[4:])


@fixed_examples
@given(
    entity=st.integers(0, 2**64 - 1),
    path=st.integers(0, WORD - 1),
    slot=st.integers(0, EVENT_SLOT + LONGEST_RUN * 16),
    seed=st.integers(0, 2**64 - 1),
)
@example(entity=2**64 - 1, path=WORD - 1, slot=EVENT_SLOT, seed=2**64 - 1)
def test_address_layout(entity: int, path: int, slot: int, seed: int) -> None:
    # D1: counter = entity low, entity high, path, slot; key = seed low, seed high.
    found = [int(word) for word in block_at(np.uint64(entity), path, slot, np.uint64(seed))]
    assert found == plain_philox([entity % WORD, entity // WORD, path, slot], [seed % WORD, seed // WORD])


@fixed_examples
@given(month=st.integers(0, LONGEST_RUN), purpose=st.integers(0, PURPOSES_PER_MONTH - 1))
def test_event_draws_stand_at_their_purpose(month: int, purpose: int) -> None:
    entity, path, seed = 987_654_321_987, 17, 2**40 + 3
    block = plain_philox(
        [entity % WORD, entity // WORD, path, 2**16 + month * 16 + purpose // 4], [seed % WORD, seed // WORD]
    )
    found = event_uniform(np.uint64(entity), path, month, purpose, np.uint64(seed))
    assert found == (block[purpose % 4] + 0.5) / WORD


def test_no_two_purposes_share_a_draw() -> None:
    named = {name: getattr(vocabulary, name) for name in dir(vocabulary) if name.startswith("PURPOSE_")}
    arrivals = [PURPOSE_BUCKET + bucket for bucket in range(MAX_BUCKET + 1)]
    actions = list(vocabulary.ACTION_PURPOSE.values())
    others = [named[name] for name in named if name not in ("PURPOSE_BUCKET", "PURPOSE_ACTION", "PURPOSE_CARE")]
    purposes = [*arrivals, *actions, *others]
    assert len(purposes) > len(arrivals) + len(actions) + 3
    assert len(set(purposes)) == len(purposes)
    assert max(purposes) < PURPOSES_PER_MONTH == 4 * SLOTS_PER_MONTH
    incidents = [vocabulary.TEAM_PURPOSE_INCIDENT + place for place in range(len(vocabulary.INCIDENTS))]
    assert vocabulary.TEAM_PURPOSE_FACTOR not in incidents
    # The dense draws' slots end below the events', and the events' stay within a word.
    assert LONGEST_RUN // 4 < EVENT_SLOT
    assert EVENT_SLOT + (LONGEST_RUN + 1) * SLOTS_PER_MONTH < WORD


# --- uniforms and normals ----------------------------------------------------------------------------------


def test_uniforms_stay_off_the_ends() -> None:
    low, high = unit(np.uint64(0)), unit(np.uint64(WORD - 1))
    assert 0.0 < low == 2.0**-33
    assert 1.0 > high == 1.0 - 2.0**-33
    assert math.isfinite(normal_quantile(low))
    assert math.isfinite(normal_quantile(high))
    assert normal_quantile(low) == -normal_quantile(high)


def test_normal_quantile_against_scipy() -> None:
    middle = np.linspace(1e-4, 1.0 - 1e-4, 20_001)
    near_0 = 10.0 ** np.linspace(-300.0, -4.0, 4_001)
    borders = np.array([0.075, 0.925, math.exp(-25.0), 0.5])  # where AS 241 changes its polynomial
    word_ends = (np.array([0.0, 1.0, WORD - 2.0, WORD - 1.0]) + 0.5) / WORD
    points = np.concatenate(
        [middle, near_0, 1.0 - near_0[near_0 > 1e-16], borders, np.nextafter(borders, 0), word_ends]
    )
    points = points[points < 1.0]
    found = np.array([normal_quantile(point) for point in points])
    assert np.max(np.abs(found - ndtri(points))) <= 1e-13


def test_draw_normals_stand_at_their_months() -> None:
    entities = np.array([named_entity("factor:global"), named_entity("index:common")], dtype=np.uint64)
    seed = np.uint64(2**63 + 5)
    normals = np.empty((3, 2, 11))
    draw_normals(entities, 40, seed, normals)
    for path in range(3):
        for item in range(2):
            for month in range(11):
                word = block_at(entities[item], 40 + path, month // 4, seed)[month % 4]
                assert normals[path, item, month] == normal_quantile(unit(word))


def test_draw_normals_are_standard_normal() -> None:
    """Kolmogorov's test over months, paths and names; a fresh seed fails about once in 10,000."""
    entities = np.array([named_entity(f"name {item}") for item in range(20)], dtype=np.uint64)
    normals = np.empty((200, 20, 50))
    draw_normals(entities, 0, np.uint64(2), normals)
    assert kstest(normals.ravel(), "norm").pvalue > 1e-4


def test_neighbours_are_uncorrelated() -> None:
    """Six correlations of 198,000 pairs or more against N(0, 1/n); a fresh seed fails about once in 10,000."""
    entities = np.array([named_entity(f"name {item}") for item in range(20)], dtype=np.uint64)
    one, other = np.empty((200, 20, 52)), np.empty((200, 20, 52))
    draw_normals(entities, 0, np.uint64(3), one)
    draw_normals(entities, 0, np.uint64(4), other)
    pairs = [(one[1:], one[:-1]), (one[:, 1:], one[:, :-1]), (one, other)]
    pairs += [(one[..., lag:], one[..., :-lag]) for lag in (1, 3, 4)]
    bound = -ndtri(1e-4 / len(pairs) / 2.0)
    for first, second in pairs:
        assert abs(float(np.mean(first * second))) * math.sqrt(first.size) < bound


# --- who a draw belongs to -----------------------------------------------------------------------------------


@fixed_examples
@given(st.text(min_size=1, max_size=30))
def test_loans_and_names_never_share_an_address(text: str) -> None:
    assert named_entity(text) >= TOP_BIT > int(loan_entities([text])[0])
    assert named_entity(text) - TOP_BIT == int(loan_entities([text])[0])


def test_addresses_are_frozen() -> None:
    # `printf TEXT | b2sum -l 64`, read little-endian; a result must be drawn again from the same addresses.
    factor, loan = bytes.fromhex("d067158a8b61de2c"), bytes.fromhex("05c6b31bfd9a1007")
    assert named_entity("factor:global") == int.from_bytes(factor, "little") | TOP_BIT
    assert loan_entities(["00123"]).tolist() == [int.from_bytes(loan, "little") % TOP_BIT]


def test_loans_that_share_an_address_are_refused() -> None:
    with pytest.raises(InputError) as refusal:
        loan_entities(["A", "B", "A"])
    for word in ("loan_id 'A'", "shares its address", "one address a loan", "Append a character"):
        assert word in str(refusal.value)
