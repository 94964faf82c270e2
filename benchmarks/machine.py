"""The machine that a benchmark ran on: cores, processor, versions, and a yardstick of their speed."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

LIBRARIES = ("numpy", "numba", "llvmlite", "jax", "jaxlib", "carstress")

YARDSTICK_ITEMS = 100_000
YARDSTICK_SECONDS = 0.2

REFERENCE_NANOSECONDS = 1.75
"""What a draw and its exponential take one core of the machine on which the peers were written: two cores of an AMD
EPYC of family 26 in a virtual machine, nothing else running, NumPy 2.4.6."""


def keep_to_cores(cores: int) -> int:
    """Keep this process to so many cores, where the system can, and return how many it has then.

    To be called before numba or JAX count them.
    """
    affinity = getattr(os, "sched_setaffinity", None)
    if affinity is None:
        return min(cores, os.cpu_count() or 1)
    own = sorted(os.sched_getaffinity(0))[:cores]
    affinity(0, own)
    return len(own)


def speed_of_cores(cores: int) -> float:
    """Speed of so many cores together over that of as many of the reference machine's, at most 1.

    Each draws uniforms and takes their exponentials in NumPy for `YARDSTICK_SECONDS`, all at the same time: a slower
    machine shows, and so does one whose cores others are using.  A faster one raises no demand.
    """
    with ThreadPoolExecutor(cores) as pool:
        shares = [pool.submit(_items_a_second, seed) for seed in range(cores)]
        together = sum(share.result() for share in shares)
    return min(together * REFERENCE_NANOSECONDS * 1e-9 / cores, 1.0)


def _items_a_second(seed: int) -> float:
    random = np.random.Generator(np.random.SFC64(seed))
    draw = np.empty(YARDSTICK_ITEMS, np.float32)
    start, rounds = time.perf_counter(), 0
    while time.perf_counter() - start < YARDSTICK_SECONDS:
        random.random(out=draw, dtype=np.float32)
        np.exp(draw, out=draw)
        rounds += 1
    return rounds * YARDSTICK_ITEMS / (time.perf_counter() - start)


def describe(cores: int) -> dict[str, Any]:
    """What a reader needs to judge a timing."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "system": platform.system(),
        "cores_used": cores,
        "cores_present": os.cpu_count() or 1,
        "load_average": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor() -> str:
    """Model, and family where the model does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    model = named.get("model name", platform.machine())
    return f"{model}, family {named['cpu family']}, model {named['model']}" if "cpu family" in named else model
