"""The catalog: data sets by name, in the folder ``datasets`` of a project."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aptbench.data.dataset import Dataset, read_root_attributes
from aptbench.errors import InputError, StoreError, UnknownNameError

ROOT_VARIABLE = "APTBENCH_ROOT"
"""Environment variable that names the project root."""


@dataclass(frozen=True)
class CatalogEntry:
    """A data set of the catalog, here or still to be pulled.

    Parameters
    ----------
    name : str
    path : Path
        Where its store is, or will be.
    card : Path or None
        Its ``card.md``, if it has one.
    available : bool
        Whether the store is here.
    attrs : dict
        Attributes of the store; empty where it is not here.
    """

    name: str
    path: Path
    card: Path | None
    available: bool
    attrs: dict[str, Any]

    @property
    def pull_command(self) -> str:
        """The command that fetches the store."""
        return f"dvc pull datasets/{self.name}/{self.name}.zarr"


def root() -> Path:
    """Return the project root.

    It is the environment variable ``APTBENCH_ROOT``, else the nearest folder with a folder
    ``datasets`` in it, from the working directory upwards.

    Raises
    ------
    InputError
        If there is none.
    """
    named = os.environ.get(ROOT_VARIABLE)
    if named:
        path = Path(named).expanduser().resolve()
        if not (path / "datasets").is_dir():
            raise InputError(
                f"The variable {ROOT_VARIABLE} does not name a project.",
                got=f"{path} has no folder 'datasets'",
                expected="a clone of the repository, or a folder with 'datasets' in it",
            )
        return path
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "datasets").is_dir():
            return folder
    raise InputError(
        "There is no project here.",
        got=f"no folder 'datasets' in {here} or above it",
        do=f"change into a clone of the repository, or set {ROOT_VARIABLE} to one",
    )


def catalog() -> dict[str, CatalogEntry]:
    """Return the data sets of the project by name, in alphabetical order.

    A folder of ``datasets`` is a data set if it has a card, a store or a pointer to one.
    """
    entries = {}
    for folder in sorted((root() / "datasets").iterdir()):
        store = folder / f"{folder.name}.zarr"
        card = folder / "card.md"
        pointer = store.with_name(store.name + ".dvc")
        if not (card.is_file() or store.is_dir() or pointer.is_file()):
            continue
        attrs: dict[str, Any] = {}
        if store.is_dir():
            try:
                attrs = read_root_attributes(store)
            except StoreError as error:
                # One damaged store must not hide the others: opening it tells the error.
                attrs = {"error": error.what}
        entries[folder.name] = CatalogEntry(
            folder.name, store, card if card.is_file() else None, store.is_dir(), attrs
        )
    return entries


def locate(name_or_path: str | Path) -> Path:
    """Return the path of a store, given by its path or its name in the catalog.

    Raises
    ------
    StoreError
        If the data set is known but its store is not here; the message has the command.
    UnknownNameError
        If there is no such data set.
    """
    path = Path(name_or_path)
    text = str(name_or_path)
    if path.is_dir() and (os.sep in text or "/" in text or path.suffix == ".zarr"):
        return path
    if os.sep in text or "/" in text or path.suffix == ".zarr":
        read_root_attributes(path)  # tells why there is none
    entries = catalog()
    if text not in entries:
        raise UnknownNameError("data set", text, entries)
    entry = entries[text]
    if not entry.available:
        raise StoreError(
            f"The data set {text!r} is not here yet.",
            got=f"no store at {entry.path}",
            do=f"{entry.pull_command} (in {root()})",
        )
    return entry.path


def open_dataset(name_or_path: str | Path) -> Dataset:
    """Open a data set for reading.

    Parameters
    ----------
    name_or_path : str or Path
        A name of the catalog, or the path of a store (it has a ``/`` in it or ends in ``.zarr``).

    Raises
    ------
    StoreError
        If the store is not here (the message has the command that fetches it), truncated or
        damaged.
    UnknownNameError
        If there is no such data set; the message proposes the nearest name.
    """
    return Dataset(locate(name_or_path))
