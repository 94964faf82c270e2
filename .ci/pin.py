#!/usr/bin/env python3
"""Write constraints.txt anew: `.ci/pin.py python3.11 python3.13`.

Installs `.[test,dev,peers]` without constraints into one fresh environment for each Python named, oldest first, and
writes down what came.  Versions that differ get an environment marker; the last Python's hold for newer ones.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAD = """\
# What the checks of this version ran with: `pip install -c constraints.txt .`
# Written by `.ci/pin.py {pythons}`; do not edit.
"""


def resolve(python: str, folder: Path) -> tuple[str, dict[str, str]]:
    """Return the Python's `major.minor` and what `.[test,dev,peers]` resolves to there, name to version."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    run = [folder / "bin" / "python"]
    subprocess.run([*run, "-m", "pip", "install", "--quiet", f"{ROOT}[test,dev,peers]"], check=True)
    frozen = subprocess.run(
        [*run, "-m", "pip", "freeze", "--exclude", "carstress"], check=True, capture_output=True, text=True
    ).stdout
    version = subprocess.run(
        [*run, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], check=True, capture_output=True, text=True
    ).stdout.strip()
    return version, dict(line.split("==") for line in frozen.split())


def merged(resolved: list[tuple[str, dict[str, str]]]) -> list[str]:
    """Return one line a package, or one a Python where the versions differ."""
    lines = []
    for name in sorted({name for _, found in resolved for name in found}, key=str.lower):
        versions = [found.get(name) for _, found in resolved]
        if len(set(versions)) == 1:
            lines.append(f"{name}=={versions[0]}")
            continue
        for i, version in enumerate(versions):
            low = f'python_version >= "{resolved[i][0]}"' if i else ""
            high = f'python_version < "{resolved[i + 1][0]}"' if i + 1 < len(resolved) else ""
            if version is not None:
                lines.append(f"{name}=={version} ; {' and '.join(filter(None, (low, high)))}")
    return lines


def main(pythons: list[str]) -> None:
    """Resolve for each Python and write the file."""
    if not pythons:
        sys.exit("usage: .ci/pin.py PYTHON...  (oldest first, for example: .ci/pin.py python3.11 python3.13)")
    with tempfile.TemporaryDirectory() as folder:
        resolved = [resolve(python, Path(folder) / str(i)) for i, python in enumerate(pythons)]
    names = " ".join(f"python{version}" for version, _ in resolved)
    (ROOT / "constraints.txt").write_text(HEAD.format(pythons=names) + "\n".join(merged(resolved)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
