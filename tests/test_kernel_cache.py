"""The folder of compiled kernels: one a version, only the newest kept."""

import os
from pathlib import Path

import pytest

from simulator.kernels import compile as kernel_compile


def test_a_changed_kernel_has_another_folder_and_only_the_newest_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(kernel_compile.CACHE_SWITCH, "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shelf = tmp_path / "carstress"
    for age in range(8):
        folder = shelf / f"kernels-{age:016x}"
        folder.mkdir(parents=True)
        (folder / "code.nbi").write_text("machine code")
        os.utime(folder, (1_000_000 - age, 1_000_000 - age))
    own = kernel_compile._cache_folder()
    assert own == shelf / f"kernels-{kernel_compile.kernel_digest()}"
    kept = sorted(folder.name for folder in shelf.iterdir())
    assert kept == sorted([own.name, *(f"kernels-{age:016x}" for age in range(kernel_compile.KEPT_FOLDERS - 1))])


def test_without_a_folder_to_write_to_nothing_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = tmp_path / "file"
    taken.write_text("not a folder")
    monkeypatch.setenv(kernel_compile.CACHE_SWITCH, "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(taken))
    assert kernel_compile._cache_folder() is None


def test_functions_that_only_kernels_call_have_no_entry_from_python() -> None:
    def add(first: float, second: float) -> float:
        return first + second

    outer, inner = kernel_compile.compiled()(add), kernel_compile.compiled(inner=True)(add)
    assert outer.targetoptions["no_cpython_wrapper"] is False
    assert inner.targetoptions["no_cpython_wrapper"] is True
    assert outer(1.0, 2.0) == 3.0
