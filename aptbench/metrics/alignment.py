"""`check_alignment`: tensors describe the frames and atoms they should, or there is no score."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import AlignmentError, InputError
from aptbench.frames import Frames

Array = npt.NDArray[np.float64]

LARGEST: Final = 1e6
"""Number in e beyond which a component is none: its square must not overflow."""


def check_alignment(
    prediction: npt.ArrayLike, reference: npt.ArrayLike, frames: Frames
) -> tuple[Array, Array]:
    """Return prediction and reference as arrays that fit the frames, or raise.

    Parameters
    ----------
    prediction, reference : array, shape (frame, atom, pol, disp)
        In e.
    frames : Frames

    Returns
    -------
    prediction, reference : array, shape (frame, atom, pol, disp)

    Raises
    ------
    AlignmentError
        If frames or atoms are missing or too many.
    InputError
        If an array is not one of tensors, or a value is not finite or beyond `LARGEST`.
    """
    return _checked("prediction", prediction, frames), _checked("reference", reference, frames)


def _checked(name: str, value: npt.ArrayLike, frames: Frames) -> Array:
    try:
        array = np.asarray(value, float)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The {name!r} cannot be read as an array of numbers.", got=error
        ) from None
    expected = (len(frames), frames.n_atoms, 3, 3)
    if array.ndim != 4 or array.shape[-2:] != (3, 3):
        raise InputError(
            f"The {name!r} is not an array of tensors.",
            got=f"shape {array.shape}",
            expected=f"(frame, atom, pol, disp) = {expected}",
        )
    for axis, what in enumerate(("frames", "atoms")):
        if array.shape[axis] != expected[axis]:
            missing = expected[axis] - array.shape[axis]
            raise AlignmentError(
                f"The {name!r} does not describe the {what} that are scored: "
                + (f"{missing} missing." if missing > 0 else f"{-missing} too many."),
                got=f"{array.shape[axis]} {what}",
                expected=f"{expected[axis]} {what}, in the order of the frames",
                do="predict every frame and atom; a score of a part is not given",
            )
    bad = np.argwhere(~(np.abs(array) <= LARGEST))
    if len(bad):
        where = tuple(int(k) for k in bad[0])
        raise InputError(
            f"The {name!r} has {len(bad)} values that are not finite, or beyond {LARGEST:g} e.",
            got=f"{array[where]} at (frame, atom, pol, disp) = {where}",
            expected="a finite number of e for every component",
            do="mend the model; values that are not finite are never left out of a score",
        )
    return array
