"""`score_uncertainty`: whether predicted standard deviations tell how large the errors are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.bootstrap import BlockBootstrap
from aptbench.errors import AlignmentError, InputError
from aptbench.frames import Frames
from aptbench.metrics.alignment import check_alignment
from aptbench.metrics.mean import Mean
from aptbench.metrics.scoring import Score

Array = npt.NDArray[np.float64]
Statistic = Callable[[Array, Array], Array]

_QUANTILE_95: Final = 1.959963984540054


@dataclass(frozen=True)
class UncertaintyMetric:
    """A number from means over atoms of statistics of error and predicted standard deviation.

    Parameters
    ----------
    title : str
    ideal : float
        Value of perfectly calibrated Gaussian uncertainties, or the end of the scale that is good.
    statistics : tuple of callable
        Each maps errors and deviations (atom, pol, disp) in e to values (atom,), the atoms of all
        frames in a row.
    formula : callable
        Of the means of the statistics.
    """

    title: str
    ideal: float
    statistics: tuple[Statistic, ...]
    formula: Callable[..., Array]


def squared_ratio(error: Array, deviation: Array) -> Array:
    """Return (error / deviation)^2, mean over the 9 components, shape (atom,).

    A component without error is as predicted whatever the deviation; one with an error and no
    deviation is infinitely wrong.
    """
    ratio = np.full(error.shape, np.inf)
    np.divide(error, deviation, out=ratio, where=deviation > 0)
    ratio[error == 0] = 0.0
    return np.mean(ratio**2, axis=(-2, -1))


def covered(error: Array, deviation: Array) -> Array:
    """Return the share of the 9 components inside 1.96 deviations, shape (atom,)."""
    return np.mean(np.abs(error) <= _QUANTILE_95 * deviation, axis=(-2, -1))


def surprise(error: Array, deviation: Array) -> Array:
    """Return minus the logarithm of the Gaussian density (1/e) at the error, in nats a component.

    Infinite where a deviation is zero.
    """
    known = np.all(deviation > 0, axis=(-2, -1))
    width = np.log(np.sqrt(2 * np.pi) * np.where(known[..., None, None], deviation, 1.0))
    return np.where(known, width.mean((-2, -1)) + squared_ratio(error, deviation) / 2, np.inf)


def _rank_product(first: int, second: int) -> Statistic:
    def statistic(error: Array, deviation: Array) -> Array:
        from scipy.stats import rankdata

        sizes = [np.sqrt(np.mean(x**2, axis=(-2, -1))) for x in (error, deviation)]
        ranks = [rankdata(sizes[k]) - (sizes[k].size + 1) / 2 for k in (first, second)]
        return np.reshape(ranks[0] * ranks[1], sizes[0].shape)

    return statistic


def _correlation(mixed: Array, first: Array, second: Array) -> Array:
    norm = np.sqrt(np.asarray(first) * np.asarray(second))
    return np.divide(mixed, norm, out=np.full(np.shape(norm), np.nan), where=norm > 0)


UNCERTAINTY_METRICS: Final[Mapping[str, UncertaintyMetric]] = MappingProxyType(
    {
        "z_score": UncertaintyMetric(
            "rms of error over predicted deviation", 1.0, (squared_ratio,), np.sqrt
        ),
        "coverage_95": UncertaintyMetric(
            "share of components inside the predicted 95 % interval", 0.95, (covered,), np.asarray
        ),
        "error_rank_correlation": UncertaintyMetric(
            "Spearman correlation of error and predicted deviation over atoms",
            1.0,
            (_rank_product(0, 1), _rank_product(0, 0), _rank_product(1, 1)),
            _correlation,
        ),
        "negative_log_likelihood": UncertaintyMetric(
            "mean negative log likelihood of a component, in nats of a density per e",
            -np.inf,
            (surprise,),
            np.asarray,
        ),
    }
)
"""Metrics by name, in the order of the tables."""


def score_uncertainty(
    prediction: npt.ArrayLike,
    deviation: npt.ArrayLike,
    reference: npt.ArrayLike,
    frames: Frames,
    *,
    bootstrap: BlockBootstrap | None = None,
) -> dict[str, Score]:
    r"""Score predicted standard deviations against the errors of the prediction.

    Parameters
    ----------
    prediction, deviation, reference : array, shape (frame, atom, pol, disp)
        In e.
    frames : Frames
    bootstrap : BlockBootstrap, optional
        How intervals are made; none are made if not given.

    Returns
    -------
    dict of str to Score
        By the names of `UNCERTAINTY_METRICS`. A value may be infinite (an error where the
        deviation is zero) or NaN (a correlation without spread).

    Raises
    ------
    AlignmentError
        If frames or atoms are missing.
    InputError
        If a shape is wrong, a value is not finite, or a deviation is negative.

    Notes
    -----
    :math:`z^2 = \langle (\Delta P / \sigma)^2 \rangle` over components, atoms and frames; 2 means
    that the model is twice too sure. The likelihood rewards accuracy as well as calibration; the
    correlation does not depend on the scale of the deviations, and its replicates keep the ranks
    of the whole sample, so that it is a formula of additive means like the others. On scoring rules
    see Gneiting, Raftery, J. Am. Stat. Assoc. 102, 359 (2007), doi:10.1198/016214506000001437.

    Examples
    --------
    >>> frames, zero = Frames([1, 1], np.zeros((2, 3))), np.zeros((1, 2, 3, 3))
    >>> score_uncertainty(zero + 0.2, zero + 0.1, zero, frames)["z_score"].value
    2.0
    """
    deviations = PredictedDeviations(prediction, deviation, reference, frames)
    return score_uncertainties([deviations], bootstrap=bootstrap)


@dataclass(frozen=True, eq=False)
class PredictedDeviations:
    """Tensors of one system with predicted standard deviations, and their labels.

    Parameters
    ----------
    prediction, deviation, reference : array, shape (frame, atom, pol, disp)
        In e.
    frames : Frames
    block : array of int, shape (frame,), optional
        Number of the block of each frame, from 0 on: a bootstrap takes all frames of a block or
        none. Each frame is a block of its own if None.
    """

    prediction: npt.ArrayLike
    deviation: npt.ArrayLike
    reference: npt.ArrayLike
    frames: Frames
    block: npt.ArrayLike | None = None


def score_uncertainties(
    systems: Sequence[PredictedDeviations], *, bootstrap: BlockBootstrap | None = None
) -> dict[str, Score]:
    """Score predicted standard deviations of several systems together; see `score_uncertainty`.

    Every atom counts the same, and the blocks of all systems are resampled.
    """
    errors, deviations, sizes = [], [], []
    blocks: list[int] = []
    for one in systems:
        predicted, labels = check_alignment(one.prediction, one.reference, one.frames)
        errors.append((predicted - labels).reshape(-1, 3, 3))
        deviations.append(checked_deviation(one.deviation, one.frames).reshape(-1, 3, 3))
        sizes += [one.frames.n_atoms] * len(one.frames)
        own = np.arange(len(one.frames)) if one.block is None else np.asarray(one.block)
        blocks += (own + (blocks[-1] + 1 if blocks else 0)).tolist()
    error, deviation = np.concatenate(errors), np.concatenate(deviations)
    n_blocks = max(blocks) + 1
    counts = None if bootstrap is None else bootstrap.counts(n_blocks)
    scores = {}
    for name, metric in UNCERTAINTY_METRICS.items():
        means = [
            _mean(statistic(error, deviation), sizes).grouped(blocks)
            for statistic in metric.statistics
        ]
        value = float(metric.formula(*(mean.totals().mean() for mean in means)))
        low = high = None
        if bootstrap is not None and np.isfinite(value):
            replicates = metric.formula(*(mean.totals(counts).mean() for mean in means))
            ends = bootstrap.interval(replicates, n_blocks)
            low, high = (None, None) if np.isnan(ends[0]) else ends
        scores[name] = Score(value, low, high, "1")
    return scores


def checked_deviation(deviation: npt.ArrayLike, frames: Frames) -> Array:
    """Return predicted standard deviations as an array, or say what is wrong with them.

    Parameters
    ----------
    deviation : array, shape (frame, atom, pol, disp)
        In e.
    frames : Frames

    Raises
    ------
    AlignmentError
        If the shape does not fit the frames.
    InputError
        If a value is negative or not finite.
    """
    array = np.asarray(deviation, float)
    expected = (len(frames), frames.n_atoms, 3, 3)
    if array.shape != expected:
        raise AlignmentError(
            "The standard deviations do not have the shape of the tensors.",
            got=array.shape,
            expected=f"(frame, atom, pol, disp) = {expected}",
        )
    bad = np.argwhere(~(np.isfinite(array) & (array >= 0)))
    if len(bad):
        raise InputError(
            f"{len(bad)} standard deviations are negative or not finite.",
            got=f"{array[tuple(bad[0])]} at index {tuple(int(k) for k in bad[0])}",
            expected="numbers from 0 up",
        )
    return array


def calibration_curve(error: Array, deviation: Array, *, bins: int = 12) -> tuple[Array, Array]:
    """Return what is predicted and what is found, in bins of equally many components.

    Parameters
    ----------
    error, deviation : array, shape (frame, atom, pol, disp)
        In e.
    bins : int
        At most; every bin has at least 20 components, if there are as many.

    Returns
    -------
    predicted, found : array, shape (bin,)
        Root mean square of the deviation and of the error in each bin, by growing deviation, in e;
        equal for a calibrated model.

    Examples
    --------
    >>> deviation = np.repeat([0.1, 0.2], 90).reshape(1, 20, 3, 3)
    >>> predicted, found = calibration_curve(2 * deviation, deviation, bins=2)
    >>> predicted.round(3), found.round(3)
    (array([0.1, 0.2]), array([0.2, 0.4]))
    """
    order = np.argsort(np.ravel(deviation), kind="stable")
    bins = max(1, min(bins, order.size // 20))
    curves = (
        [np.sqrt(np.mean(np.ravel(x)[part] ** 2)) for part in np.array_split(order, bins)]
        for x in (deviation, error)
    )
    predicted, found = (np.array(curve) for curve in curves)
    return predicted, found


def _mean(values: Array, sizes: Sequence[int]) -> Mean:
    """Sums over the atoms of each frame, which a bootstrap resamples; from values (atom,)."""
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    weights = np.array(sizes, float)[:, None]
    return Mean(("all",), np.add.reduceat(values, starts)[:, None], weights)
