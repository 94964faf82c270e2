"""One decorator for every kernel, and the one switch for its cache.

Numba's cache ignores an edit in an imported kernel, so the cache folder's name carries a hash of
all kernel sources: a changed kernel never meets an old machine code.  ``CARSTRESS_KERNEL_CACHE=0``
switches the cache off (the tests do).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

from simulator.kernels.parts import PartCompiler, as_part

CACHE_SWITCH = "CARSTRESS_KERNEL_CACHE"


def kernel_digest() -> str:
    """Hash of the kernels' sources, the interpreter and numba: 16 hexadecimal digits."""
    digest = hashlib.sha256(f"{sys.version}{numba.__version__}".encode())
    here = Path(__file__).parent
    for source in sorted([*here.glob("*.py"), here.parent.parent / "scenarios" / "vocabulary.py"]):
        digest.update(source.name.encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _cache_folder() -> Path | None:
    """Folder of compiled kernels, or None where caching is off or no folder can be written."""
    if os.environ.get(CACHE_SWITCH, "1") == "0":
        return None
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or str(Path.home() / ".cache")
    folder = Path(base) / "carstress" / f"kernels-{kernel_digest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.touch()
        _prune(folder.parent)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


KEPT_FOLDERS = 4
"""Versions of the kernels whose machine code is kept: who goes back and forth between a few need not compile."""


def _prune(shelf: Path) -> None:
    """Remove all but the newest folders of compiled kernels."""
    folders = sorted(shelf.glob("kernels-*"), key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in folders[KEPT_FOLDERS:]:
        shutil.rmtree(folder, ignore_errors=True)


CACHE_FOLDER = _cache_folder()


def cache_is_warm() -> bool:
    """Whether compiled kernels of these very sources lie on disk (so the first run need not compile)."""
    return CACHE_FOLDER is not None and any(CACHE_FOLDER.rglob("*.nbi"))


def compiled(*, inline: bool = False, inner: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile a kernel: strict floating point, no fastmath, no interpreter lock, cached by the hash of all.

    Without the reference-counting runtime a kernel that allocates does not compile (measured: docs/decisions).

    `inline` makes LLVM inline the function where it is called, so that the caller's loop vectorises.
    `inner` is for functions that take bundles and that only kernels call: they get no entry from Python, which would
    unpack a hundred arrays and takes longer to compile than the function.  In any case a kernel that calls a function
    has it as a part of itself, optimised and cached with it (measured: docs/decisions).
    """

    def decorate(function: Callable[..., Any]) -> Any:
        part = _jit(function, inline, pipeline_class=PartCompiler, no_cpython_wrapper=True)
        if inner:
            return as_part(part, part)
        previous = numba.config.CACHE_DIR
        try:
            if CACHE_FOLDER is not None:
                numba.config.CACHE_DIR = str(CACHE_FOLDER)
            return as_part(_jit(function, inline, cache=CACHE_FOLDER is not None), part)
        finally:
            numba.config.CACHE_DIR = previous

    return decorate


def _jit(function: Callable[..., Any], inline: bool, **more: Any) -> Any:
    return numba.njit(
        function,
        nogil=True,
        forceinline=inline,
        no_cfunc_wrapper=True,
        _nrt=False,  # no reference counts: an atomic pair for each array read in a loop; and no allocation
        error_model="numpy",
        fastmath=False,
        **more,
    )
