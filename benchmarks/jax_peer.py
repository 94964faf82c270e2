"""The simple job in JAX on the CPU: one jitted scan over months, blocks of paths at a time.

JAX is an extra of its own, imported by this module alone and only when it is used.
"""

from __future__ import annotations

import importlib
import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.job import MISSED, Job, Market
from scenarios.errors import Fault, InputError

Floats = NDArray[np.float64]

BLOCK = 4
"""Paths that go through the months together (measured on two cores, 100,000 loans, million loan-months a second: one
path 226, since XLA then keeps to one core; four 570; sixteen 372, as their arrays leave the caches)."""


def load_jax() -> Any:
    """The module jax, on the CPU.

    Raises
    ------
    InputError
        It is not installed.
    """
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    try:
        return importlib.import_module("jax")
    except ImportError as error:
        remedy = "Install the extra in an environment of its own: pip install -c constraints.txt -e '.[peers]'"
        raise InputError(Fault("benchmarks.peers", f"no JAX ({error})", "the package jax", remedy)) from error


@dataclass(eq=False)
class Scan:
    """Blocks of paths through one jitted scan.

    Attributes
    ----------
    threads : int
        Threads that call the compiled function, each on a share of the paths, one path at a time.  1: XLA's own
        threads share out a block of paths.
    halves : bool
        Threefry uses both words of each of its blocks.  JAX's default since 0.5 throws one away, so that a draw does
        not depend on how an array is cut over devices, which nothing here is.
    """

    job: Job
    threads: int = 1
    halves: bool = False
    _jax: Any = field(init=False, repr=False)
    _run: Any = field(init=False, repr=False)
    _columns: tuple[Any, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Put the book where JAX wants it; compilation comes with the first call."""
        self._jax = load_jax()
        job = self.job
        columns = (job.odds(), job.balance, job.instalment, job.proceeds)
        self._columns = tuple(self._jax.numpy.asarray(column, dtype=np.float32) for column in columns)
        self._run = self._jax.jit(_paths_function(self._jax, job))

    def losses(self, market: Market, seed: int) -> Floats:
        """float64[path] loss of the horizon's months, currency."""
        block = 1 if self.threads > 1 else math.gcd(len(market.paths), BLOCK)
        shape = (-1, block, self.job.months)
        climate = [
            array.astype(np.float32).reshape(shape) for array in (market.response(self.job), market.price(self.job))
        ]
        key = self._jax.random.fold_in(self._jax.random.key(seed), market.paths.start)
        keys = self._jax.random.split(key, climate[0].shape[0])
        shares = np.array_split(np.arange(keys.size), min(self.threads, keys.size))
        with ThreadPoolExecutor(len(shares)) as pool:
            parts = [pool.submit(self._share, keys[rows], *(array[rows] for array in climate)) for rows in shares]
            return np.concatenate([part.result() for part in parts])

    def _share(self, keys: Any, response: NDArray[np.float32], price: NDArray[np.float32]) -> Floats:
        # Which form of Threefry is a setting of the thread that traces.
        with self._jax.threefry_partitionable(not self.halves):
            return np.asarray(self._run(keys, response, price, *self._columns), dtype=np.float64).reshape(-1)


def _paths_function(jax: Any, job: Job) -> Any:
    """What is compiled: keys[block], response and price [block, path, month], book -> float32[block, path] losses."""
    step = _step_function(jax, job)
    lax, jnp = jax.lax, jax.numpy

    def block(part: tuple[Any, Any, Any], book: tuple[Any, ...]) -> Any:
        key, response, price = part
        shape = (response.shape[0], book[0].size)
        start = (jnp.zeros(shape, jnp.uint8), jnp.zeros(shape, jnp.float32), key)
        owed = jnp.arange(1, job.months + 1, dtype=jnp.float32) - MISSED
        (_, loss, _), _ = lax.scan(lambda carry, month: step(carry, month, book), start, (response.T, price.T, owed))
        return loss.sum(axis=1)

    def paths(keys: Any, response: Any, price: Any, *book: Any) -> Any:
        return lax.map(lambda part: block(part, book), (keys, response, price))

    return paths


def _step_function(jax: Any, job: Job) -> Any:
    """One month of a block of paths: states uint8[path, loan], losses so far float32[path, loan], key."""
    jnp, random, law = jax.numpy, jax.random, job.law

    def by_state(state: Any, first: Any, others: tuple[float, ...], beyond: float) -> Any:
        found = jnp.float32(beyond)
        for place in reversed(range(len(others))):
            found = jnp.where(state == place + 1, jnp.float32(others[place]), found)
        return jnp.where(state == 0, first, found)

    def step(carry: tuple[Any, Any, Any], month: tuple[Any, Any, Any], book: tuple[Any, ...]) -> Any:
        (state, loss, key), (odds, balance, instalment, proceeds) = carry, book
        response, price, missed = month[0][:, None], month[1][:, None], month[2]
        key, own = random.split(key)
        draw = random.uniform(own, state.shape, jnp.float32)
        worse = draw < by_state(state, 1 - jnp.exp(-odds * response), law.roll, 0.0)
        better = draw >= by_state(state, jnp.float32(1 - law.prepay), tuple(1 - cure for cure in law.cure), 2.0)
        lost = jnp.maximum(balance - missed * instalment - price * proceeds, 0)
        loss = loss + jnp.where(worse & (state == len(law.roll)), lost, 0)
        out = jnp.where(state == 0, len(law.roll) + 2, 0)
        state = jnp.where(worse, state + 1, jnp.where(better, out, state)).astype(jnp.uint8)
        return (state, loss, key), None

    return step
