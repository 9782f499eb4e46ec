"""Rounding of stored numbers far below what they are known to, so that they compress."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError

POSITION_STEP: Final = 2.0**-14
"""Stored positions are multiples of this, in angstrom: an error of at most 3.1e-5 angstrom."""
VELOCITY_BITS: Final = 12
"""Mantissa bits kept of a velocity: a relative error of at most 2^-13 = 1.2e-4."""
TENSOR_STEP: Final = 2.0**-16
"""Tensors of densely labelled sets are multiples of this, in e: an error of at most 7.6e-6 e."""

POSITION_ATTRS: Final[dict[str, Any]] = {
    "method": "round to multiples of 2^-14 angstrom",
    "maximum_error": POSITION_STEP / 2,
    "error_kind": "absolute",
}
VELOCITY_ATTRS: Final[dict[str, Any]] = {
    "method": f"BitRound, {VELOCITY_BITS} mantissa bits",
    "maximum_error": 2.0 ** -(VELOCITY_BITS + 1),
    "error_kind": "relative",
}
TENSOR_ATTRS: Final[dict[str, Any]] = {
    "method": "round to multiples of 2^-16 e (tensors) and e angstrom (dipoles)",
    "maximum_error": TENSOR_STEP / 2,
    "error_kind": "absolute",
}


def round_positions(positions: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Round positions to multiples of `POSITION_STEP`, ties to even, any shape.

    A fixed step treats every place in space alike; rounding of mantissa bits would not.

    Raises
    ------
    InputError
        If a position is 1024 angstrom or more from the origin, where float32 has no such step.

    Examples
    --------
    >>> float(round_positions(np.array([1.00001]))[0])
    1.0
    """
    if np.any(np.abs(positions) >= 1024):
        raise InputError(
            "A position is too far from the origin to be stored.",
            got=f"{np.abs(positions).max():.6g} angstrom",
            expected="less than 1024 angstrom",
            do="check the unit; positions are in angstrom",
        )
    return (np.round(positions / POSITION_STEP) * POSITION_STEP).astype(np.float32)


def round_velocities(velocities: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Keep `VELOCITY_BITS` mantissa bits of velocities, ties to even, any shape.

    Notes
    -----
    Bit rounding after doi:10.5194/gmd-14-377-2021 (``numcodecs.BitRound``), done before writing:
    as a filter it would tie every reader to a codec outside the Zarr 3 specification.

    Examples
    --------
    >>> bool(abs(round_velocities(np.array([0.0123456]))[0] / 0.0123456 - 1) < 2**-13)
    True
    """
    from numcodecs import BitRound  # type: ignore[import-untyped]

    single = np.ascontiguousarray(velocities, dtype=np.float32)
    codec = BitRound(keepbits=VELOCITY_BITS)
    return np.asarray(codec.decode(codec.encode(single))).view(np.float32).reshape(single.shape)


def round_tensors(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Round tensors in e, or dipoles in e angstrom, to multiples of `TENSOR_STEP`, any shape.

    For sets in which every frame is labelled: their tensors are most of the data.

    Examples
    --------
    >>> float(round_tensors(np.array([0.500001]))[0])
    0.5
    """
    return np.round(np.asarray(values, np.float64) / TENSOR_STEP) * TENSOR_STEP
