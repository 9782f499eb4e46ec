"""Frames of an xyz file in fixed columns: many at a time, with the numbers `float` would give.

Programs print xyz files with one format, so most rows are digits, signs and spaces in columns that
never move. Such rows are decoded as arrays; what is in no such columns is left to `read_blocks`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.data.readers.xyz import Place

CHUNK: Final = 1 << 19
"""Bytes decoded at a time: arrays of this size stay in the cache of a processor."""
EXACT: Final = 2.0**53
"""Below it a double holds every integer."""

Array = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class FixedFrames:
    """The frames at the beginning of an xyz file that are in fixed columns.

    Parameters
    ----------
    symbols : list of str or None
        Chemical symbols of the atoms; None where there is no such frame.
    comments : list of str
        Second line of each frame.
    values : array, shape (frame, atom, column)
        The numbers behind the symbols, in the unit of the file.
    rest : Place
        Where the first other frame begins, for `read_blocks`.
    """

    symbols: list[str] | None
    comments: list[str]
    values: Array
    rest: Place


@dataclass(frozen=True)
class _Field:
    """Columns of a number with the space before it, and the values of digits in them."""

    columns: slice
    powers: Array
    scale: float


@dataclass(frozen=True)
class _Layout:
    """Columns of the rows of one frame, and what may stand in them."""

    head: bytes
    symbols: list[str]
    width: int
    fields: tuple[_Field, ...]
    least: Bytes  # (atom * width)
    span: Bytes  # (atom * width)
    integer: npt.NDArray[np.bool_]  # (atom * width)

    @property
    def size(self) -> int:
        return len(self.least)


def read_fixed_frames(path: Path | str, n_columns: int) -> FixedFrames:
    """Read the frames of an xyz file up to the first one that is not in fixed columns.

    All these frames have the atoms of the first one, and finite numbers. There may be none of them:
    a file that is missing or malformed is an error of `read_blocks`, from `FixedFrames.rest` on.

    Parameters
    ----------
    path : path
    n_columns : int
        Columns of a row, the symbol included.

    Returns
    -------
    FixedFrames

    Notes
    -----
    The digits of a number, times powers of ten, add up to an integer; over a power of ten it is the
    number. Integers below 2**53 and powers up to 10**22 are exact in double precision, and a
    division is rounded once, so the result is the double nearest to the text (W. D. Clinger,
    doi:10.1145/93542.93557). Numbers with more digits are converted one by one.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "two.xyz"
    >>> _ = path.write_text("1\\na\\nAr  0.10 -0.20  0.30\\n1\\nb\\nAr  0.40  0.50 -0.60\\n")
    >>> read = read_fixed_frames(path, 4)
    >>> read.comments, read.values[1].tolist()
    (['a', 'b'], [[0.4, 0.5, -0.6]])
    """
    path = Path(path)
    layout = _layout(path, n_columns) if path.is_file() else None
    if layout is None:
        return FixedFrames(None, [], np.zeros((0, 0, n_columns - 1)), Place())
    comments: list[str] = []
    arrays: list[Array] = []
    offset, buffer = 0, b""
    with path.open("rb") as file:
        while piece := file.read(max(CHUNK, 2 * layout.size)):
            buffer += piece
            starts, bodies = _split(buffer, layout)
            if not bodies:
                break
            text = b"".join(buffer[body : body + layout.size] for body in bodies)
            values = _decode(np.frombuffer(text, np.uint8).reshape(-1, layout.size), layout)
            arrays.append(values)
            n = len(values)
            for start, body in zip(starts[:n], bodies, strict=False):
                comment = buffer[start + len(layout.head) : body - 1]
                comments.append(comment.decode(errors="replace"))
            offset += starts[n]
            if n < len(bodies):
                break
            buffer = buffer[starts[n] :]
    n_atoms = len(layout.symbols)
    values = np.concatenate(arrays) if arrays else np.zeros((0, n_atoms, n_columns - 1))
    rest = Place(offset, len(values) * (n_atoms + 2))
    return FixedFrames(layout.symbols if len(values) else None, comments, values, rest)


def _layout(path: Path, n_columns: int) -> _Layout | None:
    """Return the columns of the first frame; None if it is not in fixed columns."""
    with path.open("rb") as file:
        head, _, row = (file.readline() for _ in range(3))
        width = len(row)
        if not head.strip().isdigit() or b"\r" in head:
            return None
        n_atoms = int(head)
        if not 0 < n_atoms * width <= path.stat().st_size:
            return None
        text = row + file.read(width * (n_atoms - 1))
    words = [re.finditer(rb"\S+", line) for line in text.splitlines()]
    spans = [[match.span() for match in line] for line in words]
    if not text.isascii() or [len(line) for line in spans] != [n_columns] * n_atoms:
        return None
    begin = max(line[0][1] for line in spans)
    fields = []
    kind = np.full(width, "t")  # text, digit, or digit with sign and space before it
    for start, stop in spans[0][1:]:
        point = row.find(b".", start, stop)
        digits = stop - point - 1
        # each number has a space before it, in the same column of all rows
        if point < begin + 2 or not 0 < digits <= 22 or stop - begin > 64:
            return None
        # beyond 10**22 any digit but 0 gives more than EXACT, and that is all that counts
        powers = [float(10 ** min(k, 22)) for k in range(stop - begin - 2, -1, -1)]
        powers.insert(point - begin, 0.0)
        fields.append(_Field(slice(begin, stop), np.array(powers), float(10**digits)))
        kind[begin + 1 : point - 1] = "i"
        kind[[point - 1, *range(point + 1, stop)]] = "d"
        begin = stop
    rows = np.frombuffer(text, np.uint8)
    if len(rows) != n_atoms * width:
        return None
    table = rows.reshape(n_atoms, width)
    blank = [field.columns.start for field in fields]
    tail = np.frombuffer(b" " * (width - begin - 1) + b"\n", np.uint8)
    if (table[:, blank] != ord(" ")).any() or (table[:, begin:] != tail).any():
        return None
    least = np.where(kind == "t", table, np.where(kind == "d", ord("0"), ord(" ")))
    span = np.where(kind == "t", 0, np.where(kind == "d", 9, ord("9") - ord(" ")))
    return _Layout(
        head,
        [text[k * width : (k + 1) * width].split()[0].decode() for k in range(n_atoms)],
        width,
        tuple(fields),
        least.astype(np.uint8).ravel(),
        np.tile(span.astype(np.uint8), n_atoms),
        np.tile(kind == "i", n_atoms),
    )


def _split(buffer: bytes, layout: _Layout) -> tuple[list[int], list[int]]:
    """Return where the frames of a buffer, and their rows, begin; starts have the end as well."""
    starts, bodies = [0], []
    while buffer.startswith(layout.head, starts[-1]):
        end = buffer.find(b"\n", starts[-1] + len(layout.head))
        stop = end + 1 + layout.size
        # readers of text take a carriage return for the end of a line
        if end < 0 or stop > len(buffer) or b"\r" in buffer[starts[-1] : end]:
            break
        bodies.append(end + 1)
        starts.append(stop)
    return starts, bodies


def _decode(text: Bytes, layout: _Layout) -> Array:
    """Return the numbers of frames (frame, atom * width) up to the first odd one."""
    n_atoms = len(layout.symbols)
    digits = text - np.uint8(ord("0"))
    is_digit = digits <= 9
    is_sign = (text == ord("-")) & layout.integer
    wrong = text - layout.least > layout.span
    # before the last digit of the integer part: spaces, then a sign or none, then digits only
    follows = is_digit[:, 1:] & (is_digit | is_sign)[:, :-1]
    wrong[:, :-1] |= (text[:, :-1] != ord(" ")) & layout.integer[:-1] & ~follows
    odd = np.flatnonzero(wrong.any(axis=1))
    n_frames = int(odd[0]) if len(odd) else len(text)
    rows = (n_frames * n_atoms, layout.width)
    text = text[:n_frames].reshape(rows)
    factors = (digits * is_digit)[:n_frames].reshape(rows).astype(np.float64)
    signs = is_sign[:n_frames].reshape(rows).astype(np.float32)
    values = np.empty((len(text), len(layout.fields)))
    for column, field in enumerate(layout.fields):
        integers = factors[:, field.columns] @ field.powers
        values[:, column] = integers / field.scale
        values[:, column] *= 1 - 2 * (signs[:, field.columns] @ np.ones(len(field.powers), "f4"))
        long = np.flatnonzero(integers >= EXACT)
        words = np.ascontiguousarray(text[long, field.columns])
        values[long, column] = words.view(f"S{words.shape[1]}")[:, 0]
    return values.reshape(n_frames, n_atoms, len(layout.fields))
