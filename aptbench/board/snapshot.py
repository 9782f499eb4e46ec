"""`Snapshot`: all rows of the leaderboard at a date, frozen so that they can be cited."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from aptbench.atomic import write_atomically
from aptbench.data.citation import Reference, package_references
from aptbench.errors import InputError, UnknownNameError
from aptbench.evaluate.archive import archived_results
from aptbench.evaluate.comparison import Comparison, archived_comparisons
from aptbench.evaluate.result import Result
from aptbench.json_file import read_json

FOLDER: Final = "snapshots"
HASH_LENGTH: Final = 16
"""Hexadecimal digits of the SHA-256 that the name of a file has."""


class Rows(BaseModel):
    """What a snapshot holds.

    Parameters
    ----------
    date : datetime.date
    aptbench : str
        Version of the package that wrote it.
    results : tuple of Result
        Every row with its scores and what they rest on: hashes of data, split and model.
    comparisons : tuple of Comparison
        Which models the test frames of a task tell apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    schema_version: Literal[1] = 1
    date: datetime.date
    aptbench: str
    results: tuple[Result, ...] = Field(min_length=1)
    comparisons: tuple[Comparison, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """The leaderboard at a date.

    Parameters
    ----------
    rows : Rows
    text : str
        Content of the file, which the hash is of: a later version of the package that writes a
        row in another way does not change what was frozen.
    """

    rows: Rows
    text: str

    @classmethod
    def take(cls, results: str | Path, comparisons: str | Path, date: datetime.date) -> Snapshot:
        """Return the archived rows as they are.

        Parameters
        ----------
        results, comparisons : path
            Folders of the leaderboard, ``DATASET/SPLIT/MODEL.json`` and ``DATASET/SPLIT.json``.
        date : datetime.date
            That it is named after.

        Raises
        ------
        InputError
            If there is no result, or a file is damaged.
        """
        from aptbench import __version__

        found = tuple(archived_results(results))
        if not found:
            raise InputError(
                "There are no results to take a snapshot of.",
                got=results,
                do="make some with: aptbench run TASK --archive leaderboard/results",
            )
        tasks = {row.task for row in found}
        compared = tuple(c for c in archived_comparisons(comparisons) if c.task in tasks)
        rows = Rows(date=date, aptbench=__version__, results=found, comparisons=compared)
        return cls(rows, rows.model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, path: str | Path) -> Snapshot:
        """Read a snapshot and check it against the date and the hash in its name.

        Raises
        ------
        InputError
            If it is absent, is no snapshot, or was changed after it was taken.
        """
        path = Path(path)
        rows = read_json(Rows, path, "snapshot of the leaderboard")
        snapshot = cls(rows, path.read_bytes().decode())
        if path.name != snapshot.file_name:
            raise InputError(
                f"The snapshot {path} was changed after it was taken.",
                got=f"content of {snapshot.file_name}",
                expected=f"that of {path.name}",
                do="restore the file from the history of the repository",
            )
        return snapshot

    @property
    def date(self) -> datetime.date:
        """Day that it was taken."""
        return self.rows.date

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the content of the file, in hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def file_name(self) -> str:
        """``DATE-HASH.json``, so that a file tells whether it is what was frozen."""
        return f"{self.date}-{self.sha256[:HASH_LENGTH]}.json"

    @property
    def reference(self) -> Reference:
        """What is cited."""
        return Reference(
            key=f"aptbench-leaderboard-{self.date}",
            type="dataset",
            title="aptbench leaderboard",
            authors=package_references()[0].authors,
            year=self.date.year,
            version=f"snapshot {self.date}",
            note=f"SHA-256 {self.sha256}",
        )

    def write(self, folder: str | Path) -> Path:
        """Write the snapshot and return its path.

        Raises
        ------
        InputError
            If other rows were frozen on this day.
        """
        path = Path(folder) / self.file_name
        others = [other for other in Path(folder).glob(f"{self.date}-*.json") if other != path]
        if others:
            raise InputError(
                "There is another snapshot of this day, and what is frozen is not changed.",
                got=self.file_name,
                expected=others[0].name,
                do="take the next one tomorrow, or remove that file if nobody has seen it",
            )
        return path if path.exists() else write_atomically(path, self.text)


def archived_snapshots(folder: str | Path) -> list[Snapshot]:
    """Return the snapshots of a folder, checked, the oldest first.

    Raises
    ------
    InputError
        If one was changed.
    """
    return [Snapshot.read(path) for path in sorted(Path(folder).glob("*.json"))]


def find_snapshot(folder: str | Path, name: str) -> Snapshot:
    """Return the snapshot of a date such as ``2026-11-26``, or the ``latest``.

    Raises
    ------
    UnknownNameError
        If there is none of that date.
    """
    known = {str(snapshot.date): snapshot for snapshot in archived_snapshots(folder)}
    if name == "latest" and known:
        return known[max(known)]
    if name not in known:
        raise UnknownNameError("snapshot of the leaderboard", name, (*known, "latest"))
    return known[name]
