#!/usr/bin/env python3
"""Print the lower bounds of pyproject.toml as pins: `pip install -c` them to run the tests at the bounds."""

import re
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).resolve().parent.parent / "pyproject.toml").read_text("utf-8"))["project"]

for requirement in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]:
    bound = re.match(r"(?P<name>[\w.-]+)>=(?P<version>[\w.]+)", requirement)
    if bound is None:
        raise SystemExit(f"pyproject.toml: {requirement!r} has no lower bound; expected NAME>=VERSION")
    print(f"{bound['name']}=={bound['version']}")
