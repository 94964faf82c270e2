"""Every kind of YAML file that a user may write: its spec, and its check as a run would read it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from scenarios.contact_rules import ContactRules
from scenarios.library import check_strategy
from scenarios.load import load_any
from scenarios.regimes import Regime
from scenarios.schema import KINDS, Study
from scenarios.spec import Spec
from scenarios.strategy import CollectionStrategy
from simulator.parameter_set import ParameterSet
from simulator.parameters import build_parameters
from simulator.study import FindParameterSet, load_inputs
from simulator.tape import TapeMapping, TapeMarket, TapeProfile, load_layout, load_market

ALL_KINDS: Final[dict[str, type[Spec]]] = {
    **KINDS,
    "collection_strategy": CollectionStrategy,
    "contact_rules": ContactRules,
    "regime": Regime,
    "parameter_set": ParameterSet,
    "tape_mapping": TapeMapping,
    "tape_market": TapeMarket,
    "tape_profile": TapeProfile,
}
"""Specs by their `kind`."""


def check_file(file: Path, find_set: FindParameterSet) -> None:
    """Read a file with all that it names, as a run would.

    Parameters
    ----------
    file : Path
        A YAML file of any kind.
    find_set : FindParameterSet
        Finds the parameter sets that a study names.

    Raises
    ------
    InputError
        With every fault of the file and of what it names.
    """
    found = load_any(file, ALL_KINDS)
    if isinstance(found, Study):
        load_inputs(found, find_set)
    elif isinstance(found, CollectionStrategy):
        check_strategy(found)
    elif isinstance(found, ParameterSet):
        build_parameters([found])
    elif isinstance(found, TapeMapping):
        load_layout(file)
    elif isinstance(found, TapeProfile):
        load_market(found.market, found.where("market"))
