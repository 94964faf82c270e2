"""The finer walls of the house, read from the sources; import-linter holds the coarse ones."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("scenarios", "simulator", "calibration", "outputs")
SOURCES = sorted([path for room in ROOMS for path in (ROOT / room).rglob("*.py")] + [*ROOT.glob("cli.py")])
KERNELS = sorted((ROOT / "simulator" / "kernels").glob("*.py"))
TO_LLVM = {"by_address.py", "prefetch.py"}
"""Tell the compiler how a bundle is handed to kernels, and what to prefetch: no kernels themselves."""
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))
PEERS = {"jax", "jaxlib"}
NAMES = [path.relative_to(ROOT).as_posix() for path in SOURCES]

FILE_LINES = 400
BODY_LINES = 40


def imports(path: Path) -> set[str]:
    """Return the dotted names of all modules that a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno} imports relatively; write the full name"
            found.add(node.module or "")
    return found


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function's body, its docstring left out."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.name)
def test_kernels_import_numpy_numba_and_the_vocabulary_only(path: Path) -> None:
    for module in imports(path):
        top = module.split(".")[0]
        allowed = (
            top in {"numpy", "numba"}
            or (top == "llvmlite" and path.name in TO_LLVM)
            or top in sys.stdlib_module_names
            or module == "scenarios.vocabulary"
            or module.startswith("simulator.kernels")
        )
        assert allowed, f"{path.name} imports {module}; pass what it needs as an array"


def test_vocabulary_imports_the_standard_library_only() -> None:
    modules = imports(ROOT / "scenarios" / "vocabulary.py")
    assert {module.split(".")[0] for module in modules} <= sys.stdlib_module_names


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_special_libraries_stay_in_their_room(path: Path) -> None:
    tops = {module.split(".")[0] for module in imports(path)}
    name = path.relative_to(ROOT).as_posix()
    if not name.startswith("outputs/"):
        assert not tops & {"matplotlib", "jinja2"}, f"{name}: only outputs draws and writes documents"
    if name != "outputs/store.py":
        assert not tops & {"h5netcdf", "h5py"}, f"{name}: only outputs/store.py knows NetCDF"
    assert not tops & {"cli", "benchmarks"}, f"{name}: nobody imports cli or a benchmark"
    assert not tops & PEERS, f"{name}: only benchmarks know the peers"


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.name)
def test_benchmarks_use_the_rooms_and_only_one_knows_jax(path: Path) -> None:
    tops = {module.split(".")[0] for module in imports(path)}
    assert not tops & {"tests", "cli"}, f"{path.name}: a benchmark measures the rooms"
    assert path.name == "jax_peer.py" or not tops & PEERS, f"{path.name}: only jax_peer.py knows JAX"


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_result_files_are_opened_in_one_place(path: Path) -> None:
    doors = {"to_netcdf", "to_zarr", "open_dataset", "open_datatree", "load_dataset", "open_mfdataset"}
    used = {node.attr for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Attribute)}
    name = path.relative_to(ROOT).as_posix()
    assert name == "outputs/store.py" or not used & doors, f"{name}: only outputs/store.py knows result files"


def test_command_imports_heavy_libraries_inside_its_commands() -> None:
    tree = ast.parse((ROOT / "cli.py").read_text("utf-8"))
    top_level = {
        name.split(".")[0]
        for node in tree.body
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not top_level & {"numpy", "numba", "xarray", "scipy", "matplotlib", "pandas", "duckdb", "h5netcdf"}


@pytest.mark.parametrize("path", [path for path in KERNELS if path.name not in TO_LLVM], ids=lambda path: path.name)
def test_kernels_never_raise_and_draw_from_no_global_generator(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        assert not isinstance(node, ast.Raise | ast.Assert), f"{path.name}:{node.lineno}: check at the door"
        is_random = isinstance(node, ast.Attribute) and node.attr == "random"
        assert not is_random, f"{path.name}: draws are functions of their address, not of a generator"


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_no_relaxed_floating_point(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "fastmath":
            off = isinstance(node.value, ast.Constant) and node.value.value is False
            assert off, f"{path.name}:{node.value.lineno}: fastmath turns isnan into False and changes bits"


@pytest.mark.parametrize("path", [*SOURCES, *BENCHMARKS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_and_functions_keep_a_readable_size(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= FILE_LINES, f"{path.name} has {lines} lines; give its parts a name"
    for function in functions(path):
        count = body_lines(function)
        assert count <= BODY_LINES, f"{path.name}:{function.lineno} {function.name}: {count} lines; name its parts"
