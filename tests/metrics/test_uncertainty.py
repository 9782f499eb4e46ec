"""Uncertainties against Gaussian errors of known width, and the laws of each metric."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from aptbench.errors import AlignmentError, InputError
from aptbench.frames import Frames
from aptbench.metrics import (
    BlockBootstrap,
    PredictedDeviations,
    calibration_curve,
    score_uncertainties,
    score_uncertainty,
)
from aptbench.metrics.uncertainty import UNCERTAINTY_METRICS

N_FRAMES, N_ATOMS = 40, 30


@pytest.fixture
def gaussian() -> tuple[np.ndarray, np.ndarray, Frames]:
    """Errors drawn with the deviations that are given with them, 0.01 to 0.1 e."""
    rng = np.random.default_rng(11)
    frames = Frames(np.ones(N_ATOMS, int), rng.normal(size=(N_FRAMES, N_ATOMS, 3)))
    size = rng.uniform(0.01, 0.1, size=(N_FRAMES, N_ATOMS, 1, 1))
    deviation = size * np.ones((3, 3))
    return rng.normal(size=deviation.shape) * deviation, deviation, frames


def values(error, deviation, frames):
    scores = score_uncertainty(error, deviation, 0 * error, frames)
    return {name: score.value for name, score in scores.items()}


def test_a_calibrated_model(gaussian) -> None:
    error, deviation, frames = gaussian
    got = values(error, deviation, frames)
    n = error.size
    assert got["z_score"] == pytest.approx(1.0, abs=4 / np.sqrt(2 * n))
    assert got["coverage_95"] == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / n))
    # entropy of a Gaussian, ln(sigma sqrt(2 pi e)), over the widths
    entropy = np.log(deviation * np.sqrt(2 * np.pi * np.e)).mean()
    assert got["negative_log_likelihood"] == pytest.approx(entropy, abs=4 / np.sqrt(2 * n))


def test_a_model_that_is_twice_too_sure(gaussian) -> None:
    error, deviation, frames = gaussian
    honest, sure = values(error, deviation, frames), values(error, deviation / 2, frames)
    assert sure["z_score"] == pytest.approx(2 * honest["z_score"], rel=1e-12)
    # P(|x| < 1.96 / 2) of a normal distribution
    assert sure["coverage_95"] == pytest.approx(0.6729, abs=0.02)
    gain = -np.log(2) + (4 - 1) * honest["z_score"] ** 2 / 2
    assert sure["negative_log_likelihood"] == pytest.approx(
        honest["negative_log_likelihood"] + gain, rel=1e-10
    )
    assert sure["error_rank_correlation"] == pytest.approx(honest["error_rank_correlation"])


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
def test_the_likelihood_is_best_at_the_true_width(gaussian, factor) -> None:
    error, deviation, frames = gaussian
    name = "negative_log_likelihood"
    right = values(error, deviation, frames)[name]
    assert values(error, factor * deviation, frames)[name] > right


def test_the_rank_correlation_is_that_of_scipy(gaussian) -> None:
    error, deviation, frames = gaussian
    rough = deviation.round(2)  # with ties
    sizes = [np.sqrt(np.mean(x**2, (-2, -1))).ravel() for x in (error, rough)]
    got = values(error, rough, frames)["error_rank_correlation"]
    assert got == pytest.approx(spearmanr(*sizes).statistic, rel=1e-10)
    shuffled = np.random.default_rng(0).permutation(rough.reshape(-1, 9)).reshape(rough.shape)
    unrelated = values(error, shuffled, frames)["error_rank_correlation"]
    assert abs(unrelated) < 4 / np.sqrt(len(sizes[0]))
    assert np.isnan(values(error, 0 * rough + 0.1, frames)["error_rank_correlation"])


def test_an_error_without_deviation_is_infinitely_wrong() -> None:
    frames = Frames([1, 1], np.zeros((2, 3)))
    error, none = np.zeros((1, 2, 3, 3)), np.zeros((1, 2, 3, 3))
    assert values(error, none, frames)["z_score"] == 0
    error[0, 0, 0, 0] = 1e-3
    got = values(error, none, frames)
    assert got["z_score"] == np.inf
    assert got["negative_log_likelihood"] == np.inf
    assert got["coverage_95"] == pytest.approx(17 / 18)


def test_intervals_hold_the_values_and_shrink_with_frames(gaussian) -> None:
    error, deviation, frames = gaussian
    bootstrap = BlockBootstrap(300)
    scores = score_uncertainty(error, deviation, 0 * error, frames, bootstrap=bootstrap)
    assert set(scores) == set(UNCERTAINTY_METRICS)
    for score in scores.values():
        assert score.low < score.value < score.high
    few = score_uncertainty(
        error[:6], deviation[:6], 0 * error[:6], frames[:6], bootstrap=bootstrap
    )
    wide, narrow = (x["z_score"].high - x["z_score"].low for x in (few, scores))
    assert wide > 1.5 * narrow


def test_frames_of_a_block_count_once(gaussian) -> None:
    error, deviation, frames = gaussian
    bootstrap = BlockBootstrap(replicates=200, seed=1)
    once = score_uncertainty(error, deviation, 0 * error, frames, bootstrap=bootstrap)
    thrice = np.repeat(np.arange(N_FRAMES), 3)
    copies = PredictedDeviations(
        error[thrice], deviation[thrice], 0 * error[thrice], frames[thrice], block=thrice
    )
    for name, score in score_uncertainties([copies], bootstrap=bootstrap).items():
        wanted = (once[name].value, once[name].low, once[name].high)
        assert (score.value, score.low, score.high) == pytest.approx(wanted), name


def test_the_curve_of_a_calibrated_model_is_the_diagonal(gaussian) -> None:
    error, deviation, _ = gaussian
    predicted, found = calibration_curve(error, deviation, bins=8)
    assert np.all(np.diff(predicted) > 0)
    np.testing.assert_allclose(found, predicted, rtol=4 / np.sqrt(2 * error.size / 8))
    assert np.sqrt(np.mean(found**2)) == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-3)


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda d: d[:-1], AlignmentError, "shape"),
        (lambda d: -d, InputError, "negative"),
        (lambda d: d * np.nan, InputError, "not finite"),
    ],
)
def test_bad_deviations_are_refused(gaussian, spoil, error, message) -> None:
    deltas, deviation, frames = gaussian
    with pytest.raises(error, match=message):
        score_uncertainty(deltas, spoil(deviation), 0 * deltas, frames)
