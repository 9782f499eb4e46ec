"""`BlockBootstrap`: intervals of a number from resampled blocks of frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BlockBootstrap:
    r"""Circular block bootstrap over frames.

    Contiguous blocks of frames are drawn with replacement, and wrap around at the end, so that
    every frame is drawn equally often. The draws depend on the number of frames, the block, the
    strata and the seed only: two models scored on the same frames are resampled in the same way,
    and the difference of their replicates is a paired bootstrap.

    Parameters
    ----------
    replicates : int
    block : int
        Frames in a block. Use 1 for frames that are many correlation times apart (sparse labels),
        and for a dense trajectory a block longer than ten correlation times.
    confidence : float
        Probability that the interval is meant to cover.
    seed : int
    strata : tuple of int
        Frames of each stratum, one after the other, for frames of which so many are of one kind by
        design: blocks are drawn within a stratum. All frames are one if empty.

    Notes
    -----
    Politis, Romano, in: Exploring the Limits of Bootstrap (1992). With few blocks a percentile
    interval is too narrow, because resampling underestimates the variance by (n - 1) / n and knows
    no t distribution. The percentiles are therefore expanded: Hesterberg, Am. Stat. 69, 371 (2015),
    doi:10.1080/00031305.2015.1089789. Measured coverage of a 95 % interval of the mean of
    independent normal frames (1000 replicates): 0.87 with 4 frames, 0.93 with 8, 0.95 with 12 and
    more. Below about eight blocks the interval is therefore a rough guide and too narrow; with one
    block there is none (NaN).

    Examples
    --------
    >>> counts = BlockBootstrap(replicates=3, block=2).counts(10)
    >>> counts.shape, counts.sum(1).tolist()
    ((3, 10), [10, 10, 10])
    """

    replicates: int = 1000
    block: int = 1
    confidence: float = 0.95
    seed: int = 0
    strata: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.replicates < 1 or self.block < 1 or not 0 < self.confidence < 1:
            raise InputError(
                "A parameter of BlockBootstrap is out of range.",
                got=(self.replicates, self.block, self.confidence),
                expected="replicates and block of at least 1, confidence between 0 and 1",
            )

    def n_blocks(self, n_frames: int) -> int:
        """Return how many blocks fit into ``n_frames``: the number of independent samples."""
        return sum(size // self.block for size in self._sizes(n_frames))

    def degrees_of_freedom(self, n_frames: int) -> int:
        """Return the number of blocks less one for the mean of each stratum."""
        return sum(max(size // self.block - 1, 0) for size in self._sizes(n_frames))

    def inflation(self, n_frames: int) -> float:
        r"""Return by what the spread of replicates falls short of the standard error.

        It is :math:`\sqrt{n/(n-1)}` with n blocks, and that of all strata together; NaN where no
        stratum has two blocks.
        """
        degrees = self.degrees_of_freedom(n_frames)
        return (self.n_blocks(n_frames) / degrees) ** 0.5 if degrees else float("nan")

    def counts(self, n_frames: int) -> npt.NDArray[np.int64]:
        """Return how often each replicate takes each frame, shape (replicate, frame)."""
        if n_frames < 1:
            raise InputError("There is no frame to resample.", got=n_frames, expected="1 or more")
        rng = np.random.default_rng(self.seed)
        return np.concatenate([self._drawn(size, rng) for size in self._sizes(n_frames)], axis=1)

    def _drawn(self, n_frames: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        n_draws = -(-n_frames // self.block)
        starts = rng.integers(n_frames, size=(self.replicates, n_draws))
        taken = (starts[:, :, None] + np.arange(self.block)).reshape(self.replicates, -1)
        taken = taken[:, :n_frames] % n_frames
        flat = np.arange(self.replicates)[:, None] * n_frames + taken
        counts = np.bincount(flat.ravel(), minlength=self.replicates * n_frames)
        return counts.reshape(self.replicates, n_frames)

    def _sizes(self, n_frames: int) -> tuple[int, ...]:
        if not self.strata:
            return (n_frames,)
        if sum(self.strata) != n_frames or min(self.strata) < 1:
            raise InputError(
                "The strata of a bootstrap do not fit the frames.",
                got=f"{n_frames} frames, strata {self.strata}",
                expected="strata with a frame or more each, that add up to the frames",
            )
        return self.strata

    def interval(self, values: Array, n_frames: int) -> tuple[float, float]:
        """Return the lower and upper end from the values of the replicates; NaN with one block."""
        tail = self.tail(n_frames)
        finite = np.asarray(values)[np.isfinite(values)]
        if np.isnan(tail) or not finite.size:
            return float("nan"), float("nan")
        low, high = np.quantile(finite, [tail, 1 - tail])
        return float(low), float(high)

    def tail(self, n_frames: int) -> float:
        """Return the share of replicates beyond each end of an interval; NaN with one block."""
        from scipy.special import ndtr, stdtrit  # scipy.stats takes seconds to import

        degrees = self.degrees_of_freedom(n_frames)
        if not degrees:
            return float("nan")
        quantile = stdtrit(degrees, (1 - self.confidence) / 2)
        return float(ndtr(self.inflation(n_frames) * quantile))
