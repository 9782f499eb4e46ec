"""Blocks of an xyz file, parsed strictly: what every xyz-like reader stands on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aptbench.elements import atomic_number
from aptbench.errors import AlignmentError, InputError


@dataclass(frozen=True)
class XYZBlock:
    """One frame of an xyz file as text.

    Parameters
    ----------
    comment : str
        The second line.
    rows : tuple of str
        One line for each atom.
    line : int
        Number of the first line of the block in the file, from 1.
    source : str
        Name of the file, for messages.
    """

    comment: str
    rows: tuple[str, ...]
    line: int
    source: str

    def fields(self, n_columns: int) -> list[list[str]]:
        """Return the fields of every row, shape (atom, column).

        Raises
        ------
        InputError
            If a row has not exactly ``n_columns`` fields.
        """
        fields = [row.split() for row in self.rows]
        for k, row in enumerate(fields):
            if len(row) != n_columns:
                raise InputError(
                    f"Line {self.line + 2 + k} of {self.source} has the wrong number of columns.",
                    got=f"{len(row)} columns: {self.rows[k][:80]!r}",
                    expected=f"{n_columns} columns",
                    do="check that the format, and the number of atoms above, are right",
                )
        return fields

    def numbers(
        self, fields: list[list[str]], columns: slice
    ) -> npt.NDArray[np.float64]:  # (atom, column)
        """Return some columns as finite numbers.

        Raises
        ------
        InputError
            If a field is no number, or not finite.
        """
        try:
            values = np.array([row[columns] for row in fields], dtype=np.float64)
        except ValueError as error:
            raise InputError(
                f"A field is no number in the frame at line {self.line} of {self.source}.",
                got=error,
                expected="numbers",
            ) from None
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            row, column = (int(k) for k in bad[0])
            raise InputError(
                f"Line {self.line + 2 + row} of {self.source} has a value that is not finite.",
                got=fields[row][columns][column],
                expected="finite numbers everywhere",
                do="leave out the frame, or compute it again",
            )
        return values


@dataclass(frozen=True)
class Place:
    """The end of a frame of an xyz file.

    Parameters
    ----------
    offset : int
        Bytes up to there.
    line : int
        Lines up to there.
    """

    offset: int = 0
    line: int = 0


def only_block(path: Path | str) -> XYZBlock:
    """Return the only frame of an xyz file.

    Raises
    ------
    InputError
        As `read_blocks`, or if there are more frames.
    """
    blocks = read_blocks(path)
    first = next(blocks)
    if next(blocks, None) is not None:
        raise InputError(f"{path} has several frames.", expected="one")
    return first


def read_blocks(path: Path | str, begin: Place = Place()) -> Iterator[XYZBlock]:
    """Iterate over the frames of an xyz file, from its beginning or from the end of a frame.

    Raises
    ------
    InputError
        If the file is missing, empty, or ends inside a frame; the line is named.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "one.xyz"
    >>> _ = path.write_text("1\\nargon\\nAr 0 0 0\\n")
    >>> [block.comment for block in read_blocks(path)]
    ['argon']
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}.", do="check the path")
    count, line = 0, begin.line
    with path.open("rb") as bytes_, TextIOWrapper(bytes_, "utf-8", errors="replace") as file:
        bytes_.seek(begin.offset)
        while True:
            head = file.readline()
            line += 1
            if not head:
                break
            if not head.strip():
                continue
            try:
                n_atoms = int(head)
            except ValueError:
                n_atoms = -1
            if n_atoms < 1:
                raise InputError(
                    f"Line {line} of {path.name} does not begin a frame.",
                    got=head.strip()[:80],
                    expected="the number of atoms",
                    do="look for missing or surplus atom lines in the frame before it",
                )
            comment = file.readline().rstrip("\n")
            rows = tuple(text for text in islice(file, n_atoms) if text.strip())
            if len(rows) != n_atoms:
                raise InputError(
                    f"{path.name} has a frame with missing atoms, at line {line}.",
                    got=f"{len(rows)} of {n_atoms} atoms",
                    expected=f"{n_atoms} atoms",
                    do="the file is truncated: copy it again, or cut off the incomplete frame",
                )
            yield XYZBlock(comment, rows, line, path.name)
            line += n_atoms + 1
            count += 1
    if not count and not begin.offset:
        raise InputError(f"{path.name} holds no frame.", got="an empty file")


def same_atoms(symbols: list[str], first: list[str] | None, block: XYZBlock) -> list[str]:
    """Check that a frame has the atoms of the first one, and return their symbols.

    Raises
    ------
    AlignmentError
        If the number, order or kind of the atoms differs between frames.
    """
    if first is not None and symbols != first:
        where = next(
            (k for k, pair in enumerate(zip(symbols, first, strict=False)) if pair[0] != pair[1]),
            None,
        )
        raise AlignmentError(
            f"The frame at line {block.line} of {block.source} has other atoms than the first one.",
            got=f"{len(symbols)} atoms"
            + ("" if where is None else f", atom {where} is {symbols[where]}"),
            expected=f"{len(first)} atoms"
            + ("" if where is None else f", atom {where} is {first[where]}"),
            do="a system has the same atoms in the same order in all frames: give the other "
            "frames as a system of their own",
        )
    return symbols


def atomic_numbers(symbols: list[str]) -> npt.NDArray[np.int64]:
    """Return the atomic numbers of chemical symbols, shape (atom,)."""
    known = {symbol: atomic_number(symbol) for symbol in set(symbols)}
    return np.array([known[symbol] for symbol in symbols], dtype=np.int64)
