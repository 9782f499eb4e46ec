"""`BlockCorrelation`: time correlation of channels, summed over blocks of time origins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from aptbench.errors import AlignmentError, InputError
from aptbench.spectra.correlation import fast_length

Array = npt.NDArray[np.float64]

STRETCH: Final = 1024
"""Time origins that are transformed at once."""


class Series(Protocol):
    """Something with frames first that gives numbers for a slice: numpy, memmap, Zarr, Dask."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Frames, channels, and whatever is summed over."""
        ...

    def __getitem__(self, index: Any) -> Any:
        """Return a stretch of frames."""
        ...


@dataclass(frozen=True, eq=False)
class BlockCorrelation:
    r"""Sums of products over the time origins of each block, for every channel and lag.

    Nothing of the trajectory is kept, so that any resampling of the blocks costs a matrix product.

    Parameters
    ----------
    sums : array, shape (channel, block, lag)
        :math:`\sum_t a(t) \cdot b(t + k)` over the origins t of a block, symmetrised over the sign
        of the lag; ``t + k`` may lie in a later block.
    counts : array, shape (block, lag)
        Number of origins that have a partner at each lag.
    names : tuple of str
        Of the channels.

    Examples
    --------
    >>> two = block_correlation(np.ones((10, 1, 3)), n_lags=4, block=5)
    >>> two.sums.shape, two.mean()[0].tolist(), two.counts[:, 3].tolist()
    ((1, 2, 4), [3.0, 3.0, 3.0, 3.0], [5.0, 2.0])
    """

    sums: Array
    counts: Array
    names: tuple[str, ...]

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return self.counts.shape[0]

    def mean(self, weights: npt.ArrayLike | None = None) -> Array:
        """Return the correlation, shape (..., channel, lag); each lag over its own origins.

        Parameters
        ----------
        weights : array, shape (..., block), optional
            How often each block is taken; once if not given. Leading axes are those of the result.
        """
        taken = np.ones(self.n_blocks) if weights is None else np.asarray(weights, float)
        if taken.shape[-1] != self.n_blocks:
            raise AlignmentError(
                "The weights do not fit the blocks.", got=taken.shape, expected=f"{self.n_blocks}"
            )
        sums = np.tensordot(taken, self.sums, (-1, 1))
        origins = (taken @ self.counts)[..., None, :]
        return np.divide(sums, origins, out=np.zeros_like(sums), where=origins > 0)


def block_correlation(
    first: Series,
    second: Series | None = None,
    *,
    n_lags: int,
    block: int,
    names: Sequence[str] | None = None,
) -> BlockCorrelation:
    r"""Correlate two series channel by channel, block by block of time origins.

    Parameters
    ----------
    first : array-like, shape (frame, channel, ..., component)
        Axes behind the channel are summed over.
    second : array-like, optional
        Of the same shape, or with one channel that serves all; ``first`` itself if not given.
    n_lags : int
        Lags 0 to ``n_lags - 1``, in frames.
    block : int
        Time origins of a block, in frames; the last block may be shorter.
    names : sequence of str, optional
        Of the channels; their numbers if not given.

    Returns
    -------
    BlockCorrelation
        Symmetrised: :math:`\frac12 [a(t) \cdot b(t+k) + b(t) \cdot a(t+k)]`.

    Raises
    ------
    InputError
        If there are more lags than frames, or a size is not positive.
    AlignmentError
        If the two series do not fit.

    Notes
    -----
    Memory is that of one channel in `STRETCH` frames and ``n_lags`` more, whatever the length of
    trajectory and blocks. The mean of the series is not removed.
    """
    shape = first.shape
    other = first if second is None else second
    if len(shape) < 3 or other.shape[:1] + other.shape[2:] != shape[:1] + shape[2:]:
        raise AlignmentError(
            "The two series of a correlation do not fit.",
            got=f"{shape} and {other.shape}",
            expected="twice (frame, channel, ..., component)",
        )
    if other.shape[1] not in (1, shape[1]):
        raise AlignmentError(
            "The two series of a correlation have different channels.",
            got=f"{shape[1]} and {other.shape[1]}",
            expected="as many, or one in the second",
        )
    labels = tuple(map(str, range(shape[1]))) if names is None else tuple(names)
    found = _empty(labels, shape[0], n_lags, block)
    for number, start, stop, ahead in _stretches(shape[0], n_lags, block):
        found.counts[number] += _origins(shape[0], start, stop, n_lags)
        common = other.shape[1] == 1 and second is not None
        shared = _transform(other[start:ahead], 0, stop - start, n_lags) if common else None
        for channel in range(shape[1]):
            a = _transform(first[start:ahead], channel, stop - start, n_lags)
            if second is None:
                found.sums[channel, number] += _product(a, a, n_lags)
                continue
            b = shared or _transform(other[start:ahead], channel, stop - start, n_lags)
            both = _product(a, b, n_lags) + _product(b, a, n_lags)
            found.sums[channel, number] += both / 2
    return found


