"""`score`: metrics of a prediction by name, with intervals; the same streamed and in pairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aptbench.bootstrap import BlockBootstrap
from aptbench.errors import AlignmentError
from aptbench.frames import Frames
from aptbench.metrics.alignment import check_alignment
from aptbench.metrics.base import Binned, Metric
from aptbench.metrics.mean import Mean
from aptbench.metrics.registry import get_metric, metric_names

Means = Mapping[Binned, Mean]


@dataclass(frozen=True)
class Score:
    """The value of a metric, with its interval.

    Parameters
    ----------
    value : float
    low, high : float or None
        Ends of the interval; None if none was asked for, or too few frames allow none.
    unit : str
        ``"1"`` for a number without unit.
    """

    value: float
    low: float | None
    high: float | None
    unit: str


def score(
    prediction: npt.ArrayLike,
    reference: npt.ArrayLike,
    frames: Frames,
    *,
    names: Iterable[str] | None = None,
    bootstrap: BlockBootstrap | None = None,
) -> dict[str, Score]:
    """Score predicted tensors against reference tensors.

    Parameters
    ----------
    prediction, reference : array, shape (frame, atom, pol, disp)
        In e.
    frames : Frames
        The frames that both describe; with velocities for ``current_error``.
    names : iterable of str, optional
        Names of metrics (see `METRICS`); all that the frames allow if not given.
    bootstrap : BlockBootstrap, optional
        How intervals are made; none are made if not given.

    Returns
    -------
    dict of str to Score

    Raises
    ------
    AlignmentError
        If frames or atoms are missing.
    InputError
        If a shape is wrong, a value is not finite, or velocities are needed and missing.
    UnknownNameError
        If a metric is unknown, or a species does not occur.

    Examples
    --------
    >>> frames = Frames([8, 1, 1], np.eye(3))
    >>> reference = np.zeros((1, 3, 3, 3))
    >>> score(reference + 0.1, reference, frames, names=["rmse", "rmse[O]"])["rmse"].value
    0.1
    """
    names = tuple(metric_names(frames) if names is None else names)
    return score_means(accumulate(names, prediction, reference, frames), names, bootstrap)


def accumulate(
    names: Iterable[str],
    prediction: npt.ArrayLike,
    reference: npt.ArrayLike,
    frames: Frames,
    earlier: Means | None = None,
) -> dict[Binned, Mean]:
    """Return the means that metrics need, joined to those of earlier frames: for streaming.

    Examples
    --------
    >>> frames, zero = Frames([1], np.zeros((4, 1, 3))), np.zeros((4, 1, 3, 3))
    >>> means = accumulate(["rmse"], zero[:3] + 1.0, zero[:3], frames[:3])
    >>> means = accumulate(["rmse"], zero[3:] + 2.0, zero[3:], frames[3:], means)
    >>> round(score_means(means, ["rmse"])["rmse"].value ** 2, 6)
    1.75
    """
    metrics = [get_metric(name) for name in names]
    predicted, labels = check_alignment(prediction, reference, frames)
    means = {}
    for key in dict.fromkeys(key for metric in metrics for key in metric.inputs):
        mean = Mean.of(key.statistic(predicted, labels, frames), key, frames)
        means[key] = mean if earlier is None else earlier[key].merge(mean)
    return means


def score_means(
    means: Means, names: Iterable[str], bootstrap: BlockBootstrap | None = None
) -> dict[str, Score]:
    """Return scores from accumulated means."""
    n_frames = _n_frames(means)
    counts = None if bootstrap is None else bootstrap.counts(n_frames)
    once = {key: mean.totals() for key, mean in means.items()}
    drawn = {} if counts is None else {key: mean.totals(counts) for key, mean in means.items()}
    scores = {}
    for name in names:
        metric = get_metric(name)
        value = float(metric.compute(once))
        low = high = None
        if bootstrap is not None:
            ends = bootstrap.interval(metric.compute(drawn), n_frames)
            low, high = (None, None) if np.isnan(ends[0]) else ends
        scores[name] = Score(value, low, high, metric.unit)
    return scores


def compare(
    first: Means, second: Means, name: str, bootstrap: BlockBootstrap
) -> tuple[Score, float]:
    """Compare two models on the same frames by a paired bootstrap.

    Parameters
    ----------
    first, second : mapping
        Means of each model, from `accumulate`.
    name : str
        Name of the metric.
    bootstrap : BlockBootstrap

    Returns
    -------
    difference : Score
        Metric of the first minus metric of the second; significant if the interval leaves out 0.
    fraction : float
        Fraction of the replicates in which the first is smaller (ties count half).

    Raises
    ------
    AlignmentError
        If the two do not have the same number of frames.
    """
    n_frames = _n_frames(first)
    if _n_frames(second) != n_frames:
        raise AlignmentError(
            "Two models are compared on different frames.",
            got=f"{n_frames} and {_n_frames(second)} frames",
            expected="the same frames in the same order",
        )
    metric, counts = get_metric(name), bootstrap.counts(n_frames)
    value = float(_compute(metric, first) - _compute(metric, second))
    replicates = _compute(metric, first, counts) - _compute(metric, second, counts)
    low, high = bootstrap.interval(replicates, n_frames)
    fraction = float(np.mean(replicates < 0) + np.mean(replicates == 0) / 2)
    if np.isnan(low):
        return Score(value, None, None, metric.unit), fraction
    return Score(value, low, high, metric.unit), fraction


def _compute(
    metric: Metric, means: Means, counts: npt.NDArray[np.int64] | None = None
) -> npt.NDArray[np.float64]:
    return metric.compute({key: means[key].totals(counts) for key in metric.inputs})


def _n_frames(means: Means) -> int:
    return len(next(iter(means.values())))
