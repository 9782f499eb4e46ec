"""Motion in a band: closed forms, the ends of a trajectory, the error of a current, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aptbench import Frames
from aptbench.errors import InputError
from aptbench.metrics import score
from aptbench.oracle import ChargedOscillators
from aptbench.spectra.band_filter import BandFilter, band_velocities
from aptbench.spectra.protocol import ANGULAR

STEP = 2.0
TIMES = STEP * np.arange(2601)
BANDS = {"low": (300.0, 1000.0), "middle": (1500.0, 1800.0), "high": (3000.0, 4000.0)}
LINES = ChargedOscillators((0.5, -0.8, 0.6), (12.0, 5.0, 2.0), (620.0, 1650.0, 3400.0))


def test_the_response_is_that_of_the_band() -> None:
    bend = BandFilter((1500.0, 1800.0), STEP)
    assert bend.response([1500.0, 1800.0]) == pytest.approx(0.5, abs=0.01)
    assert bend.response(np.arange(1535.0, 1766.0)) == pytest.approx(1.0, abs=0.01)
    outside = np.concatenate([np.arange(0.0, 1465.0), np.arange(1835.0, 4000.0)])
    assert abs(bend.response(outside)).max() < 0.01
    assert bend.edge == pytest.approx(33.4, abs=0.1)


def test_neighbouring_bands_add_up() -> None:
    grid = np.arange(0.0, 4000.0, 7.0)
    parts = [BandFilter(ends, STEP).response(grid) for ends in ((0, 300), (300, 1000), (0, 1000))]
    assert parts[0] + parts[1] == pytest.approx(parts[2], abs=1e-12)


@pytest.mark.parametrize("wavenumber", [620.0, 1650.0, 3400.0])
def test_the_phase_of_an_oscillation_is_kept(wavenumber: float) -> None:
    wave = np.cos(ANGULAR * wavenumber * TIMES + 0.7)
    inside = slice(500, -500)
    for ends in BANDS.values():
        expected = wave if ends[0] < wavenumber < ends[1] else 0 * wave
        found = BandFilter(ends, STEP).apply(wave)
        assert found[inside] == pytest.approx(expected[inside], abs=0.01)


def test_labels_are_filtered_like_the_dense_trajectory() -> None:
    motion = LINES.trajectory(TIMES, 300.0, seed=2)
    assert motion.velocities is not None
    frames = [0, 3, 480, 1300, 2400, 2600]
    found = band_velocities(motion, frames, BANDS, STEP)
    for name, ends in BANDS.items():
        dense = BandFilter(ends, STEP).apply(motion.velocities)
        assert found[name] == pytest.approx(dense[frames], abs=1e-9)


@settings(max_examples=15, deadline=None)
@given(frame=st.integers(0, 899), phase=st.floats(0, 6.28), wavenumber=st.floats(400.0, 900.0))
def test_at_the_ends_an_oscillation_stays_in_its_band(frame, phase, wavenumber) -> None:
    wave = np.cos(ANGULAR * wavenumber * STEP * np.arange(900) + phase)
    for name, ends in BANDS.items():
        first, weights = BandFilter(ends, STEP).weights(frame, len(wave))
        found = weights @ wave[first : first + len(weights)]
        if name == "low":
            # the kink of the mirror image costs phase next to the end, and hardly any further in
            near = min(frame, len(wave) - 1 - frame) * STEP < 100
            assert abs(found - wave[frame]) < (1.0 if near else 0.2)
        else:
            assert abs(found) < 0.12


def test_coverage_counts_what_is_not_mirrored() -> None:
    bend = BandFilter((1500.0, 1800.0), STEP)
    coverage = bend.coverage([0, 100, 500, 1300, 2600], 2601)
    assert coverage[[2, 3]] == pytest.approx(1.0)
    assert coverage[[0, 4]] == pytest.approx(0.5, abs=0.02)
    assert coverage[0] < coverage[1] < 1
    short = BandFilter((1500.0, 1800.0), STEP).coverage([20], 41)
    assert 0 < short[0] < 0.9


def test_a_trajectory_shorter_than_the_filter() -> None:
    wave = np.cos(ANGULAR * 1650.0 * STEP * np.arange(300))
    first, weights = BandFilter((1500.0, 1800.0), STEP).weights(150, 300)
    assert (first, len(weights)) == (0, 300)
    assert weights.sum() == pytest.approx(BandFilter((1500.0, 1800.0), STEP).kernel.sum())
    assert weights @ wave == pytest.approx(wave[150], abs=0.15)


@pytest.mark.parametrize(
    ("labels", "leak"), [([520, 700, 1111, 1900, 2080], 0.01), ([3, 40, 300, 2420, 2595], 0.05)]
)
@pytest.mark.parametrize("wrong", range(3))
def test_a_model_that_is_wrong_for_one_oscillator_errs_in_its_band(wrong, labels, leak) -> None:
    motion = LINES.trajectory(TIMES, 300.0, seed=1)
    scale = np.ones(3)
    scale[wrong] = 0.8
    reference = LINES.predict(motion[labels])
    prediction = reference * scale[:, None, None]
    velocities = band_velocities(motion, labels, BANDS, STEP)
    found = []
    for name in BANDS:
        frames = motion[labels].replace(velocities=velocities[name])
        found.append(score(prediction, reference, frames, names=["current_error"]))
    errors = np.array([row["current_error"].value for row in found])
    assert errors[wrong] == pytest.approx(0.2, abs=0.01)
    assert np.delete(errors, wrong) == pytest.approx(0.0, abs=leak)


@pytest.mark.parametrize(
    ("ends", "step", "support", "message"),
    [
        ((1800.0, 1500.0), 2.0, 1000.0, "no such band"),
        ((-10.0, 100.0), 2.0, 1000.0, "no such band"),
        ((3000.0, 9000.0), 2.0, 1000.0, "no such band"),
        ((1500.0, 1520.0), 2.0, 1000.0, "narrower than the edges"),
        ((1500.0, 1800.0), 0.0, 1000.0, "impossible"),
        ((1500.0, 1800.0), 2.0, 1.0, "impossible"),
    ],
)
def test_impossible_filters(ends, step, support, message) -> None:
    with pytest.raises(InputError, match=message):
        BandFilter(ends, step, support)


def test_frames_that_do_not_exist_or_do_not_move() -> None:
    motion = LINES.trajectory(TIMES, 300.0)
    with pytest.raises(InputError, match="no such frame"):
        band_velocities(motion, [2601], BANDS, STEP)
    still = Frames([1], np.zeros((2000, 1, 3)))
    with pytest.raises(InputError, match="velocities"):
        band_velocities(still, [5], BANDS, STEP)
