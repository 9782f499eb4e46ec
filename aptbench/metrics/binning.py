"""Bins of samples: all together, by species, by mode of motion, or by their own size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.elements import SYMBOLS
from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.metrics.base import Samples
from aptbench.molecules import MoleculeTable
from aptbench.spectra.modes import modes_of

Index = npt.NDArray[np.int64]

ERROR_OF: Final = "error of "
"""Begins the name of the bin of `ByMode` with the error of a mode."""


@dataclass(frozen=True)
class Together:
    """All samples in one bin, named ``all``."""

    def __call__(self, samples: Samples, frames: Frames) -> tuple[tuple[str, ...], Index]:
        """Return one bin, and zeros."""
        return ("all",), np.zeros(samples.values.shape, np.int64)


@dataclass(frozen=True)
class BySpecies:
    """One bin for each chemical symbol, in the order of atomic numbers.

    Examples
    --------
    >>> water = Frames([8, 1, 1], np.eye(3))
    >>> BySpecies()(Samples(np.zeros((1, 3)), ("frame", "atom")), water)
    (('H', 'O'), array([[1, 0, 0]]))
    """

    def __call__(self, samples: Samples, frames: Frames) -> tuple[tuple[str, ...], Index]:
        """Return the symbols that occur, and the index of the symbol of each sample."""
        if samples.dims != ("frame", "atom"):
            raise InputError(
                "Only values of atoms can be binned by species.",
                got=samples.dims,
                expected=("frame", "atom"),
            )
        numbers, index = np.unique(frames.atomic_numbers, return_inverse=True)
        symbols = tuple(SYMBOLS[z] for z in numbers)
        return symbols, np.broadcast_to(index, samples.values.shape)


@dataclass(frozen=True)
class ByMode:
    """One bin for each mode of the molecules, and one for its error, for `ModeCurrentSquare`.

    Examples
    --------
    >>> water = Frames([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    >>> bins, _ = ByMode()(Samples(np.zeros((1, 10)), ("frame", "mode")), water)
    >>> bins[:3], bins[7]
    (('translation', 'libration', 'bend'), 'error of bend')
    """

    def __call__(self, samples: Samples, frames: Frames) -> tuple[tuple[str, ...], Index]:
        """Return the modes of the molecules and their errors, and the index of each sample."""
        if samples.dims != ("frame", "mode"):
            raise InputError(
                "Only values of modes can be binned by mode.",
                got=samples.dims,
                expected=("frame", "mode"),
            )
        modes = modes_of(MoleculeTable.of(frames).kinds)
        bins = modes + tuple(ERROR_OF + mode for mode in modes)
        return bins, np.broadcast_to(np.arange(len(bins)), samples.values.shape)


@dataclass(frozen=True)
class BySize:
    """Bins of equal ratio of the value itself: an additive histogram, for tails of distributions.

    Parameters
    ----------
    lowest, highest : float
        Exponents of ten; smaller and larger values go to the first and last bin.
    per_decade : int
    """

    lowest: int = -14
    highest: int = 6
    per_decade: int = 64

    def __call__(self, samples: Samples, frames: Frames) -> tuple[tuple[str, ...], Index]:
        """Return bins named by their number, smallest values first."""
        n = (self.highest - self.lowest) * self.per_decade
        size = np.log10(np.maximum(samples.values, 10.0**self.lowest))
        index = np.floor((size - self.lowest) * self.per_decade).astype(np.int64)
        return tuple(str(k) for k in range(n)), np.clip(index, 0, n - 1)
