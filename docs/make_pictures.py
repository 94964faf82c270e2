"""Draw the README's picture anew: the default study, whole, and its loss distribution."""

from __future__ import annotations

import sys
from pathlib import Path

from calibration import find_parameter_set
from outputs.figures import draw_pictures
from outputs.manifest import run_facts
from scenarios import find_study
from simulator import load_inputs, run_study
from simulator.study import inputs_to_store

PICTURE = "loss_distribution"


def main() -> None:
    """Run the default study and write its picture beside this file."""
    inputs = load_inputs(find_study("default"), find_parameter_set)
    results = run_study(inputs)
    facts = run_facts(results, inputs_to_store(inputs))
    pictures = {picture.name: picture for picture in draw_pictures(results, facts.run_id)}
    target = Path(__file__).parent / "pictures" / f"{PICTURE}.png"
    target.write_bytes(pictures[PICTURE].png)
    sys.stderr.write(f"wrote {target}\n")


if __name__ == "__main__":
    main()
