"""Text files: from a path, or from a shelf of shipped ones by name; one way to look up, one style of refusal."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from scenarios.errors import Fault, InputError
from scenarios.explain import nearest
from scenarios.yaml_text import MAX_CHARACTERS

MAX_BYTES: Final = 4 * MAX_CHARACTERS
"""A character takes at most four bytes of UTF-8."""

SUFFIXES: Final = (".yaml", ".yml")


def is_path(reference: str) -> bool:
    """Whether a reference is a path; else it is the name of something shipped."""
    return reference.endswith(SUFFIXES) or "/" in reference or "\\" in reference


@dataclass(frozen=True, slots=True)
class FoundText:
    """What a name or a path leads to.

    Attributes
    ----------
    text : str
        The file's content.
    name : str
        The file's name as errors show it.
    folder : Path or None
        Where the file's own relative paths start; None: it is shipped.
    """

    text: str
    name: str
    folder: Path | None

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, where it is the user's own."""
        return () if self.folder is None else (Path(self.name),)

    @property
    def identity(self) -> str:
        """The same for every way to name the file."""
        return self.name if self.folder is None else str(Path(self.name).resolve())


@dataclass(frozen=True, slots=True)
class Shelf:
    """Shipped files of one kind.

    Attributes
    ----------
    what : str
        What stands there, as ``parameter set``.
    package, place : str
        Package and folder in it.
    also : tuple of str
        Names that need no file.
    hint : str
        Where else one may come from, a sentence.
    """

    what: str
    package: str
    place: str
    also: tuple[str, ...] = ()
    hint: str = ""

    def files(self) -> dict[str, Traversable]:
        """Files by name, sorted."""
        root = resources.files(self.package).joinpath(self.place)
        found = {entry.name.removesuffix(".yaml"): entry for entry in root.iterdir() if entry.name.endswith(".yaml")}
        return dict(sorted(found.items()))

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that may be used, sorted but for those without a file."""
        return (*self.also, *self.files())

    def text(self, name: str) -> str:
        """Text of a shipped file, comments included."""
        return decoded(self.files()[name].read_bytes(), f"{self.place}/{name}.yaml")

    def find(self, reference: str | Path, folder: Path | None, where: str) -> FoundText:
        """What a reference leads to.

        Parameters
        ----------
        reference : str or Path
            A shipped name, or a path that starts from `folder`; a `Path` is one even where it is a bare name.
        folder : Path or None
            Where relative paths start; None: the working directory.
        where : str
            Who refers, for the error.

        Raises
        ------
        InputError
            There is no such file or name; with the nearest ones.
        """
        if isinstance(reference, Path) or is_path(reference):
            path = (folder or Path()) / reference
            if is_missing(path):
                raise InputError(self._missing(path, folder, where))
            return FoundText(read_text(path), str(path), path.parent)
        if reference not in self.files():
            raise InputError(self._unknown(reference, folder, where))
        return FoundText(self.text(reference), f"{self.place}/{reference}.yaml", None)

    def _missing(self, path: Path, folder: Path | None, where: str) -> Fault:
        shipped = f"Shipped ones need no path: {', '.join(self.names)}."
        start = f"{shipped} {self.hint}".strip() if folder is None else "Relative paths start from this file's folder."
        near = _near_file(path.stem, path.parent)
        expected = f"the path of a {self.what}"
        return Fault(where, f"the file {path} does not exist", expected, f"{near} {start}".strip())

    def _unknown(self, reference: str, folder: Path | None, where: str) -> Fault:
        near = nearest(reference, self.names) or _near_file(reference, folder or Path()) or self.hint
        expected = f"one of {', '.join(self.names)}, or a path ending in .yaml"
        return Fault(where, f"unknown {self.what} `{reference}`", expected, near)


def _near_file(stem: str, folder: Path) -> str:
    """The YAML file of a folder whose name is nearest, as a question; nothing where none is near."""
    try:
        names = {path.stem: path.name for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES}
    except OSError:
        return ""
    close = difflib.get_close_matches(stem, names, n=1, cutoff=0.6)
    return f"Did you mean `{folder / names[close[0]]}`?" if close else ""


def is_missing(path: Path) -> bool:
    """Whether there is surely nothing of that name; where we may not look, opening it says why."""
    try:
        return not path.exists()
    except OSError:
        return False


def read_text(path: Path) -> str:
    """Text of a UTF-8 file, a byte order mark removed.

    Raises
    ------
    InputError
        The file is missing, no regular file, unreadable, too large or binary.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError(Fault(str(path), "a folder or a device", "a file", "Name the file itself."))
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        remedy = "Check the path; relative paths start from the folder of the file that names them."
        reason = (error.strerror or "cannot be read").lower()
        raise InputError(Fault(str(path), f"the file cannot be opened ({reason})", "a readable file", remedy)) from None
    return decoded(content, str(path))


def decoded(content: bytes, name: str) -> str:
    """UTF-8 text of a file's content; a fault names the first byte that is none."""
    if len(content) > MAX_BYTES:
        found, remedy = f"more than {MAX_BYTES} bytes", "Split the file, or keep long tables as CSV."
        raise InputError(Fault(f"{name}:1:1", found, f"at most {MAX_CHARACTERS} characters", remedy))
    place = content.find(b"\0")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = error.start if place < 0 else min(place, error.start)
        text = ""
    if place >= 0:
        line = content.count(b"\n", 0, place) + 1
        column = place - content.rfind(b"\n", 0, place)
        found = f"binary data (byte 0x{content[place]:02X})"
        remedy = "If it is text, save it as UTF-8; else check that it is the right file."
        raise InputError(Fault(f"{name}:{line}:{column}", found, "UTF-8 text", remedy))
    return text
