"""`p_value`: how often chance alone makes two models as different as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aptbench.bootstrap import BlockBootstrap
from aptbench.errors import AlignmentError
from aptbench.metrics.registry import get_metric
from aptbench.metrics.scoring import Means, Score, score_means

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """A metric of one model minus that of another, on the same frames.

    Parameters
    ----------
    value : float
    low, high : float or None
        Ends of its interval; None where too few frames allow none.
    p : float or None
        Two-sided p-value of no difference.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None

    @classmethod
    def of(
        cls, value: float, replicates: Array, n_frames: int, bootstrap: BlockBootstrap
    ) -> Difference:
        """Return a difference with the interval and the p-value that its replicates give.

        Parameters
        ----------
        value : float
        replicates : array, shape (replicate,)
            Of it.
        n_frames : int
            That the bootstrap resamples.
        bootstrap : BlockBootstrap
        """
        low, high = bootstrap.interval(replicates, n_frames)
        if np.isnan(low):
            return cls(value, None, None, None)
        return cls(value, low, high, p_value(value, replicates, n_frames, bootstrap))


def difference(first: Means, second: Means, name: str, bootstrap: BlockBootstrap) -> Difference:
    """Compare two models by a paired bootstrap: both are resampled in the same way.

    Parameters
    ----------
    first, second : mapping
        Means of each model, from `aptbench.metrics.accumulate`.
    name : str
        Name of the metric.
    bootstrap : BlockBootstrap

    Returns
    -------
    Difference
        First minus second.

    Raises
    ------
    AlignmentError
        If the two do not have the same number of frames.
    """
    n_frames = _same_frames((first, second))
    metric, counts = get_metric(name), bootstrap.counts(n_frames)

    def of(means: Means, counts: npt.NDArray[np.int64] | None) -> Array:
        return metric.compute({key: means[key].totals(counts) for key in metric.inputs})

    value = float(of(first, None) - of(second, None))
    replicates = of(first, counts) - of(second, counts)
    return Difference.of(value, replicates, n_frames, bootstrap)


def p_value(
    value: float, replicates: npt.ArrayLike, n_frames: int, bootstrap: BlockBootstrap
) -> float:
    r"""Return the two-sided p-value of zero, from a difference and its replicates.

    Parameters
    ----------
    value : float
        The difference.
    replicates : array, shape (replicate,)
        Of it.
    n_frames : int
    bootstrap : BlockBootstrap

    Returns
    -------
    float
        NaN with one block.

    Notes
    -----
    The difference over its standard error is taken to follow Student's t with n - 1 degrees of
    freedom, n the number of blocks (one less for each stratum); the standard error is the spread
    of the replicates times :math:`\sqrt{n/(n-1)}`, because resampling n blocks underestimates it.
    It is the t test of the mean of a metric that is a mean over frames. Shares of replicates beyond
    zero, the other way to a p-value, end at one over their number, and a Holm correction would then
    tell nothing apart.

    Examples
    --------
    >>> replicates = np.random.default_rng(0).normal(2.0, 1.0, 4000)
    >>> round(p_value(2.0, replicates, 1000, BlockBootstrap()), 2)
    0.05
    """
    from scipy.special import stdtr

    values = np.asarray(replicates, float)
    values = values[np.isfinite(values)]
    degrees = bootstrap.degrees_of_freedom(n_frames)
    if not degrees or not values.size:
        return float("nan")
    error = float(np.std(values)) * bootstrap.inflation(n_frames)
    if error == 0:
        return 1.0 if value == 0 else 0.0
    return float(2 * stdtr(degrees, -abs(value) / error))


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values that may be compared with one level although there are several.

    Holm, Scand. J. Statist. 6, 65 (1979): the chance that any true hypothesis is rejected at the
    level is at most the level, however the tests depend on each other.

    Examples
    --------
    >>> [round(x, 3) for x in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, float)
    order = np.argsort(values)
    factors = len(values) - np.arange(len(values))
    adjusted = np.minimum(1.0, np.maximum.accumulate(factors * values[order]))
    found = np.empty(len(values))
    found[order] = adjusted
    return [float(x) for x in found]


