"""Commands as processes of their own whose memory is measured, with compiled kernels on disk."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from command_line import COMMAND, SMALL_STUDY, environment, study_file

MEMORY_BAND = 0.20
"""By which a plan may miss the memory of its run."""

SECONDS = 900.0
"""After which a process is given up."""

MEASURED = """\
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(most * (1 if sys.platform == "darwin" else 1024), file=sys.stderr)
sys.exit(code)
"""


def kernels_on_disk(folder: Path) -> Mapping[str, str]:
    """Environment in which kernels lie compiled in a folder, as they do for all runs but the first."""
    variables = environment(CARSTRESS_KERNEL_CACHE="1", XDG_CACHE_HOME=str(folder))
    study_file(folder, SMALL_STUDY.replace("paths: 100", "paths: 4"))
    command = [*COMMAND, "run", "study.yaml", "--threads", "2", "--out", "first", "-q"]
    subprocess.run(command, cwd=folder, env=variables, check=True, timeout=SECONDS)
    return variables


def measured(words: Sequence[str], folder: Path, variables: Mapping[str, str]) -> tuple[str, int]:
    """What `carstress WORDS` prints, and the most memory that its process held, bytes."""
    command = [sys.executable, "-c", MEASURED, *COMMAND, *words]
    answer = subprocess.run(
        command, cwd=folder, env=dict(variables), capture_output=True, text=True, timeout=SECONDS, check=True
    )
    return answer.stdout, int(answer.stderr.splitlines()[-1])
