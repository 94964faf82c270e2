"""What this machine gives a run: memory, disk and cores, by the standard library alone.

On Linux from /proc and from the control groups that a container lives in; on macOS the physical memory; elsewhere
nothing is known, and whoever asks has to say so.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
CGROUPS: Final = Path("/sys/fs/cgroup")

UNLIMITED: Final = 1 << 60
"""Version 1 of control groups states no limit as a number near 2^63."""

KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Room:
    """Memory that may still be taken.

    Attributes
    ----------
    nbytes : int
    basis : str
        What says so, for a sentence.
    whole : bool
        It is all that the process may ever hold, not what is left beside what it holds.
    """

    nbytes: int
    basis: str
    whole: bool = False


def free_memory(proc: Path = PROC, cgroups: Path = CGROUPS) -> Room | None:
    """Memory that this process may still take; None where the system does not tell.

    The least of what the kernel calls available and what the limits of the process's control groups leave: there,
    memory that only caches files counts as free, since the kernel gives it back.
    """
    rooms = [*_available(proc), *_left_by_groups(proc, cgroups)]
    if rooms:
        return min(rooms, key=lambda room: room.nbytes)
    physical = _physical_memory()
    return None if physical is None else Room(physical, "the physical memory of this machine", whole=True)


def resident_memory(proc: Path = PROC) -> int | None:
    """Physical memory that this process holds now, bytes; None where the system does not tell.

    macOS tells only the most that it ever held, which is taken for it.
    """
    try:
        pages = int((proc / "self" / "statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return peak_memory()
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_memory(proc: Path = PROC) -> int | None:
    """The most physical memory that this process has held so far, bytes; None where the system does not tell.

    On Linux /proc says so: what `getrusage` tells there is at least what the process held that started this one.
    """
    marks = _memory_lines(proc / "self" / "status", "VmHWM:")
    if marks:
        return marks[0]
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * KIB


def free_disk(folder: Path) -> int | None:
    """Bytes that may still be written where a folder stands or would stand; None where the system does not tell."""
    existing = next((place for place in (folder.absolute(), *folder.absolute().parents) if place.exists()), None)
    if existing is None:
        return None
    try:
        return shutil.disk_usage(existing).free
    except OSError:
        return None


def _available(proc: Path) -> Iterator[Room]:
    for nbytes in _memory_lines(proc / "meminfo", "MemAvailable:"):
        yield Room(nbytes, "what is available on this machine")


def _memory_lines(file: Path, label: str) -> list[int]:
    """Bytes of the lines of a file of /proc that begin with a label; none where the system has no such file."""
    try:
        lines = file.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [int(line.split()[1]) * KIB for line in lines if line.startswith(label)]


def _left_by_groups(proc: Path, cgroups: Path) -> Iterator[Room]:
    """What the limit of each control group above this process leaves."""
    for folder, limit_name, usage_name in _groups(proc, cgroups):
        limit, usage = _number(folder / limit_name), _number(folder / usage_name)
        if limit is not None and usage is not None and limit < UNLIMITED:
            left = limit - usage + _cached(folder / "memory.stat")
            yield Room(max(min(left, limit), 0), f"what the memory limit of this container ({_short(limit)}) leaves")


def _groups(proc: Path, cgroups: Path) -> Iterator[tuple[Path, str, str]]:
    """Folders of the memory controller, from the process's own group to the root, and the names of two files."""
    try:
        lines = (proc / "self" / "cgroup").read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if controllers == "":
            root, files = cgroups, ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            root, files = cgroups / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        # Inside a container the path may be the host's: what cannot be found there is looked for nearer to the root.
        own = root / name.lstrip("/")
        for folder in dict.fromkeys([own, *own.parents, root]):
            if folder == root or root in folder.parents:
                yield folder, *files


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii").strip())
    except (OSError, ValueError):  # none there; "max"
        return None


def _cached(path: Path) -> int:
    """File cache that the kernel gives back when memory is short."""
    try:
        lines = path.read_text("ascii").splitlines()
    except OSError:
        return 0
    rows = dict(line.split() for line in lines if len(line.split()) == 2)
    return int(rows.get("total_inactive_file", rows.get("inactive_file", "0")))


def _physical_memory() -> int | None:
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names or "SC_PAGE_SIZE" not in names:
        return None
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return pages * size if pages > 0 and size > 0 else None


def _short(nbytes: int) -> str:
    return f"{nbytes / 2**30:.1f} GiB"
