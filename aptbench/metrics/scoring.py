"""`score`: metrics of a prediction by name, with intervals; the same streamed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aptbench.bootstrap import BlockBootstrap
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
    names: Iterable[str | Metric] | None = None,
    bootstrap: BlockBootstrap | None = None,
) -> dict[str, Score]:
    """Score predicted tensors against reference tensors.

    Parameters
    ----------
    prediction, reference : array, shape (frame, atom, pol, disp)
        In e.
    frames : Frames
        The frames that both describe; with velocities for ``current_error``.
    names : iterable of str or Metric, optional
        Names of metrics (see `METRICS`), or metrics of your own (docs/own-metric.md); all that the
        frames allow if not given.
    bootstrap : BlockBootstrap, optional
        How intervals are made; none are made if not given.

    Returns
    -------
    dict of str to Score
        A metric of your own is there by the name of its class.

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
    names: Iterable[str | Metric],
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
    metrics = _by_name(names).values()
    predicted, labels = check_alignment(prediction, reference, frames)
    means = {}
    for key in dict.fromkeys(key for metric in metrics for key in metric.inputs):
        mean = Mean.of(key.statistic(predicted, labels, frames), key, frames)
        means[key] = mean if earlier is None else earlier[key].merge(mean)
    return means


def score_means(
    means: Means, names: Iterable[str | Metric], bootstrap: BlockBootstrap | None = None
) -> dict[str, Score]:
    """Return scores from accumulated means."""
    n_frames = _n_frames(means)
    counts = None if bootstrap is None else bootstrap.counts(n_frames)
    once = {key: mean.totals() for key, mean in means.items()}
    drawn = {} if counts is None else {key: mean.totals(counts) for key, mean in means.items()}
    scores = {}
    for name, metric in _by_name(names).items():
        value = float(metric.compute(once))
        low = high = None
        if bootstrap is not None:
            ends = bootstrap.interval(metric.compute(drawn), n_frames)
            low, high = (None, None) if np.isnan(ends[0]) else ends
        scores[name] = Score(value, low, high, metric.unit)
    return scores


def _by_name(names: Iterable[str | Metric]) -> dict[str, Metric]:
    """Return metrics by name; one that is given itself has the name of its class."""
    found: dict[str, Metric] = {}
    for one in names:
        if isinstance(one, str):
            found[one] = get_metric(one)
        else:
            found[type(one).__name__] = one
    return found


def _n_frames(means: Means) -> int:
    return len(next(iter(means.values())))
