"""Correlations by blocks are the plain sums, whatever the blocks, and resample exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aptbench.errors import AlignmentError, InputError
from aptbench.spectra.blocks import STRETCH, block_correlation, correlation_matrix
from aptbench.spectra.correlation import correlation


def plain(a: np.ndarray, b: np.ndarray, n_lags: int, start: int, stop: int) -> np.ndarray:
    """Symmetrised sum over the time origins of a block, by the definition."""
    sums = np.zeros(n_lags)
    for lag in range(n_lags):
        for t in range(start, min(stop, len(a) - lag)):
            sums[lag] += (np.sum(a[t] * b[t + lag]) + np.sum(b[t] * a[t + lag])) / 2
    return sums


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 40), st.integers(1, 40), st.integers(1, 50), st.integers(0, 100))
def test_every_block_is_its_plain_sum(n_frames: int, n_lags: int, block: int, seed: int) -> None:
    n_lags = min(n_lags, n_frames)
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n_frames, 2, 3))
    found = block_correlation(a, b, n_lags=n_lags, block=block)
    for number, start in enumerate(range(0, n_frames, block)):
        stop = min(start + block, n_frames)
        for channel in range(2):
            expected = plain(a[:, channel], b[:, channel], n_lags, start, stop)
            np.testing.assert_allclose(found.sums[channel, number], expected, atol=1e-11)
        origins = [max(0, min(stop, n_frames - lag) - start) for lag in range(n_lags)]
        assert found.counts[number].tolist() == origins


@pytest.mark.parametrize("block", [1, 7, 100, 5000])
def test_the_mean_is_the_unbiased_correlation(block: int) -> None:
    rates = np.random.default_rng(1).normal(size=(300, 3))
    found = block_correlation(rates[:, None], n_lags=120, block=block)
    np.testing.assert_allclose(found.mean()[0], correlation(rates, rates, 120), atol=1e-12)


def test_long_blocks_are_transformed_in_stretches() -> None:
    rates = np.random.default_rng(6).normal(size=(2 * STRETCH + 77, 1, 3))
    found = block_correlation(rates, n_lags=50, block=5000)
    assert found.n_blocks == 1
    expected = correlation(rates[:, 0], rates[:, 0], 50)
    np.testing.assert_allclose(found.mean()[0], expected, atol=1e-12)


def test_one_second_series_serves_all_channels() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(50, 4, 2, 3)), rng.normal(size=(50, 1, 2, 3))
    one = block_correlation(a, b, n_lags=9, block=20)
    many = block_correlation(a, np.repeat(b, 4, axis=1), n_lags=9, block=20)
    np.testing.assert_allclose(one.sums, many.sums, atol=1e-12)


def test_the_matrix_adds_up_to_the_whole() -> None:
    groups = np.random.default_rng(3).normal(size=(200, 3, 5, 3))
    matrix = correlation_matrix(groups, n_lags=40, block=64, names=("a", "b", "c"))
    whole = block_correlation(groups.sum(1, keepdims=True), n_lags=40, block=64)
    assert matrix.names == ("a", "b", "c", "a-b", "a-c", "b-c")
    np.testing.assert_allclose(matrix.sums.sum(0), whole.sums[0], rtol=1e-10, atol=1e-10)


def test_weights_take_blocks_as_often_as_they_say() -> None:
    rates = np.random.default_rng(4).normal(size=(120, 1, 3))
    found = block_correlation(rates, n_lags=10, block=40)
    weights = np.array([[1, 1, 1], [2, 0, 1]])
    picked = found.mean(weights)
    assert picked.shape == (2, 1, 10)
    np.testing.assert_allclose(picked[0], found.mean())
    sums = 2 * found.sums[0, 0] + found.sums[0, 2]
    np.testing.assert_allclose(picked[1, 0], sums / (2 * found.counts[0] + found.counts[2]))


def test_a_lag_without_origins_is_zero_and_not_nan() -> None:
    found = block_correlation(np.ones((20, 1, 3)), n_lags=15, block=10)
    last = found.mean([0, 1])
    np.testing.assert_allclose(last[0, :10], 3.0)
    np.testing.assert_allclose(last[0, 10:], 0.0)


def test_a_memory_map_is_read_a_stretch_at_a_time(tmp_path) -> None:
    values = np.random.default_rng(5).normal(size=(90, 2, 3))
    np.save(tmp_path / "a.npy", values)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")

    class Watched:
        shape, longest = mapped.shape, 0

        def __getitem__(self, index: slice) -> np.ndarray:
            Watched.longest = max(Watched.longest, index.stop - index.start)
            return mapped[index]

    found = block_correlation(Watched(), n_lags=10, block=20)
    np.testing.assert_array_equal(found.sums, block_correlation(values, n_lags=10, block=20).sums)
    assert Watched.longest == 29


def test_bad_input_is_refused() -> None:
    a = np.zeros((10, 2, 3))
    with pytest.raises(AlignmentError, match="do not fit"):
        block_correlation(a, np.zeros((9, 2, 3)), n_lags=2, block=2)
    with pytest.raises(AlignmentError, match="different channels"):
        block_correlation(a, np.zeros((10, 3, 3)), n_lags=2, block=2)
    with pytest.raises(InputError, match="no such lags"):
        block_correlation(a, n_lags=11, block=2)
    with pytest.raises(InputError, match="no such lags"):
        block_correlation(a, n_lags=2, block=0)
    with pytest.raises(AlignmentError, match="names"):
        correlation_matrix(a, n_lags=2, block=2, names=("a",))
    with pytest.raises(AlignmentError, match="weights"):
        block_correlation(a, n_lags=2, block=5).mean([1, 1, 1])


def test_fast_lengths_are_those_of_scipy() -> None:
    from scipy.fft import next_fast_len

    from aptbench.spectra.correlation import fast_length

    lengths = [*range(2, 300), 1601, 4097, 20002, 99999]
    assert [fast_length(n) for n in lengths] == [next_fast_len(n, real=True) for n in lengths]
