"""A run's folder, whole or not at all.

Everything is written under a temporary sibling name; each file is flushed to the disk, and only then does the
folder get its final name. So whatever stands under a final name is complete, however the process ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from scenarios.errors import Fault, InputError

MANIFEST: Final = "manifest.json"
RESULTS: Final = "results.nc"
REPORT: Final = "report.html"
FIGURES: Final = "figures"
TABLES: Final = "tables"


def check_destination(folder: Path, *, force: bool | None) -> None:
    """Refuse a folder that a run must not take; cheap, so ask before simulating.

    Parameters
    ----------
    folder : Path
        Final name of the run's folder.
    force : bool or None
        Whether an earlier run may be replaced. Anything else than a run is never replaced: a mistyped
        ``--out`` must not delete a home folder. None: the command has no ``--force`` and replaces nothing.

    Raises
    ------
    InputError
        Where the name is taken, or no folder can be made there.
    """
    try:
        _check_name(folder, force=force)
        _try_out(folder)
    except OSError as error:
        found = f"no folder can be made there ({(error.strerror or str(error)).lower()})"
        raise InputError(Fault(str(folder), found, "a place to write to", "Name another with --out.")) from None


def _check_name(folder: Path, *, force: bool | None) -> None:
    if not folder.exists() and not folder.is_symlink():
        return
    if folder.is_symlink() or not folder.is_dir():
        found, remedy = "is a file or a link", "Choose another name with --out."
        raise InputError(Fault(str(folder), found, "a name that is free for a run's folder", remedy))
    if not force:
        way_out = "remove it." if force is None else "replace it with --force."
        remedy = f"Choose another name with --out, or {way_out}"
        raise InputError(Fault(str(folder), "the folder exists already", "a name that is free", remedy))
    if not is_run(folder) and any(folder.iterdir()):
        found = f"the folder exists, is not empty and holds no run ({MANIFEST} of carstress is missing)"
        remedy = "--force replaces earlier runs only; choose another name with --out."
        raise InputError(Fault(str(folder), found, "a free name or an earlier run", remedy))


def _try_out(folder: Path) -> None:
    """Make a folder where the run's would stand, or where its parents would, and take it away again.

    Trying tells more than permissions do: a full or read-only disk, a file among the parents, a name too long.
    """
    home = next(parent for parent in folder.absolute().parents if parent.exists())
    Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=home)).rmdir()


def is_run(folder: Path) -> bool:
    """Whether a folder holds a manifest that this program wrote."""
    try:
        document = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("program") == "carstress"


@contextlib.contextmanager
def new_folder(folder: Path, *, force: bool | None) -> Iterator[Path]:
    """A temporary folder that takes its final name when the block ends well, and vanishes when it does not.

    Parameters
    ----------
    folder : Path
        Final name; its parents are made.
    force : bool or None
        Replace an earlier run; None as in `check_destination`.

    Yields
    ------
    Path
        Where to write; a sibling of the final name, so on the same disk.
    """
    folder = folder.absolute()
    check_destination(folder, force=force)
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
    try:
        building.chmod(0o777 & ~_umask())
        yield building
        flush_tree(building)
        _take_name(building, folder, force=force)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    flush_folder(folder.parent)


def _umask() -> int:
    """The process's file mask (mkdtemp makes private folders; a run is as readable as any other new folder)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _take_name(building: Path, folder: Path, *, force: bool | None) -> None:
    """Rename; an earlier run steps aside first and is deleted last, so one of both is always whole."""
    _check_name(folder, force=force)
    if not folder.exists():
        building.rename(folder)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.replaced-", dir=folder.parent))
    folder.rename(aside / folder.name)
    try:
        building.rename(folder)
    except OSError:
        (aside / folder.name).rename(folder)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def check_file(path: Path, suffixes: Sequence[str], *, force: bool) -> None:
    """Refuse a name that a file must not take, or where none can be written; cheap, so ask before working.

    Parameters
    ----------
    path : Path
        The file's final name; its folder must exist.
    suffixes : sequence of str
        Endings that it may have.
    force : bool
        Whether an existing file may be replaced.

    Raises
    ------
    InputError
        The name has another ending, is taken, or cannot be written to.
    """
    another = "Name another with --out."
    if path.suffix not in suffixes:
        raise InputError(Fault(str(path), f"ending `{path.suffix}`", " or ".join(suffixes), another))
    try:
        if path.exists() and not path.is_file():
            raise InputError(Fault(str(path), "a folder or a device", "a file's name", another))
        if path.exists() and not force:
            remedy = "Choose another name with --out, or replace it with --force."
            raise InputError(Fault(str(path), "the file exists already", "a name that is free", remedy))
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.partial-", dir=path.parent)
        os.close(handle)
        Path(name).unlink()
    except OSError as error:
        found = f"no file can be written there ({(error.strerror or str(error)).lower()})"
        raise InputError(Fault(str(path), found, "a place to write to", another)) from None


def write_new_files(texts: Mapping[Path, str]) -> None:
    """Write text files under names that are free.

    Raises
    ------
    InputError
        With every name that is taken; or no file can be written there.
    """
    taken = [path for path in texts if path.exists()]
    if taken:
        remedy = "Name another folder."
        raise InputError(Fault(str(path), "the file exists already", "a free name", remedy) for path in taken)
    for path, text in texts.items():
        try:
            write_text(path, text)
        except OSError as error:
            found = f"no file can be written there ({(error.strerror or str(error)).lower()})"
            raise InputError(Fault(str(path), found, "a place to write to", "Name another folder.")) from None


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all: temporary name in the same folder, flush, rename, flush the folder."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def flush_tree(folder: Path) -> None:
    """Flush every file and folder below to the disk."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            flush_folder(path)
            continue
        with path.open("rb") as file:
            os.fsync(file.fileno())
    flush_folder(folder)


def flush_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, where the system can (Windows cannot open a folder)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
