"""What a user installs: the wheel's content, the command's lightness, the pins, and what the tests test."""

from __future__ import annotations

import ast
import contextlib
import email
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("simulator", "scenarios", "calibration", "outputs")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = [Requirement(text) for group in (PROJECT["dependencies"], *EXTRAS.values()) for text in group]


def package_files() -> set[str]:
    """Return every file of the four packages and the command that git does not ignore, relative to the root."""
    files = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return files | {"cli.py"}


def tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files are tracked is not known")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Return the wheel that the build backend makes of this checkout."""
    from hatchling.build import build_wheel

    folder = tmp_path_factory.mktemp("wheel")
    with contextlib.chdir(ROOT):
        name = build_wheel(str(folder))
    return zipfile.ZipFile(folder / name)


def test_wheel_holds_the_four_rooms_and_the_command_at_its_top_level(wheel: zipfile.ZipFile) -> None:
    top = {name.split("/")[0] for name in wheel.namelist()}
    assert top == {*PACKAGES, "cli.py", f"carstress-{PROJECT['version']}.dist-info"}


def test_wheel_holds_every_file_of_the_rooms(wheel: zipfile.ZipFile) -> None:
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert inside == package_files()


@pytest.mark.parametrize(
    "pattern",
    ["scenarios/library/*", "scenarios/library/strategies/*", "scenarios/library/rules/*", "calibration/library/*"],
)
def test_wheel_holds_the_library(wheel: zipfile.ZipFile, pattern: str) -> None:
    shipped = [name for name in wheel.namelist() if Path(name).suffix == ".yaml" and name.startswith(pattern[:-1])]
    assert shipped, f"no YAML of {pattern} in the wheel"


def test_wheel_holds_templates_and_type_markers(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert any(name.startswith("outputs/templates/") for name in names)
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)


def test_wheel_metadata(wheel: zipfile.ZipFile) -> None:
    info = f"carstress-{PROJECT['version']}.dist-info"
    metadata = email.message_from_bytes(wheel.read(f"{info}/METADATA"))
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "carstress = cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert b"END OF TERMS AND CONDITIONS" in wheel.read(f"{info}/licenses/LICENSE")


def command_environment() -> dict[str, str]:
    """Return an environment in which a child process imports the same `cli` as this one."""
    found = importlib.util.find_spec("cli")
    assert found is not None
    assert found.origin is not None
    return {**os.environ, "PYTHONPATH": str(Path(found.origin).parent)}


def test_help_imports_nothing_heavy() -> None:
    heavy = ("numba", "xarray", "scipy", "matplotlib", "pandas")
    script = (
        "import sys; sys.argv = ['carstress', '--help']\n"
        "from cli import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        f"print('heavy:', *[name for name in {heavy!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=command_environment()
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: carstress" in done.stdout
    assert done.stderr.strip() == "heavy:"


def pins() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_every_requirement_is_pinned_within_its_bounds(python: str) -> None:
    applying = [pin for pin in pins() if pin.marker is None or pin.marker.evaluate({"python_version": python})]
    versions = {pin.name.lower(): str(pin.specifier).removeprefix("==") for pin in applying}
    assert len(versions) == len(applying), "a package is pinned twice"
    for requirement in REQUIREMENTS:
        version = versions.get(requirement.name.lower())
        assert version is not None, f"{requirement.name} is not in constraints.txt; run .ci/pin.py"
        assert requirement.specifier.contains(version), f"{requirement} does not admit the pinned {version}"


def test_constraints_hold_pins_only() -> None:
    for pin in pins():
        assert re.fullmatch(r"==[\w.]+", str(pin.specifier)), f"{pin} is no exact pin"


def test_each_dependency_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    for requirement in (text_ for group in (PROJECT["dependencies"], *EXTRAS.values()) for text_ in group):
        line = next(line for line in text.splitlines() if f'"{requirement}"' in line)
        assert re.search(r'"\]?,? # \S+', line), f"no reason beside {requirement}"


def imported_libraries(path: Path) -> set[str]:
    """Return the top-level names of other people's libraries that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names - sys.stdlib_module_names - set(PACKAGES) - {"cli"}


def test_what_the_rooms_import_is_declared() -> None:
    declared = {Requirement(text).name.split(".")[0].replace("-", "_") for text in PROJECT["dependencies"]}
    for name in sorted(package_files()):
        if name.endswith(".py"):
            missing = imported_libraries(ROOT / name) - declared
            assert not missing, f"{name} imports {missing}; declare it in pyproject.toml with a reason"


def test_changelog_starts_with_this_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)
    assert headings[0] == PROJECT["version"]


# Spelled in two halves, so that this file passes its own test.
PACKAGE_INDEX = ("py" + "pi.org", "python" + "hosted", "--index" + "-url", "/sim" + "ple/", "find" + "-links")
MACHINE_PATH = re.compile(r"(?<![\w.~])/" + r"(?:root|home|work|opt|Users)/\w")


def test_tracked_files_name_no_package_index_and_no_machine_path() -> None:
    for path in tracked_files():
        text = path.read_bytes().decode("utf-8", errors="ignore")
        where = path.relative_to(ROOT)
        for word in PACKAGE_INDEX:
            assert word not in text, f"{where} names a package index: {word}"
        found = MACHINE_PATH.search(text)
        assert found is None, f"{where} names a path of one machine: {found and found.group()}"


def test_readme_has_the_two_set_up_lines_that_the_checks_run() -> None:
    lines = re.findall(r"^python3 -m venv \.venv && .*$", (ROOT / "README.md").read_text("utf-8"), flags=re.MULTILINE)
    assert len(lines) == 2, lines
    assert lines[0].endswith("carstress run")
    assert '".[test]"' in lines[1]
    assert lines[1].endswith(".venv/bin/pytest")
    checks = (ROOT / ".ci" / "run").read_text("utf-8")
    for word in ("carstress run", "pytest"):
        assert f'readme "{word}"' in checks, f".ci/run does not run the README's line with '{word}'"


def test_the_code_under_test_is_this_checkout() -> None:
    """`pytest` imports what is installed; a stale install would pass or fail for old reasons."""
    for name in sorted(package_files()):
        room = name.split("/")[0].removesuffix(".py")
        found = importlib.util.find_spec(room)
        assert found is not None, f"{room} cannot be imported; run: pip install -c constraints.txt '.[test]'"
        assert found.origin is not None
        base = Path(found.origin).parent if room == "cli" else Path(found.origin).parent.parent
        if base == ROOT:
            continue
        installed = base / name
        same = installed.is_file() and installed.read_bytes() == (ROOT / name).read_bytes()
        assert same, f"installed {name} differs from the checkout; run: pip install -c constraints.txt '.[test]'"
