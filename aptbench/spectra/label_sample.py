"""`LabelSample`: a few labelled frames of a trajectory, and means over them with leave-one-out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aptbench.errors import AlignmentError, InputError
from aptbench.spectra.absorption import lag_transform, number_of_lags
from aptbench.spectra.protocol import ANGULAR, IR1, SpectralProtocol

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LabelSample:
    """Labelled frames in rising order, in clusters that are independent of each other.

    Parameters
    ----------
    frames : array of int, shape (label,)
    cluster : array of int, shape (label,)
        Number of the cluster of each label, rising from 0.
    residual : array, shape (label, pol)
        Reference current minus model current, in e angstrom/fs.

    Examples
    --------
    >>> sample = LabelSample.of([5, 6, 90], np.ones((3, 3)), np.zeros((100, 3)), 1)
    >>> sample.cluster.tolist(), sample.lags(50).tolist()
    ([0, 0, 1], [])
    """

    frames: Integers
    cluster: Integers
    residual: Array

    @classmethod
    def of(
        cls,
        label_frames: npt.ArrayLike,
        reference: npt.ArrayLike,
        model_current: npt.ArrayLike,
        gap: int,
    ) -> LabelSample:
        """Check and sort labels; those not more than ``gap`` frames apart are one cluster.

        Raises
        ------
        InputError
            If a label is repeated, not in the trajectory, not finite, or no integer.
        AlignmentError
            If there is not one current for each label.
        """
        model = np.asarray(model_current, float)
        index, rates = np.asarray(label_frames), np.asarray(reference, float)
        if index.ndim != 1 or rates.shape != (len(index), 3):
            raise AlignmentError(
                "The labels and their currents do not fit.",
                got=f"label_frames {index.shape}, reference_current_at_labels {rates.shape}",
                expected="(label,) and (label, pol)",
            )
        if len(index) and not np.issubdtype(index.dtype, np.integer):
            raise InputError("The 'label_frames' are not integers.", got=index.dtype)
        outside = index[(index < 0) | (index >= len(model))]
        if len(outside):
            raise InputError(
                "A label is not in the trajectory.",
                got=f"frame {outside[0]}",
                expected=f"0 to {len(model) - 1}",
            )
        if not np.isfinite(rates).all():
            raise InputError("The 'reference_current_at_labels' has values that are not finite.")
        order = np.argsort(index, kind="stable")
        frames = index[order].astype(np.int64)
        twice = frames[1:][np.diff(frames) == 0]
        if len(twice):
            raise InputError(
                "A frame is labelled twice.", got=f"frame {twice[0]}", do="keep one of its labels"
            )
        cluster = np.cumsum(np.diff(frames, prepend=frames[:1]) > gap).astype(np.int64)
        return cls(frames, cluster, rates[order] - model[frames])

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.cluster[-1]) + 1 if len(self.cluster) else 0

    @property
    def counts(self) -> Array:
        """Labels of each cluster, shape (cluster,)."""
        return np.bincount(self.cluster).astype(float)

    def sums(self, values: Array) -> Array:
        """Return sums over the labels of each cluster, shape (cluster, ...)."""
        starts = np.flatnonzero(np.diff(self.cluster, prepend=-1))
        return np.asarray(np.add.reduceat(values, starts, axis=0))

    def lags(self, limit: int) -> Integers:
        """Return the lags, in frames, that half of the clusters and at least three have."""
        seen: dict[int, set[int]] = {}
        for step in range(1, len(self.frames)):
            first = np.flatnonzero(self.cluster[step:] == self.cluster[:-step])
            if not len(first):
                break
            for k in first:
                lag = int(self.frames[k + step] - self.frames[k])
                seen.setdefault(lag, set()).add(int(self.cluster[k]))
        enough = max(3.0, self.n_clusters / 2)
        found = [lag for lag in sorted(seen) if len(seen[lag]) >= enough and lag < limit]
        return np.array(found, dtype=np.int64)

    def mean_product(self, values: Array, lag: int) -> Array:
        """Return means of products of all columns, a lag apart, (1 + cluster, column, column).

        Parameters
        ----------
        values : array, shape (label, pol, column)
        lag : int
            In frames; the products are even in it.
        """
        later = np.minimum(np.searchsorted(self.frames, self.frames + lag), len(self.frames) - 1)
        valid = (self.frames[later] == self.frames + lag) & (self.cluster[later] == self.cluster)
        first = values * _column(valid, 3)
        product = self.sums(np.einsum("lpa,lpb->lab", first, values[later]))
        number = leave_one_out(self.sums(valid.astype(float)))
        return leave_one_out(product + product.swapaxes(1, 2)) / _column(2 * number, 3)

    def squared_mean(self, values: Array) -> Array:
        """Return the square of the mean of (label, pol) without bias, shape (1 + cluster,)."""
        sums, counts = self.sums(values), self.counts
        of_sums = np.sum(leave_one_out(sums) ** 2, 1) - leave_one_out(np.sum(sums**2, 1))
        return np.asarray(of_sums / (leave_one_out(counts) ** 2 - leave_one_out(counts**2)))


def leave_one_out(sums: Array) -> Array:
    """Return the total of sums over clusters, and the totals without each, (1 + cluster, ...)."""
    total = sums.sum(0)
    return np.concatenate([total[None], total - sums])


def standard_error(replicates: Array) -> Array:
    """Return the jackknife standard error of estimates without each cluster, (cluster, ...).

    >>> values = np.array([1.0, 2.0, 6.0])
    >>> error = standard_error((values.sum() - values) / 2)
    >>> bool(np.isclose(error, values.std(ddof=1) / 3**0.5))
    True
    """
    n = len(replicates)
    return np.asarray(np.sqrt((n - 1) * np.var(replicates, axis=0)))


def local_response(
    model_current: npt.ArrayLike,
    frames: npt.ArrayLike,
    *,
    time_step: float,
    protocol: SpectralProtocol = IR1,
) -> Array:
    r"""Return what turns a current at one frame into its share of the cross spectrum.

    Parameters
    ----------
    model_current : array, shape (frame, pol)
        In e angstrom/fs.
    frames : array of int, shape (label,)
    time_step : float
        In fs.
    protocol : SpectralProtocol

    Returns
    -------
    array, shape (label, pol, wavenumber)
        In e angstrom.

    Notes
    -----
    .. math:: Y_t(\omega) = \Delta t \sum_{k} g_k w_k \cos(\omega \tau_k) \frac{N}{N - k}
              \frac{m(t + k) + m(t - k)}{2} - \overline{Y}(\omega)

    with g = 1 for lag zero and 2 for all others, w the lag window, and m = 0 outside of the
    trajectory. The weight N / (N - k) makes the mean of :math:`d_t \cdot Y_t` over all frames
    the cross spectrum with unbiased correlation functions; taking away the mean of Y over all
    frames removes the mean of d without knowing it.

    Examples
    --------
    >>> local_response(np.zeros((2000, 3)), [5], time_step=2.0).shape
    (1, 3, 2001)
    """
    rates, index = np.asarray(model_current, float), np.asarray(frames, int)
    n_frames, n_lags = len(rates), number_of_lags(time_step, protocol)
    if protocol.remove_mean:
        rates = rates - rates.mean(0)
    lags = np.arange(n_lags)
    padded = np.zeros((n_frames + 2 * n_lags, 3))
    padded[n_lags : n_lags + n_frames] = rates
    here = n_lags + index[:, None]
    both = (padded[here + lags] + padded[here - lags]) / 2
    if protocol.remove_mean:
        before = np.concatenate([np.zeros((1, 3)), np.cumsum(rates, 0)])
        both = both - (before[-1] - before[lags] + before[n_frames - lags]) / (2 * n_frames)
    weighted = both.swapaxes(1, 2).reshape(-1, n_lags) * (n_frames / (n_frames - lags))
    return lag_transform(weighted, time_step, protocol).reshape(len(index), 3, -1)


def channels(rates: Array, edges: Array, time_step: float) -> Array:
    """Return a current cut into ranges of wavenumbers that add up to it, (frame, pol, channel).

    Parameters
    ----------
    rates : array, shape (frame, pol)
    edges : array, shape (channel + 1,)
        In cm^-1; the outer ranges are open.
    time_step : float
        In fs.
    """
    from scipy.fft import irfft, rfft, rfftfreq

    transform = rfft(rates, axis=0)
    wavenumber = 2 * np.pi * rfftfreq(len(rates), time_step) / ANGULAR
    channel = np.searchsorted(edges[1:-1], wavenumber, side="right")
    parts = [
        irfft(transform * (channel == k)[:, None], len(rates), axis=0)
        for k in range(len(edges) - 1)
    ]
    return np.stack(parts, -1)


def _column(values: npt.NDArray[np.generic], ndim: int) -> Array:
    return np.asarray(values, float).reshape(-1, *[1] * (ndim - 1))