@dataclass(frozen=True)
class Ranked:
    """A model in a ranking.

    Parameters
    ----------
    name : str
    value : float
        Of the metric.
    low, high : float or None
        Ends of its interval.
    group : int
        From 1. Models of a group are not told apart from its best one, which is told apart from
        every model of the groups that follow.
    to_leader : Difference or None
        From the best of the group; its p is adjusted by Holm for all models that this one was
        compared with at that place. None for the best of a group itself.
    to_best : Difference or None
        From the best of all, not adjusted; None for it.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    group: int
    to_leader: Difference | None
    to_best: Difference | None


def rank(
    models: dict[str, Means], name: str, bootstrap: BlockBootstrap, *, level: float = 0.05
) -> list[Ranked]:
    """Order models by a metric of which less is better, in groups that the frames can tell apart.

    The best model leads the first group, and with it are all models that are not significantly
    worse: by the paired difference to the leader, p-values adjusted by Holm for the comparisons
    with this leader. The best of the rest leads the next group, and so on.

    Parameters
    ----------
    models : dict of str to means
        From `aptbench.metrics.accumulate`, on the same frames.
    name : str
        Name of the metric.
    bootstrap : BlockBootstrap
    level : float
        Of significance.

    Returns
    -------
    list of Ranked
        Best first; equal ones in the order of the input.

    Raises
    ------
    AlignmentError
        If the models were not scored on the same number of frames.

    Examples
    --------
    >>> from aptbench import Frames
    >>> from aptbench.metrics import accumulate
    >>> rng, frames = np.random.default_rng(0), Frames([1] * 30, np.zeros((12, 30, 3)))
    >>> labels = np.zeros((12, 30, 3, 3))
    >>> models = {
    ...     name: accumulate(["rmse"], width * rng.normal(size=labels.shape), labels, frames)
    ...     for name, width in (("a", 0.1), ("b", 0.1), ("c", 0.2))
    ... }
    >>> [one.group for one in rank(models, "rmse", BlockBootstrap())]
    [1, 1, 2]
    """
    if not models:
        return []
    _same_frames(tuple(models.values()))
    scores = {key: score_means(means, [name], bootstrap)[name] for key, means in models.items()}
    return rank_scores(
        scores,
        lambda one, other: difference(models[one], models[other], name, bootstrap),
        level=level,
    )


def rank_scores(
    scores: Mapping[str, Score], gap_of: Callable[[str, str], Difference], *, level: float = 0.05
) -> list[Ranked]:
    """Order models as `rank` does, by scores and paired differences that were made elsewhere.

    Parameters
    ----------
    scores : mapping of str to Score
        Of which less is better; at least one.
    gap_of : callable
        Returns the score of one model minus that of another, both given by name.
    level : float
    """
    left = sorted(scores, key=lambda key: scores[key].value)
    best, group, ranked = left[0], 0, []
    while left:
        leader, *others = left
        group += 1
        found = [gap_of(o, leader) for o in others]
        # without an interval nothing is told apart
        adjusted = holm([1.0 if d.p is None else d.p for d in found])
        members: dict[str, Difference | None] = {leader: None}
        members |= {
            o: Difference(d.value, d.low, d.high, None if d.p is None else p)
            for o, d, p in zip(others, found, adjusted, strict=True)
            if p > level
        }
        for member, gap in members.items():
            to_best = None if member == best else gap_of(member, best)
            s = scores[member]
            ranked.append(Ranked(member, s.value, s.low, s.high, group, gap, to_best))
        left = [key for key in left if key not in members]
    return ranked


def _same_frames(models: Sequence[Means]) -> int:
    sizes = {len(next(iter(means.values()))) for means in models}
    if len(sizes) != 1:
        raise AlignmentError(
            "Models are compared on different frames.",
            got=f"{sorted(sizes)} frames",
            expected="the same frames in the same order",
        )
    return sizes.pop()
