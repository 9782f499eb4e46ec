"""Intervals of spectra: the estimate itself, pairs, halves, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from aptbench.bootstrap import BlockBootstrap
from aptbench.errors import AlignmentError, InputError, UnknownNameError
from aptbench.spectra import IR1, absorption
from aptbench.spectra.sampled import block_frames, sampled_spectra

CONSTANTS = {"time_step": 2.0, "volume": 1000.0, "temperature": 300.0}


@pytest.fixture(scope="module")
def rates() -> np.ndarray:
    white = np.random.default_rng(0).normal(size=(3000, 3))
    return white + 0.8 * np.roll(white, 1, axis=0)


def test_the_spectrum_is_that_of_absorption(rates: np.ndarray) -> None:
    for block in (50.0, 400.0, 1e6):
        spectra = sampled_spectra({"a": rates}, block=block, **CONSTANTS)
        expected = absorption(rates, **CONSTANTS).absorption
        scale = np.abs(expected).max()
        assert np.abs(spectra.spectrum("a").absorption - expected).max() < 1e-12 * scale


def test_replicates_are_paired(rates: np.ndarray) -> None:
    """A model that is the reference times a number has an exact ratio in every replicate."""
    spectra = sampled_spectra({"model": 1.1 * rates, "reference": rates}, **CONSTANTS)
    np.testing.assert_allclose(spectra.samples("model"), 1.21 * spectra.samples("reference"))
    ratio = spectra.samples("model").sum(1) / spectra.samples("reference").sum(1)
    assert spectra.interval_of(ratio) == pytest.approx((1.21, 1.21))
    low, high = spectra.interval("reference")
    assert np.all(low < high)


def test_white_noise_lies_within_its_intervals() -> None:
    """The spectrum of white noise is flat and known: about 95 % of the points are covered."""
    covered = []
    for seed in range(12):
        noise = np.random.default_rng(seed).normal(size=(4000, 3))
        bootstrap = BlockBootstrap(replicates=200)
        spectra = sampled_spectra({"a": noise}, bootstrap=bootstrap, **CONSTANTS)
        flat = absorption_of_white_noise()
        low, high = spectra.interval("a")
        inside = (IR1.wavenumber > 50) & (IR1.wavenumber < 3950)
        covered.append(np.mean(((low < flat) & (flat < high))[inside]))
    assert 0.88 < np.mean(covered) < 0.98


def absorption_of_white_noise() -> float:
    """Return the level of unit white noise: only lag zero, of size three, is left."""
    from aptbench.spectra.absorption import absorption_of, number_of_lags

    correlation = np.zeros(number_of_lags(2.0))
    correlation[0] = 3.0
    return float(absorption_of(correlation, **CONSTANTS)[1000])


def test_halves_are_the_spectra_of_the_halves(rates: np.ndarray) -> None:
    spectra = sampled_spectra({"a": rates}, block=1000.0, **CONSTANTS)
    both = (spectra.half("a", 0).absorption + spectra.half("a", 1).absorption) / 2
    scale = spectra.spectrum("a").absorption.mean()
    assert np.abs(both - spectra.spectrum("a").absorption).mean() < 0.05 * scale
    assert np.abs(spectra.half("a", 0).absorption - spectra.half("a", 1).absorption).max() > 0


def test_blocks_are_equal_and_near_the_wanted_length() -> None:
    assert block_frames(1501, 2.0, IR1) == 188
    assert block_frames(2601, 2.0, IR1) == 261
    assert block_frames(1000, 2.0, IR1, 1e9) == 1000
    # a tenth of a long trajectory, whatever its length; where that is short, a quarter of a lag
    assert block_frames(640_000, 2.0, IR1) == 64_000
    assert block_frames(640_000, 2.0, IR1, 400.0) == 10_000
    with pytest.raises(InputError, match="shorter than a time step"):
        block_frames(1000, 2.0, IR1, 1.0)


def test_one_block_has_no_interval(rates: np.ndarray) -> None:
    low, high = sampled_spectra({"a": rates}, block=1e6, **CONSTANTS).interval("a")
    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_bad_input_is_refused(rates: np.ndarray) -> None:
    with pytest.raises(InputError, match="no current"):
        sampled_spectra({}, **CONSTANTS)
    with pytest.raises(AlignmentError, match="same frames"):
        sampled_spectra({"a": rates, "b": rates[1:]}, **CONSTANTS)
    with pytest.raises(InputError, match="not finite"):
        sampled_spectra({"a": np.where(rates > 2, np.nan, rates)}, **CONSTANTS)
    with pytest.raises(InputError, match="too short"):
        sampled_spectra({"a": rates[:100]}, **CONSTANTS)
    with pytest.raises(UnknownNameError, match="spectrum"):
        sampled_spectra({"a": rates}, **CONSTANTS).spectrum("b")
