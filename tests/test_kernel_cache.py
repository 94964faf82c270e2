"""The folder of compiled kernels: one a version, only the newest kept."""

import gc
import os
from pathlib import Path

import numba
import pytest
from numba.core import event

from simulator.kernels import compile as kernel_compile
from simulator.kernels.parts import COLLECTION

jitted = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")


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


@jitted
def test_functions_that_only_kernels_call_have_no_entry_from_python() -> None:
    def add(first: float, second: float) -> float:
        return first + second

    outer, inner = kernel_compile.compiled()(add), kernel_compile.compiled(inner=True)(add)
    assert "no_cpython_wrapper" not in outer.targetoptions
    assert inner.targetoptions["no_cpython_wrapper"] is True
    assert outer(1.0, 2.0) == 3.0


@jitted
def test_a_function_that_only_kernels_call_is_compiled_as_a_part_of_them() -> None:
    @kernel_compile.compiled(inner=True)
    def twice(number: float) -> float:
        return 2.0 * number

    @kernel_compile.compiled()
    def outer(number: float) -> float:
        return float(twice(twice(number)) + 1.0)

    assert outer(3.0) == 13.0
    (part,) = twice.overloads.values()
    (whole,) = outer.overloads.values()
    engine = whole.library.codegen._engine
    assert engine.is_symbol_defined(whole.fndesc.llvm_func_name)
    assert part.library._final_module not in engine._ee._modules
    assert whole.library._final_module in engine._ee._modules


@jitted
def test_a_function_is_compiled_apart_only_when_python_calls_it() -> None:
    @kernel_compile.compiled()
    def twice(number: float) -> float:
        return 2.0 * number

    @kernel_compile.compiled()
    def outer(number: float) -> float:
        return float(twice(number) + 1.0)

    assert outer(3.0) == 7.0
    assert not twice.overloads
    assert twice(3.0) == 6.0
    assert len(twice.overloads) == 1


class Watch(event.Listener):  # type: ignore[misc]
    """What the collector's thresholds are while something is compiled."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int, int]] = []

    def on_start(self, event: object) -> None:
        self.seen.append(gc.get_threshold())

    def on_end(self, event: object) -> None:
        pass


@jitted
@pytest.mark.parametrize("sound", [True, False])
def test_garbage_is_collected_as_before_once_a_function_is_compiled(sound: bool) -> None:
    @kernel_compile.compiled()
    def last(items: tuple[float, ...]) -> float:
        return items[len(items) - 1] if sound else items.nothing  # type: ignore[attr-defined, no-any-return]

    before, watch = gc.get_threshold(), Watch()
    with event.install_listener("numba:compile", watch):
        if sound:
            assert last((1.0, 2.0)) == 2.0
        else:
            with pytest.raises(numba.core.errors.TypingError):
                last((1.0, 2.0))
    assert watch.seen == [COLLECTION]
    assert gc.get_threshold() == before
