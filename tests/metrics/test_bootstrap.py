"""Means that do not depend on chunks, and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest

from aptbench.errors import AlignmentError, InputError
from aptbench.frames import Frames
from aptbench.metrics import BlockBootstrap, accumulate, difference, metric_names, score_means


@pytest.mark.parametrize("cuts", [[6], [1, 2, 11], list(range(1, 12))])
def test_chunks_change_not_a_bit(case, cuts) -> None:
    prediction, reference, frames = case
    names, bootstrap = metric_names(frames), BlockBootstrap(20, block=2)
    whole = score_means(accumulate(names, prediction, reference, frames), names, bootstrap)
    means = None
    for start, stop in zip([0, *cuts], [*cuts, 12], strict=True):
        part = slice(start, stop)
        means = accumulate(names, prediction[part], reference[part], frames[part], means)
    assert score_means(means, names, bootstrap) == whole


def test_systems_with_other_species_merge(case) -> None:
    prediction, reference, frames = case
    means = accumulate(["rmse"], prediction, reference, frames)
    ion = Frames([11], np.zeros((1, 3)))
    means = accumulate(["rmse"], np.full((1, 1, 3, 3), 0.3), np.zeros((1, 1, 3, 3)), ion, means)
    assert score_means(means, ["rmse[Na]"])["rmse[Na]"].value == pytest.approx(0.3)
    assert score_means(means, ["rmse[O]"])["rmse[O]"].value < 0.1


def test_counts_are_contiguous_blocks_and_every_frame_is_equally_likely() -> None:
    bootstrap = BlockBootstrap(20000, block=5, seed=2)
    counts = bootstrap.counts(20)
    assert (counts.sum(1) == 20).all()
    assert np.allclose(counts.mean(0), 1.0, atol=0.03)
    single = BlockBootstrap(1, block=5).counts(5)[0]
    assert (single == 1).all()
    assert np.array_equal(counts, bootstrap.counts(20))


def test_the_interval_covers_at_its_rate_for_few_and_many_frames() -> None:
    rng = np.random.default_rng(5)
    for n, least in ((4, 0.84), (8, 0.91), (40, 0.93)):
        bootstrap, hits = BlockBootstrap(1000), 0
        counts = bootstrap.counts(n)
        for sample in rng.normal(size=(1500, n)):
            low, high = bootstrap.interval(counts @ sample / n, n)
            hits += low < 0 < high
        assert least < hits / 1500 < 0.97


def test_blocks_widen_the_interval_of_correlated_frames() -> None:
    rng = np.random.default_rng(1)
    series = np.repeat(rng.normal(size=40), 10)
    widths = []
    for block in (1, 20):
        bootstrap = BlockBootstrap(500, block=block)
        low, high = bootstrap.interval(bootstrap.counts(400) @ series / 400, 400)
        widths.append(high - low)
    assert widths[1] > 2 * widths[0]


def test_one_block_has_no_interval(case) -> None:
    prediction, reference, frames = case
    means = accumulate(["rmse"], prediction, reference, frames)
    lonely = score_means(means, ["rmse"], BlockBootstrap(10, block=12))["rmse"]
    assert lonely.low is None
    assert lonely.high is None


def test_pairs_resolve_what_single_intervals_do_not(case) -> None:
    prediction, reference, frames = case
    scale = np.random.default_rng(0).gamma(1.0, size=(12, 1, 1, 1))
    better = reference + scale * (prediction - reference)
    worse = reference + 1.05 * scale * (prediction - reference)
    first, second = (accumulate(["rmse"], p, reference, frames) for p in (better, worse))
    bootstrap = BlockBootstrap(500)
    one = score_means(first, ["rmse"], bootstrap)["rmse"]
    two = score_means(second, ["rmse"], bootstrap)["rmse"]
    found = difference(first, second, "rmse", bootstrap)
    assert one.high > two.low
    assert found.high < 0
    assert found.p < 0.01
    assert difference(first, first, "rmse", bootstrap).p == 1.0


def test_pairs_need_the_same_frames(case) -> None:
    prediction, reference, frames = case
    first = accumulate(["rmse"], prediction, reference, frames)
    second = accumulate(["rmse"], prediction[:5], reference[:5], frames[:5])
    with pytest.raises(AlignmentError, match="different frames"):
        difference(first, second, "rmse", BlockBootstrap(10))


def test_bad_parameters() -> None:
    with pytest.raises(InputError, match="out of range"):
        BlockBootstrap(block=0)
    with pytest.raises(InputError, match="no frame"):
        BlockBootstrap().counts(0)


def test_strata_keep_their_numbers_and_have_their_own_spread() -> None:
    bootstrap = BlockBootstrap(4000, strata=(6, 3), seed=1)
    counts = bootstrap.counts(9)
    assert (counts[:, :6].sum(1) == 6).all()
    assert (counts[:, 6:].sum(1) == 3).all()
    # two kinds of frames, alike among themselves: what differs between kinds is no uncertainty
    values = np.array([1.0, 1.1, 0.9, 1.0, 1.05, 0.95, 5.0, 5.1, 4.9])
    low, high = bootstrap.interval(counts @ values / 9, 9)
    loose = BlockBootstrap(4000, seed=1)
    wide = loose.interval(loose.counts(9) @ values / 9, 9)
    assert wide[1] - wide[0] > 5 * (high - low) > 0
    assert bootstrap.degrees_of_freedom(9) == 7
    assert bootstrap.inflation(9) == pytest.approx((9 / 7) ** 0.5)
    assert np.isnan(BlockBootstrap(strata=(1, 1)).tail(2))
    for strata in ((6, 4), (9, 0)):
        with pytest.raises(InputError, match="strata of a bootstrap"):
            BlockBootstrap(strata=strata).counts(9)


def test_one_stratum_is_no_stratum() -> None:
    one, none = BlockBootstrap(50, strata=(12,)), BlockBootstrap(50)
    assert np.array_equal(one.counts(12), none.counts(12))
    assert one.tail(12) == none.tail(12)


def test_intervals_of_strata_cover_at_their_rate() -> None:
    rng, bootstrap, hits = np.random.default_rng(3), BlockBootstrap(500, strata=(4, 4, 4)), 0
    counts, offsets = bootstrap.counts(12), np.repeat([0.0, 5.0, -3.0], 4)
    for sample in rng.normal(size=(1000, 12)) + offsets:
        low, high = bootstrap.interval(counts @ sample / 12, 12)
        hits += low < offsets.mean() < high
    assert 0.91 < hits / 1000 < 0.97
