"""`Mean`: sums and weights of a statistic by frame and bin, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aptbench.errors import UnknownNameError
from aptbench.frames import Frames
from aptbench.metrics.base import Binned, Samples

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Totals:
    """Sums and weights over all frames, of the data or of many resampled replicates.

    Parameters
    ----------
    bins : tuple of str
    sums, weights : array, shape (..., bin)
    """

    bins: tuple[str, ...]
    sums: Array
    weights: Array

    def select(self, name: str | None) -> tuple[Array, Array]:
        """Return sum and weight of one bin, or of all bins together, shape (...)."""
        if name is None:
            return self.sums.sum(-1), self.weights.sum(-1)
        if name not in self.bins:
            raise UnknownNameError("bin (species in these frames)", name, self.bins)
        k = self.bins.index(name)
        return self.sums[..., k], self.weights[..., k]

    def mean(self, name: str | None = None) -> Array:
        """Return the mean of one bin, or of all samples; NaN where a replicate has no sample."""
        total, weight = self.select(name)
        return np.divide(total, weight, out=np.full(np.shape(total), np.nan), where=weight > 0)


@dataclass(frozen=True, eq=False)
class Mean:
    """An additive mean: sums and weights of the samples in each bin of each frame.

    Frames are kept apart until the end, because they are what a block bootstrap resamples. A mean
    does not depend on the chunks in which it was accumulated, to the last bit: within a frame
    samples are added in their order, and chunks are joined, not added.

    Parameters
    ----------
    bins : tuple of str
    sums, weights : array, shape (frame, bin)

    Examples
    --------
    >>> first = Mean(("O",), np.array([[2.0]]), np.array([[1.0]]))
    >>> later = Mean(("O", "H"), np.array([[4.0, 1.0]]), np.array([[1.0, 2.0]]))
    >>> both = first.merge(later).totals()
    >>> both.mean("O"), both.mean("H"), both.mean()
    (array(3.), array(0.5), array(1.75))
    """

    bins: tuple[str, ...]
    sums: Array
    weights: Array

    @classmethod
    def of(cls, samples: Samples, binned: Binned, frames: Frames) -> Mean:
        """Add up the samples of each frame in the bins of ``binned``."""
        bins, index = binned.binning(samples, frames)
        n = len(samples.values)
        frame = np.arange(n).reshape(-1, *([1] * (samples.values.ndim - 1)))
        cell = (frame * len(bins) + index).ravel()

        def add(values: Array | None) -> Array:
            return np.bincount(cell, values, n * len(bins)).reshape(n, len(bins)).astype(float)

        return cls(bins, add(samples.values.ravel()), add(None))

    def __len__(self) -> int:
        return len(self.sums)

    def merge(self, later: Mean) -> Mean:
        """Join the mean of the frames that follow; bins that only one of them has are filled."""
        bins = self.bins + tuple(name for name in later.bins if name not in self.bins)
        parts = []
        for mean in (self, later):
            wide = np.zeros((2, len(mean), len(bins)))
            wide[:, :, [bins.index(name) for name in mean.bins]] = mean.sums, mean.weights
            parts.append(wide)
        sums, weights = np.concatenate(parts, axis=1)
        return Mean(bins, sums, weights)

    def grouped(self, group: npt.ArrayLike) -> Mean:
        """Add up frames that belong together, so that a bootstrap takes all of them or none.

        Parameters
        ----------
        group : array of int, shape (frame,)
            Number of the group of each frame, from 0 on.

        Examples
        --------
        >>> mean = Mean(("O",), np.array([[1.0], [2.0], [6.0]]), np.ones((3, 1)))
        >>> mean.grouped([0, 1, 1]).sums.ravel()
        array([1., 8.])
        """
        index = np.asarray(group)
        sums, weights = np.zeros((2, int(index.max()) + 1, len(self.bins)))
        np.add.at(sums, index, self.sums)
        np.add.at(weights, index, self.weights)
        return Mean(self.bins, sums, weights)

    def totals(self, counts: npt.ArrayLike | None = None) -> Totals:
        """Return sums and weights over frames.

        Parameters
        ----------
        counts : array of int, shape (..., frame), optional
            How often each frame is taken, for example by a bootstrap; once if not given.
        """
        if counts is None:
            return Totals(self.bins, self.sums.sum(0), self.weights.sum(0))
        counts = np.asarray(counts, float)
        return Totals(self.bins, counts @ self.sums, counts @ self.weights)
