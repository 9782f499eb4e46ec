"""`find_misfit`: what was done to tensors that fit the labels once it is undone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations, product
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.elements import SYMBOLS
from aptbench.frames import Frames
from aptbench.metrics.alignment import check_alignment
from aptbench.units import BOHR, DEBYE

Array = npt.NDArray[np.float64]

LARGEST_RATIO: Final = 0.5
"""What is left of the error, at most, where something was done to the tensors."""
LARGEST_RATIO_OF_SCALE: Final = 0.2
"""The same for a scale that is that of no unit: a bad model may be too small as well."""
LOCAL: Final = ("atoms", "frames")
"""Kinds that may have happened to one of several systems alone."""
UNITS: Final = {
    "in debye per angstrom": 1 / DEBYE,
    "in debye per bohr": BOHR / DEBYE,
    "in e bohr per angstrom": 1 / BOHR,
    "in e angstrom per bohr": BOHR,
}
"""Units that tensors are found in: what a number in e is multiplied by.

1 debye is DEBYE e angstrom, 1 bohr is BOHR angstrom. Tensors in atomic units, e bohr per bohr, are
in e."""
_NEAR: Final = 0.04
"""Deviation of a fitted scale from that of a unit, at most."""
_MOST_ATOMS: Final = 2000
_SIMPLEST: Final = ("transposed", "sign", "unit", "frames", "atoms", "axes", "scale", "offset")


@dataclass(frozen=True)
class Misfit:
    """Something that was done to tensors.

    Parameters
    ----------
    kind : str
        ``transposed``, ``sign``, ``unit``, ``scale``, ``atoms``, ``frames``, ``axes``, ``offset``,
        or two of them joined by " and ".
    words : str
        What it looks like.
    cure : str
        What to do.
    before, after : float
        Root mean square error in e of the tensors as they are, and with it undone.
    """

    kind: str
    words: str
    cure: str
    before: float
    after: float


def find_misfit(
    prediction: npt.ArrayLike, reference: npt.ArrayLike, frames: Frames
) -> Misfit | None:
    """Tell whether predicted tensors are good ones in another convention.

    Every hypothesis undoes one thing, or two; a transposition is looked for in the antisymmetric
    parts, which are all that it changes. It is held for true if less than half of the error,
    and of the size of the labels, is left in every single frame that it changes. That a model is
    merely bad is no misfit: no convention makes it good. A model whose tensors do not change under
    the hypothesis (isotropic ones, transposed) is not accused of it.

    Parameters
    ----------
    prediction, reference : array, shape (frame, atom, pol, disp)
        In e, or so it is believed.
    frames : Frames

    Returns
    -------
    Misfit or None
        The simplest of those that explain most; None if nothing was found.

    Raises
    ------
    AlignmentError, InputError
        If the tensors do not fit the frames.

    Examples
    --------
    >>> rng, frames = np.random.default_rng(0), Frames([8, 1, 1], np.zeros((4, 3, 3)))
    >>> labels = rng.normal(size=(4, 3, 3, 3))
    >>> find_misfit(labels.swapaxes(2, 3), labels, frames).kind
    'transposed'
    >>> print(find_misfit(labels + 0.5 * rng.normal(size=labels.shape), labels, frames))
    None
    """
    predicted, labels = check_alignment(prediction, reference, frames)
    before, size = _rms_of_frames(predicted - labels), _rms_of_frames(labels)
    found = []
    for kind, words, cure, cured in _hypotheses(predicted, labels, frames):
        after = _rms_of_frames(cured - labels)
        changed = np.any(cured != predicted, axis=(1, 2, 3))
        if kind == "transposed" and _is_transposed(predicted, labels):
            errors = (float(np.sqrt(np.mean(x**2))) for x in (before, after))
            found.append(Misfit(kind, words, cure, *errors))
            continue
        # tensors that are scaled to nothing are not good ones
        ratio = LARGEST_RATIO_OF_SCALE if kind.endswith("scale") else LARGEST_RATIO
        least = ratio * np.minimum(before, size)
        if changed.any() and np.all(after[changed] < least[changed]):
            errors = (float(np.sqrt(np.mean(x**2))) for x in (before, after))
            found.append(Misfit(kind, words, cure, *errors))
    best = min((one.after for one in found), default=0.0)
    told = [one for one in found if one.after < 1.5 * best + 1e-12]
    # of what explains about as much the simplest
    told.sort(key=lambda one: (one.kind.count(" and "), _SIMPLEST.index(one.kind.split()[-1])))
    return told[0] if told else None


def find_misfits(
    systems: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike, Frames]],
) -> dict[str, Misfit]:
    """Tell the same of several systems: a convention is one that most of them have.

    Parameters
    ----------
    systems : mapping of str to (prediction, reference, frames)
        As `find_misfit` takes them.

    Returns
    -------
    dict of str to Misfit
        By system; orders of atoms and frames also of a single one.
    """
    found = {
        name: misfit
        for name, (prediction, reference, frames) in systems.items()
        if (misfit := find_misfit(prediction, reference, frames)) is not None
    }
    kinds = [misfit.kind for misfit in found.values()]
    return {
        name: misfit
        for name, misfit in found.items()
        if misfit.kind in LOCAL or 2 * kinds.count(misfit.kind) > len(systems)
    }


def _is_transposed(predicted: Array, labels: Array) -> bool:
    """Whether the antisymmetric parts fit when their sign is changed.

    They are small, and the error of the rest would hide them.
    """
    ours, theirs = (x - x.swapaxes(2, 3) for x in (predicted, labels))
    before, after = _rms_of_frames(ours - theirs), _rms_of_frames(ours + theirs)
    size = _rms_of_frames(theirs)
    return bool(np.all(after < LARGEST_RATIO * before) and np.all(after < size))


def _hypotheses(
    predicted: Array, labels: Array, frames: Frames
) -> Iterator[tuple[str, str, str, Array]]:
    """Yield kind, words, cure, and the tensors with it undone."""
    swapped = predicted.swapaxes(2, 3)
    transposed = (
        "transposed",
        "the last two indices are [disp, pol]",
        "give [..., pol, disp]: the first is the component of the dipole, the second of the "
        "position; in numpy, apt.swapaxes(-1, -2)",
    )
    yield *transposed, swapped
    yield "sign", "the sign is the opposite", "use P = dM/dR = +dF/dE", -predicted
    for tensors, first in ((predicted, None), (swapped, transposed)):
        for kind, words, cure, factor in _scales(tensors, labels):
            if first is None:
                yield kind, words, cure, factor * tensors
            else:
                both = f"{first[0]} and {kind}", f"{first[1]}, and {words}", f"{first[2]}; {cure}"
                yield *both, factor * tensors
    yield from _offsets(predicted, labels, frames)
    yield from _other_axes(predicted)
    yield from _other_order(predicted, labels, frames)


def _scales(tensors: Array, labels: Array) -> Iterator[tuple[str, str, str, float]]:
    power = float(np.sum(tensors**2))
    factor = float(np.sum(tensors * labels)) / power if power > 0 else 1.0
    if factor == 0:
        return  # nothing of the labels is in the tensors
    if factor < 0:
        sign, opposite, cure = -1, "the sign is the opposite, and ", "use P = dM/dR = +dF/dE; "
    else:
        sign, opposite, cure = 1, "", ""
    near = [
        (words, 1 / value) for words, value in UNITS.items() if abs(abs(factor) * value - 1) < _NEAR
    ]
    kind = "sign and " if sign < 0 else ""
    for words, value in near:
        do = f"{cure}multiply by {value:.4f}"
        yield f"{kind}unit", f"{opposite}the tensors are {words}", do, sign * value
    if not near and abs(abs(factor) - 1) > _NEAR:
        words = f"{opposite}the tensors are {1 / abs(factor):.3g} times too large"
        yield f"{kind}scale", words, f"{cure}look for a factor of {abs(factor):.4g}", factor


def _offsets(
    predicted: Array, labels: Array, frames: Frames
) -> Iterator[tuple[str, str, str, Array]]:
    numbers = frames.atomic_numbers
    shift, words = np.zeros(len(numbers)), []
    for z in np.unique(numbers):
        own = numbers == z
        difference = predicted[:, own] - labels[:, own]
        charge = float(np.trace(difference, axis1=2, axis2=3).mean()) / 3
        shift[own] = charge
        words.append(f"{charge:+.2f} e on {SYMBOLS[z]}")
    cured = predicted - shift[:, None, None] * np.eye(3)
    # the rest must be a model: to isotropic tensors charges are all that there is
    known = _anisotropy(predicted) > _anisotropy(labels) / 4
    if np.max(np.abs(shift)) > 0.3 and known:
        yield (
            "offset",
            f"a constant charge is added to every atom of an element ({', '.join(words)}), as if "
            "nuclei or cores were counted otherwise",
            "the tensor is of the whole dipole: electrons and cores",
            cured,
        )


def _other_axes(predicted: Array) -> Iterator[tuple[str, str, str, Array]]:
    names = "xyz"
    for order in permutations(range(3)):
        for signs in product((1, -1), repeat=2):
            turn = np.eye(3)[list(order)] * np.array([1, *signs])[:, None]
            if np.array_equal(turn, np.eye(3)):
                continue
            # the tensor is even: (x, y, z) to (-x, -y, -z) changes nothing
            axes = ", ".join(
                ("-" if s < 0 else "") + names[k] for k, s in zip(order, (1, *signs), strict=True)
            )
            yield (
                "axes",
                f"the axes are those of another frame: {axes} instead of x, y, z",
                "predict in the axes of the positions that are given",
                turn @ predicted @ turn.T,
            )


def _other_order(
    predicted: Array, labels: Array, frames: Frames
) -> Iterator[tuple[str, str, str, Array]]:
    from scipy.optimize import linear_sum_assignment

    n_frames, n_atoms = predicted.shape[:2]
    if n_frames > 2:
        flat = [x.reshape(n_frames, -1) for x in (labels, predicted)]
        order = linear_sum_assignment(_distances(*flat))[1]
        if not np.array_equal(order, np.arange(n_frames)):
            places = ", ".join(map(str, order[:6])) + (", ..." if n_frames > 6 else "")
            yield (
                "frames",
                f"the frames are in another order: {places}",
                "keep the order of the frames that are given",
                predicted[order],
            )
    if 1 < n_atoms <= _MOST_ATOMS:
        flat = [x.swapaxes(0, 1).reshape(n_atoms, -1) for x in (labels, predicted)]
        order = linear_sum_assignment(_distances(*flat))[1]
        if not np.array_equal(order, np.arange(n_atoms)):
            yield (
                "atoms",
                f"the atoms are in another order: {_pattern(order, frames)}",
                "keep the order of the atoms that are given",
                predicted[:, order],
            )


def _distances(first: Array, second: Array) -> Array:
    """Squared distances of rows, shape (row of first, row of second)."""
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1)
    return np.asarray(squares - 2 * first @ second.T)


def _pattern(order: npt.NDArray[np.int64], frames: Frames) -> str:
    """Say in words where the tensors of atoms are found."""
    numbers = frames.atomic_numbers
    by_element = np.argsort(numbers, kind="stable")
    back = np.argsort(-numbers, kind="stable")
    for sort in (by_element, back):
        if np.array_equal(order, np.argsort(sort)):
            symbols = [SYMBOLS[z] for z in dict.fromkeys(numbers[sort].tolist())]
            return f"sorted by element, {', then '.join(symbols)}"
    if np.array_equal(order, np.arange(len(order))[::-1]):
        return "reversed"
    steps = np.unique((order - np.arange(len(order))) % len(order))
    if len(steps) == 1:
        return f"moved on by {steps[0]}"
    moved = np.flatnonzero(order != np.arange(len(order)))
    shown = ", ".join(f"that of atom {k} at {order[k]}" for k in moved[:3])
    return f"{len(moved)} of {len(order)} atoms, {shown}{' ...' if len(moved) > 3 else ''}"


def _anisotropy(tensors: Array) -> float:
    isotropic = np.trace(tensors, axis1=2, axis2=3)[..., None, None] / 3 * np.eye(3)
    return float(np.sqrt(np.mean((tensors - isotropic) ** 2)))


def _rms_of_frames(difference: Array) -> Array:
    return np.sqrt(np.mean(difference**2, axis=(1, 2, 3)))
