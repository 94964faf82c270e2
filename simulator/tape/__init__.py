"""Loan files to a typed, reconciled tape; synthetic tapes; tapes to files and descriptions."""

from simulator.tape.describe import describe_tape, format_description
from simulator.tape.mapping import TapeMapping, load_layout, mapping_names
from simulator.tape.profile import TapeMarket, TapeProfile, load_market, load_profile, profile_names
from simulator.tape.read import read_tape
from simulator.tape.rejects import load_summary, reject_reasons
from simulator.tape.report import CellFault, LoadReport, RejectedRow
from simulator.tape.synthetic import synthetic_tape
from simulator.tape.tape import LoanTape, make_tape, part_of, tape_from_arrays, tape_to_arrays
from simulator.tape.write import write_tape

__all__ = [
    "CellFault",
    "LoadReport",
    "LoanTape",
    "RejectedRow",
    "TapeMapping",
    "TapeMarket",
    "TapeProfile",
    "describe_tape",
    "format_description",
    "load_layout",
    "load_market",
    "load_profile",
    "load_summary",
    "make_tape",
    "mapping_names",
    "part_of",
    "profile_names",
    "read_tape",
    "reject_reasons",
    "synthetic_tape",
    "tape_from_arrays",
    "tape_to_arrays",
    "write_tape",
]
