"""The contracts of a score: a `Statistic` of samples, an additive mean, a `Metric` of means.

A number on the leaderboard is made in three steps. A `Statistic` maps prediction, reference and
frames to one value a sample; `aptbench.metrics.mean.Mean` adds the values up, bin by bin; a
`Metric` turns a few means into a number. Only the middle step sees many samples, and it is
additive: so every metric can be streamed, merged, binned by any coordinate and resampled. A new
metric is one statistic and one formula. (The shape is that of WeatherBench-X.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.frames import Frames

if TYPE_CHECKING:
    from aptbench.metrics.mean import Totals

Array = npt.NDArray[np.float64]

DIMS = (("frame",), ("frame", "atom"), ("frame", "mode"))
"""The dimensions that the values of a statistic can have."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Values of a statistic, one a sample.

    Parameters
    ----------
    values : array, shape (frame,), (frame, atom) or (frame, mode)
    dims : tuple of str
        Names of the dimensions of ``values``, one of `DIMS`; modes are those of the molecules.

    Raises
    ------
    InputError
        If the values do not have these dimensions.

    Examples
    --------
    >>> Samples(np.zeros((2, 3)), ("frame", "atom")).dims
    ('frame', 'atom')
    """

    values: Array
    dims: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.dims not in DIMS or np.ndim(self.values) != len(self.dims):
            raise InputError(
                "The 'values' of Samples do not have the dimensions they are said to have.",
                got=f"dims {self.dims} and shape {np.shape(self.values)}",
                expected=f"one of the dims {DIMS}, and an axis for each",
            )


class Statistic(Protocol):
    """One value a sample. Hashable, so that metrics share what they have in common."""

    def __call__(self, prediction: Array, reference: Array, frames: Frames) -> Samples:
        """Return the value of each sample, from two arrays (frame, atom, pol, disp) in e."""
        ...

    def __hash__(self) -> int: ...


class Binning(Protocol):
    """A bin for each sample. Hashable."""

    def __call__(
        self, samples: Samples, frames: Frames
    ) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
        """Return the names of the bins, and the bin of each sample, shape of the values."""
        ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class Binned:
    """A statistic, and the bins in which its mean is taken: the key of a mean."""

    statistic: Statistic
    binning: Binning


class Metric(Protocol):
    """A number computed from means."""

    @property
    def unit(self) -> str:
        """Unit of the number; ``"1"`` if it has none."""
        ...

    @property
    def inputs(self) -> tuple[Binned, ...]:
        """The means it needs."""
        ...

    def compute(self, totals: Mapping[Binned, Totals]) -> Array:
        """Return the number; an array of numbers if the totals are those of many replicates."""
        ...
