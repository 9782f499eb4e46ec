"""P-values, rank groups, and how often intervals cover on correlated data with a known truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t, ttest_1samp

from aptbench import Frames
from aptbench.errors import AlignmentError
from aptbench.metrics import BlockBootstrap, accumulate
from aptbench.metrics.mean import Mean
from aptbench.metrics.registry import get_metric
from aptbench.metrics.significance import difference, holm, p_value, rank


def means(error: np.ndarray) -> dict:
    """Means of ``rmse`` of a model with these errors (frame,), the same in all components."""
    frames = Frames([1], np.zeros((len(error), 1, 3)))
    zero = np.zeros((len(error), 1, 3, 3))
    return accumulate(["rmse"], zero + error[:, None, None, None], zero, frames)


@given(st.integers(0, 10**6), st.sampled_from([7, 12, 200]), st.floats(0.0, 1.0))
def test_of_a_mean_it_is_the_paired_t_test(seed: int, n: int, shift: float) -> None:
    frames = np.random.default_rng(seed).normal(shift, 0.5, n)
    bootstrap = BlockBootstrap(replicates=4000)
    replicates = bootstrap.counts(n) @ frames / n
    p = p_value(frames.mean(), replicates, n, bootstrap)
    exact = ttest_1samp(frames, 0.0)
    statistic = abs(t.ppf(p / 2, n - 1))
    assert statistic == pytest.approx(abs(exact.statistic), rel=0.06)


def test_without_spread_or_with_one_block() -> None:
    bootstrap = BlockBootstrap(replicates=99)
    assert p_value(3.0, np.full(99, 3.0), 500, bootstrap) == 0.0
    assert p_value(0.0, np.zeros(99), 10, bootstrap) == 1.0
    assert np.isnan(p_value(1.0, np.ones(99), 1, bootstrap))
    # the same difference means less where there are few frames
    values = np.random.default_rng(0).normal(3.0, 1.0, 99)
    assert p_value(3.0, values, 4, bootstrap) > 10 * p_value(3.0, values, 400, bootstrap)


def test_holm_against_its_definition() -> None:
    assert holm([]) == []
    assert holm([0.2]) == [0.2]
    assert holm([0.04, 0.01, 0.03, 0.005]) == pytest.approx([0.06, 0.03, 0.06, 0.02])
    assert max(holm([0.5, 0.6, 0.9])) == 1.0


def test_a_paired_difference_sees_what_unpaired_intervals_hide() -> None:
    rng = np.random.default_rng(3)
    hard = 0.1 * np.exp(rng.normal(size=40))  # some frames are harder for every model
    a, b = means(hard), means(1.05 * hard)
    bootstrap = BlockBootstrap()
    found = difference(b, a, "rmse", bootstrap)
    assert found.low is not None
    assert found.low > 0
    assert found.value == pytest.approx(0.05 * np.sqrt(np.mean(hard**2)))
    ranked = rank({"b": b, "a": a}, "rmse", bootstrap)
    assert [(r.name, r.group) for r in ranked] == [("a", 1), ("b", 2)]
    assert ranked[0].high > ranked[1].low  # their own intervals overlap


def test_groups_start_where_the_leader_is_left_behind() -> None:
    rng = np.random.default_rng(5)
    errors = {
        name: size * (1 + 0.1 * rng.normal(size=60))
        for name, size in (("d", 0.3), ("b", 0.1), ("c", 0.3003), ("a", 0.1002), ("e", 0.9))
    }
    ranked = rank({name: means(error) for name, error in errors.items()}, "rmse", BlockBootstrap())
    groups = {r.name: r.group for r in ranked}
    assert groups == {"a": 1, "b": 1, "c": 2, "d": 2, "e": 3}
    leaders = [r for r in ranked if r.to_leader is None]
    assert len(leaders) == 3
    assert [r.to_best is None for r in ranked].count(True) == 1
    assert all(r.to_leader.p > 0.05 for r in ranked if r.to_leader is not None)


def test_one_frame_tells_nothing_apart() -> None:
    models = {"a": means(np.array([0.1])), "b": means(np.array([5.0]))}
    ranked = rank(models, "rmse", BlockBootstrap())
    assert [r.group for r in ranked] == [1, 1]
    assert ranked[1].to_leader.p is None
    assert rank({}, "rmse", BlockBootstrap()) == []
    with pytest.raises(AlignmentError, match="different frames"):
        rank({**models, "c": means(np.ones(3))}, "rmse", BlockBootstrap())


def correlated(rng: np.random.Generator, n: int, memory: float) -> np.ndarray:
    """A stationary autoregressive series of variance 1, shape (n,)."""
    decay = np.exp(-1 / memory)
    noise = rng.normal(size=n)
    series = np.empty(n)
    series[0] = noise[0]
    for k in range(1, n):
        series[k] = decay * series[k - 1] + np.sqrt(1 - decay**2) * noise[k]
    return series


def covered(block: int, trials: int = 150, n: int = 800, memory: float = 5.0) -> float:
    """Share of 95 % intervals of the rms error that hold its true value."""
    rng = np.random.default_rng(11)
    bootstrap, metric = BlockBootstrap(replicates=400, block=block), get_metric("rmse")
    (key,) = metric.inputs
    hits = 0
    for _ in range(trials):
        squares = correlated(rng, n, memory)[:, None] ** 2
        mean = Mean(("H",), squares, np.ones_like(squares))
        counts = bootstrap.counts(n)
        low, high = bootstrap.interval(metric.compute({key: mean.totals(counts)}), n)
        hits += low <= 1.0 <= high
    return hits / trials


def test_long_blocks_cover_on_correlated_frames_and_single_frames_do_not() -> None:
    assert covered(block=1) < 0.80
    assert 0.88 <= covered(block=50) <= 0.99


def test_equal_models_are_told_apart_as_rarely_as_promised() -> None:
    rng, bootstrap = np.random.default_rng(2), BlockBootstrap(replicates=300)
    wrong = 0
    for _ in range(200):
        shared, a, b = rng.normal(size=(3, 16))
        size = np.exp(0.5 * shared)
        models = {"a": means(size * np.exp(0.2 * a)), "b": means(size * np.exp(0.2 * b))}
        wrong += rank(models, "rmse", bootstrap)[-1].group == 2
    assert wrong / 200 <= 0.10
