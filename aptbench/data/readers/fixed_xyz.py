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

CHUNK: Final = 1 << 17
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
    other: npt.NDArray[np.bool_]  # (atom * width)
    stretch: int

    @property
    def size(self) -> int:
        """Bytes of the rows of a frame."""
        return len(self.least)


class _Scratch:
    """Arrays for the intermediate results: pages of fresh memory cost more than the arithmetic."""

    def __init__(self, layout: _Layout) -> None:
        n_frames = layout.stretch // layout.size
        self.bytes = np.empty((2, n_frames, layout.size), np.uint8)
        self.flags = np.empty((4, n_frames, layout.size), np.bool_)
        self.numbers = np.empty((n_frames * len(layout.symbols), layout.width))


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
    n_atoms = len(layout.symbols)
    most = path.stat().st_size // (len(layout.head) + layout.size)
    values = np.empty((most, n_atoms, n_columns - 1))
    comments: list[str] = []
    scratch = _Scratch(layout)
    offset, buffer = 0, b""
    with path.open("rb") as file:
        while True:
            buffer += file.read(layout.stretch - len(buffer))
            starts, bodies = _split(buffer, layout)
            if not bodies:
                break
            text = b"".join(buffer[body : body + layout.size] for body in bodies)
            rows = np.frombuffer(text, np.uint8).reshape(-1, layout.size)
            decoded = _decode(rows, layout, scratch)
            # a file that a running program appends to may hold more than at first
            n = min(len(decoded), most - len(comments))
            values[len(comments) : len(comments) + n] = decoded[:n]
            for start, body in zip(starts[:n], bodies, strict=False):
                comment = buffer[start + len(layout.head) : body - 1]
                comments.append(comment.decode(errors="replace"))
            offset += starts[n]
            if n < len(bodies):
                break
            buffer = buffer[starts[n] :]
    values = values[: len(comments)]
    rest = Place(offset, len(comments) * (n_atoms + 2))
    return FixedFrames(layout.symbols if comments else None, comments, values, rest)


def _layout(path: Path, n_columns: int) -> _Layout | None:
    """Return the columns of the first frame; None if it is not in fixed columns."""
    with path.open("rb") as file:
        head, comment, row = (file.readline() for _ in range(3))
        width = len(row)
        if not head.strip().isdigit() or b"\r" in head:
            return None
        n_atoms = int(head)
        if not 0 < n_atoms * width <= path.stat().st_size:
            return None
        text = row + file.read(width * (n_atoms - 1))
    words = [re.finditer(rb"\S+", line) for line in text.splitlines()]
    spans = [[match.span() for match in line] for line in words]
    # bytes and text agree on what is a space in printable characters only
    if re.search(rb"[^ -~\n]", text) or [len(line) for line in spans] != [n_columns] * n_atoms:
        return None
    begin = max(line[0][1] for line in spans)
    fields, points = [], []
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
        points.append(point)
        kind[begin + 1 : point - 1] = "i"
        kind[[point - 1, *range(point + 1, stop)]] = "d"
        begin = stop
    rows = np.frombuffer(text, np.uint8)
    if len(rows) != n_atoms * width:
        return None
    table = rows.reshape(n_atoms, width)
    blanks = [field.columns.start for field in fields]
    tail = np.frombuffer(b" " * (width - begin - 1) + b"\n", np.uint8)
    if (table[:, blanks] != ord(" ")).any() or (table[:, points] != ord(".")).any():
        return None
    if (table[:, begin:] != tail).any():
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
        np.tile(kind != "i", n_atoms),
        max(CHUNK, 2 * (len(head) + len(comment) + len(text))),
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


def _decode(text: Bytes, layout: _Layout, scratch: _Scratch) -> Array:
    """Return the numbers of frames (frame, atom * width) up to the first odd one."""
    digits, excess = scratch.bytes[:, : len(text)]
    is_digit, is_sign, good, flag = scratch.flags[:, : len(text)]
    np.subtract(text, ord("0"), out=digits)
    np.less_equal(digits, 9, out=is_digit)
    np.equal(text, ord("-"), out=is_sign)
    is_sign &= layout.integer
    # before the last digit of the integer part: spaces, then a sign or none, then digits only
    np.logical_or(is_digit, is_sign, out=good)
    good[:, :-1] &= is_digit[:, 1:]
    good |= np.equal(text, ord(" "), out=flag)
    good |= layout.other
    np.subtract(text, layout.least, out=excess)
    good &= np.less_equal(excess, layout.span, out=flag)
    odd = np.flatnonzero(~good.all(axis=1))
    n_frames = int(odd[0]) if len(odd) else len(text)

    shape = (n_frames * len(layout.symbols), layout.width)
    digits *= is_digit
    digits, is_sign, text = (a[:n_frames].reshape(shape) for a in (digits, is_sign, text))
    values = np.empty((len(text), len(layout.fields)))
    for column, field in enumerate(layout.fields):
        numbers = scratch.numbers[: len(text), field.columns]
        np.copyto(numbers, is_sign[:, field.columns])
        signs = 1 - 2 * (numbers @ np.ones(len(field.powers)))
        np.copyto(numbers, digits[:, field.columns])
        integers = numbers @ field.powers
        values[:, column] = integers / field.scale * signs
        long = np.flatnonzero(integers >= EXACT)
        words = np.ascontiguousarray(text[long, field.columns])
        values[long, column] = words.view(f"S{words.shape[1]}")[:, 0]
    return values.reshape(n_frames, len(layout.symbols), len(layout.fields))
