"""`LabelEstimate`: cross and residual spectrum of a model current, from labels of a few frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aptbench.spectra.absorption import lag_transform
from aptbench.spectra.label_sample import (
    LabelSample,
    channels,
    leave_one_out,
    local_response,
    standard_error,
)
from aptbench.spectra.residual import ResidualShape

Array = npt.NDArray[np.float64]

LABELS_PER_CHANNEL = 3
"""Labels for each channel of the model that a coefficient is fitted to."""

NARROWEST = 2.0
"""Least width of such a channel, in line widths of the protocol."""


@dataclass(frozen=True, eq=False)
class LabelEstimate:
    """Estimates from all labels in row 0, and without each cluster in the others.

    Parameters
    ----------
    cross : array, shape (row, wavenumber)
        Cross spectrum of model and residual, classical, in cm^-1.
    unshrunk : array, shape (row, wavenumber)
        The same with all of what the channels of the model leave.
    shrunk : array, shape (row, wavenumber)
        Replicates whose spread is the uncertainty of what was shrunk away.
    residual : array, shape (row, wavenumber)
        Spectrum of the residual, in cm^-1.
    coherent, deviation : array, shape (wavenumber,)
        Its coherent part, and the standard uncertainty of the rest, in cm^-1.
    hidden : tuple of array, shape (wavenumber,)
        How much less and more there may be because of bands that are not in the model, cm^-1.
    mean_square : array, shape (row,)
        Of the residual, in (e angstrom/fs)^2.
    current_error : array, shape (row,)
        Relative error of the model current.
    method : str
    """

    cross: Array
    unshrunk: Array
    shrunk: Array
    residual: Array
    coherent: Array
    deviation: Array
    hidden: tuple[Array, Array]
    mean_square: Array
    current_error: Array
    method: str

    @classmethod
    def of(
        cls, shape: ResidualShape, sample: LabelSample, rates: Array, control_variate: bool
    ) -> LabelEstimate:
        """Estimate from labels, with the model current at all frames, (frame, pol)."""
        protocol, time_step = shape.protocol, shape.time_step
        edges = shape.edges
        # too few labels for a coefficient a cell: one for all, and no assumption on what it leaves
        few = sample.n_clusters < len(edges)
        n_channels = min(len(sample.frames) // LABELS_PER_CHANNEL, sample.n_clusters // 2)
        cuts = edges[[0, -1]] if few else _finer(shape, n_channels)
        parts = channels(rates, cuts, time_step)
        own = parts[sample.frames]
        columns = np.concatenate([sample.residual[..., None], own], 2)

        products = sample.mean_product(columns, 0)
        # a channel in which the model has nothing must not make the equations singular
        size = np.maximum(np.trace(products[:, 1:, 1:], axis1=1, axis2=2), 1e-200)
        tiny = 1e-14 * size[:, None, None] * np.eye(own.shape[2])
        slope = np.linalg.solve(products[:, 1:, 1:] + tiny, products[:, 1:, :1])[..., 0]
        known = _shared_spectra(shape, parts, rates)
        response = shape.factor * local_response(
            rates, sample.frames, time_step=time_step, protocol=protocol
        )
        fitted = slope if control_variate else np.zeros_like(slope)
        rest = _mean_of_leftover(sample, columns, fitted, response)
        keep, extra = np.ones_like(rest[0]), np.zeros_like(rest[0])
        if control_variate and not few:
            scores = np.einsum("lp,lpw->lw", sample.residual - own @ fitted[0], response)
            keep, extra = _shrinkage(sample, scores, rest[0], shape)
        cross = fitted @ known + keep * rest

        def mean_of_products(lag: int) -> Array:
            """Mean of d d at a lag: what the labels say, with dense means where they are known."""
            of_labels = sample.mean_product(columns, lag)
            n = len(parts) - lag
            dense = np.einsum("tpa,tpb->ab", parts[:n], parts[lag:]) / n
            dense = (dense + dense.T) / 2 - of_labels[:, 1:, 1:]
            return of_labels[:, 0, 0] + np.einsum("ra,rab,rb->r", slope, dense, slope)

        # the channels have no mean, so that of the residual is in what they leave
        left = sample.residual - own @ slope[0]
        offset = sample.squared_mean(left) if protocol.remove_mean else 0.0
        mean_square = np.maximum(mean_of_products(0) - offset, 0.0)
        lags = sample.lags(len(shape.model_correlation))
        correlations = np.zeros((len(slope), len(lags)))
        for k, lag in enumerate(lags):
            correlations[:, k] = mean_of_products(int(lag)) - offset

        channel = np.searchsorted(cuts[1:-1], protocol.wavenumber, side="right")
        noise = standard_error(slope[1:]) ** 2
        squared = np.maximum(slope**2 - noise, 0.0)
        varying = 2 * slope[:, channel] * (keep * rest if control_variate else 0 * rest)
        on_grid = np.maximum(mean_square - squared[:, -1] * max(shape.beyond, 0.0), 0.0)
        coherent = shape.possible(squared @ known, varying, on_grid)
        square = shape.model_correlation[0]
        with_model = np.einsum("tpa,tp->a", parts, rates) / len(rates)
        crossed = products[:, 0, 1:].sum(1) - np.einsum("ra,rab->r", slope, products[:, 1:, 1:])
        crossed = crossed + slope @ with_model
        reference = np.maximum(square + 2 * crossed + mean_square, np.finfo(float).tiny)
        error = np.sqrt(mean_square / reference)
        # the worse the model, the less its spectrum says about where its errors are
        residual, deviation, *hidden = shape.spread(
            coherent,
            on_grid,
            correlations,
            standard_error(correlations[1:]),
            lags,
            distrust=min(1.0, float(error[0]) ** 2),
        )
        return cls(
            cross,
            fitted @ known + rest,
            extra * rest,
            residual,
            coherent[0],
            deviation[0],
            (hidden[0], hidden[1]),
            mean_square,
            error,
            _method(control_variate, lags, time_step),
        )


def _mean_of_leftover(sample: LabelSample, columns: Array, slope: Array, response: Array) -> Array:
    """Mean of what the channels leave of the residual, times the response, (row, wavenumber)."""
    weights = np.concatenate([np.ones((len(slope), 1)), -slope], 1)
    total = weights @ np.tensordot(columns, response, ((0, 1), (0, 1)))
    # each row leaves out one cluster, with the coefficients of that row
    left_out = np.einsum("lpa,la->lp", columns, weights[1 + sample.cluster])
    total[1:] -= sample.sums(np.einsum("lp,lpw->lw", left_out, response))
    return np.asarray(total / leave_one_out(sample.counts)[:, None])


def _finer(shape: ResidualShape, n_channels: int) -> Array:
    """Cut the cells at their median intensity, the strongest first, and return all ends."""
    edges, grid = shape.edges.tolist(), shape.protocol.wavenumber
    narrowest = NARROWEST * shape.protocol.broadening
    total = np.cumsum(np.maximum(shape.model, 0.0))
    while len(edges) - 1 < n_channels:
        below = np.interp(edges, grid, total)
        share = np.diff(below) * (np.diff(edges) >= 2 * narrowest)
        k = int(np.argmax(share))
        if share[k] <= 0:
            break
        middle = float(grid[np.searchsorted(total, below[k] + share[k] / 2)])
        edges.insert(k + 1, float(np.clip(middle, edges[k] + narrowest, edges[k + 1] - narrowest)))
    return np.array(edges)


def _shared_spectra(shape: ResidualShape, parts: Array, rates: Array) -> Array:
    """Dense cross spectra of channels with the model, classical, (channel, wavenumber)."""
    from scipy.fft import irfft, next_fast_len, rfft

    n_frames, n_lags = len(rates), len(shape.model_correlation)
    size = next_fast_len(n_frames + n_lags, real=True)
    whole = rfft(rates, size, axis=0)
    even = np.empty((parts.shape[2], n_lags))
    for k, part in enumerate(np.moveaxis(parts, 2, 0)):
        # the real part is that of correlations even in time
        product = np.sum(np.conj(rfft(part, size, axis=0)) * whole, 1).real
        even[k] = irfft(product, size)[:n_lags] / (n_frames - np.arange(n_lags))
    return shape.factor * lag_transform(even, shape.time_step, shape.protocol)


def _shrinkage(
    sample: LabelSample, scores: Array, rest: Array, shape: ResidualShape
) -> tuple[Array, Array]:
    """Factor on what the channels leave, and how much of its noise to add, each (wavenumber,).

    Empirical Bayes in each cell: the leftover is kept as far as it is larger than its noise. With
    the factor s, the variance of its posterior is s times that of the noise: s^2 is in the
    replicates already, s (1 - s) is added; there with s one standard error larger.
    """
    n, counts = sample.n_clusters, sample.counts
    spread = sample.sums(scores) - rest * counts[:, None]
    variance = np.sum(spread**2, 0) / counts.sum() ** 2 * n / (n - 1)
    grid, edges = shape.protocol.wavenumber, shape.edges
    cell = np.searchsorted(edges[1:-1], grid, side="right")
    keep, extra = np.ones_like(rest), np.zeros_like(rest)
    for k, width in enumerate(np.diff(edges)):
        inside = cell == k
        noise, seen = variance[inside].sum(), np.sum(rest[inside] ** 2)
        s = max(0.0, 1 - noise / seen) if noise > 0 else 1.0
        independent = max(1.0, width / (1.5 * shape.protocol.broadening))
        more = min(1.0, s + (1 - s) * (2 / independent) ** 0.5)
        keep[inside] = s
        extra[inside] = max(0.0, more - s**2) ** 0.5
    return keep, extra


def _method(control_variate: bool, lags: npt.NDArray[np.int64], time_step: float) -> str:
    if control_variate:
        cross = "regression on the channels of the model and a shrunken mean of what they leave"
    else:
        cross = "plain mean over labels"
    if len(lags):
        shape = f"correlations of neighbouring labels up to {lags[-1] * time_step:g} fs"
    else:
        shape = "the sum rule and the shape of the model spectrum"
    return (
        f"cross spectrum: {cross}; residual spectrum: {shape}; "
        "band: jackknife over clusters of labels, plus the uncertainty of the residual spectrum"
    )