def correlation_matrix(
    groups: Series, *, n_lags: int, block: int, names: Sequence[str]
) -> BlockCorrelation:
    """Correlate every pair of groups, so that the channels add up to the square of their sum.

    Parameters
    ----------
    groups : array-like, shape (frame, group, ..., component)
    n_lags, block : int
        As in `block_correlation`.
    names : sequence of str
        Of the groups.

    Returns
    -------
    BlockCorrelation
        A channel for each pair g <= h: the groups alone by name, then the cross terms ``g-h`` that
        hold both orders, twice the symmetrised correlation.
    """
    n_groups = groups.shape[1]
    if len(names) != n_groups:
        raise AlignmentError(
            "The names do not fit the groups.", got=len(names), expected=f"{n_groups}"
        )
    pairs = [(g, g) for g in range(n_groups)]
    pairs += [(g, h) for g in range(n_groups) for h in range(g + 1, n_groups)]
    labels = tuple(names[g] if g == h else f"{names[g]}-{names[h]}" for g, h in pairs)
    found = _empty(labels, groups.shape[0], n_lags, block)
    for number, start, stop, ahead in _stretches(groups.shape[0], n_lags, block):
        found.counts[number] += _origins(groups.shape[0], start, stop, n_lags)
        part = groups[start:ahead]
        parts = [_transform(part, g, stop - start, n_lags) for g in range(n_groups)]
        for channel, (g, h) in enumerate(pairs):
            found.sums[channel, number] += _product(parts[g], parts[h], n_lags)
            if g != h:
                found.sums[channel, number] += _product(parts[h], parts[g], n_lags)
    return found


def _empty(names: tuple[str, ...], n_frames: int, n_lags: int, block: int) -> BlockCorrelation:
    if block < 1 or not 1 <= n_lags <= n_frames:
        raise InputError(
            "A correlation has no such lags or blocks.",
            got=f"{n_lags} lags and blocks of {block} frames",
            expected=f"1 to {n_frames} lags (frames), and blocks of 1 frame or more",
        )
    n_blocks = -(-n_frames // block)
    sums = np.zeros((len(names), n_blocks, n_lags))
    return BlockCorrelation(sums, np.zeros((n_blocks, n_lags)), names)


def _stretches(n_frames: int, n_lags: int, block: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield block, first origin, end of the origins, and end of their partners."""
    for number, first in enumerate(range(0, n_frames, block)):
        last = min(first + block, n_frames)
        for start in range(first, last, STRETCH):
            stop = min(start + STRETCH, last)
            yield number, start, stop, min(stop + n_lags - 1, n_frames)


def _origins(n_frames: int, start: int, stop: int, n_lags: int) -> Array:
    return np.clip(n_frames - np.arange(n_lags) - start, 0, stop - start).astype(float)


def _transform(part: Any, channel: int, n_origins: int, n_lags: int) -> tuple[Any, Any, int]:
    """Return the transforms of the origins and of their partners, shape (series, frequency)."""
    from numpy.fft import rfft

    values = np.asarray(part[:, channel], float)
    series = np.ascontiguousarray(values.reshape(len(values), -1).T)
    # room for every lag, so that no negative one wraps into them near the end of the trajectory
    size = fast_length(max(len(values), n_lags) + n_origins)
    return rfft(series[:, :n_origins], size), rfft(series, size), size


def _product(a: tuple[Any, Any, int], b: tuple[Any, Any, int], n_lags: int) -> Array:
    """Return the sum over origins of a(t) b(t + k), shape (lag,)."""
    from numpy.fft import irfft

    products: Array = irfft(np.einsum("sf,sf->f", a[0].conj(), b[1]), a[2])
    return products[:n_lags]
