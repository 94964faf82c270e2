"""The engine, configured to the simple job through its own doors: parameter set, tape, scenario."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.job import Market, parameters, simple_macro, simple_tape
from simulator.engine import RunSize, advance, prepare, simulate
from simulator.servicing import Servicing
from simulator.tape import LoanTape

Floats = NDArray[np.float64]


class Engine:
    """The engine on one book.

    What is timed is what grows with paths: draws, kernels, the checks of every identity, sums for the Dataset.
    Arranging the book is not, as the peers' arrays are not; nor are labels.
    """

    def __init__(self, tape: LoanTape, months: int, seed: int, cores: int) -> None:
        self.tape, self.months, self.seed = tape, months, seed
        self.macro = simple_macro(months)
        self.size = RunSize(threads=cores)
        self.prepared = prepare(tape, self.macro, parameters(), Servicing(), months=months, seed=seed)

    def market(self, paths: int) -> Market:
        """Factor and index of the first paths, as the engine's Dataset shows them."""
        # A book of one loan: factor and index know nothing of the loans.
        one = simple_tape(1, self.months)
        results = simulate(one, self.macro, parameters(), paths=paths, months=self.months, seed=self.seed)
        index = results["used_car_index"].sel(segment="car").to_numpy()[0, 0, 0]
        return Market(range(paths), results["global_factor"].to_numpy(), index)

    def losses(self, market: Market, seed: int) -> Floats:
        """float64[path] loss of the horizon's months, currency; `seed` is not used, paths have their own draws."""
        totals = advance(self.prepared, market.paths, self.size)
        return np.asarray(totals.by_path["ultimate_loss"].sum(axis=1), dtype=np.float64)
