"""Vibrational density of states: counts of modes, sum rule, additivity, refused input."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from aptbench.errors import AlignmentError, InputError, UnknownNameError
from aptbench.oracle import ChargedOscillators
from aptbench.spectra import IR1
from aptbench.spectra.power import PowerSpectrum, power_spectrum
from aptbench.units import ATOMIC_MASS, BOLTZMANN, SPEED_OF_LIGHT

TIMES = np.arange(8000) * 2.0
MASSES = (1.0, 12.0, 16.0, 23.0)
WAVENUMBERS = (3400.0, 1650.0, 620.0, 180.0)
OPTIONS = {"time_step": 2.0, "temperature": 300.0}


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return 1e-3 * np.random.default_rng(0).normal(size=(2000, 7, 3))


def test_each_oscillator_is_one_line_of_three_modes() -> None:
    """Heavy and light ones alike: the line counts modes, whatever the mass."""
    oscillators = ChargedOscillators((0.0,) * 4, MASSES, WAVENUMBERS)
    velocities = oscillators.trajectory(TIMES, 300.0).velocities
    spectrum = power_spectrum(velocities, MASSES, groups=["a", "b", "c", "d"], **OPTIONS)
    assert spectrum.integral() == pytest.approx(12.0, rel=0.002)
    for group, wavenumber in zip("abcd", WAVENUMBERS, strict=True):
        line = spectrum.integral(group, wavenumber - 80, wavenumber + 80)
        assert line == pytest.approx(3.0, rel=0.005)
        peak = spectrum.wavenumber[np.argmax(spectrum.of(group))]
        assert peak == pytest.approx(wavenumber, abs=2.0)
        above = spectrum.wavenumber[spectrum.of(group) > spectrum.of(group).max() / 2]
        assert above[-1] - above[0] == pytest.approx(IR1.broadening, abs=3.0)


def test_the_number_of_modes_scales_with_the_temperature() -> None:
    oscillator = ChargedOscillators((0.0,), (1.0,), (2000.0,))
    velocities = oscillator.trajectory(TIMES, 360.0).velocities
    assert power_spectrum(velocities, [1.0], **OPTIONS).integral() == pytest.approx(3.6, rel=0.002)


def test_sum_rule(noise) -> None:
    """Over all frequencies: sum of m v^2 over kB T, by group, whatever the motion."""
    velocities = np.cumsum(noise, 0) * 0.03
    velocities -= velocities.mean(0)
    masses = np.arange(1.0, 8.0)
    nyquist = 1 / (2 * 2e-15 * SPEED_OF_LIGHT * 100)
    protocol = replace(IR1, name="test", grid=(0.0, nyquist, nyquist / 10000))
    labels = list("xyxyxyx")
    spectrum = power_spectrum(velocities, masses, groups=labels, protocol=protocol, **OPTIONS)
    kinetic = masses * np.mean(np.sum(velocities**2, -1), 0) * ATOMIC_MASS * 1e10
    expected = kinetic / (BOLTZMANN * 300.0)
    assert spectrum.integral() == pytest.approx(expected.sum(), rel=1e-4)
    assert spectrum.integral("y") == pytest.approx(expected[1::2].sum(), rel=1e-4)


def test_it_is_the_plain_formula(noise) -> None:
    velocities = noise[:1700, :2] - noise[:1700, :2].mean(0)
    masses, lags = np.array([2.0, 5.0]), np.arange(801)
    plain = np.zeros(801)
    for lag in lags:
        products = velocities[: 1700 - lag] * velocities[lag:]
        plain[lag] = np.sum(masses * products.sum(-1).mean(0))
    omega = 2 * np.pi * SPEED_OF_LIGHT * 1e-13 * IR1.wavenumber
    plain *= IR1.window(lags * 2.0) * np.where(lags == 0, 1, 2) * 2.0
    kelvin = ATOMIC_MASS * 1e10 / BOLTZMANN
    expected = 2 * SPEED_OF_LIGHT * 1e-13 * kelvin / 300 * np.cos(np.outer(omega, lags * 2)) @ plain
    got = power_spectrum(velocities, masses, **OPTIONS).total
    assert np.allclose(got, expected, atol=1e-9 * np.abs(expected).max())


def test_groups_add_up_and_blocks_do_not_matter(noise) -> None:
    masses = np.arange(1.0, 8.0)
    whole = power_spectrum(noise, masses, **OPTIONS)
    labels = ["O", "H", "H", "O", "H", "H", "Na"]
    parts = power_spectrum(noise, masses, groups=labels, block=2, **OPTIONS)
    assert whole.groups == ("all",)
    assert parts.groups == ("H", "Na", "O")
    assert parts.metadata["n_atoms"] == {"H": 4, "Na": 1, "O": 2}
    scale = np.abs(whole.total).max()
    assert np.allclose(parts.total, whole.total, atol=1e-12 * scale)
    assert np.allclose(parts.of("Na"), power_spectrum(noise[:, 6:], [7.0], **OPTIONS).total)
    order = np.random.default_rng(1).permutation(7)
    shuffled = power_spectrum(
        noise[:, order], masses[order], groups=[labels[k] for k in order], **OPTIONS
    )
    assert np.allclose(shuffled.density, parts.density, atol=1e-12 * scale)


def test_mass_weighting_and_drift(noise) -> None:
    one = power_spectrum(noise, np.ones(7), **OPTIONS)
    two = power_spectrum(noise, np.full(7, 2.0), **OPTIONS)
    assert np.allclose(two.total, 2 * one.total)
    drifting = power_spectrum(noise + np.array([0.01, 0, 0]), np.ones(7), **OPTIONS)
    assert np.allclose(drifting.total, one.total, atol=1e-9 * one.total.max())
    kept = replace(IR1, name="test", remove_mean=False)
    raw = power_spectrum(noise + np.array([0.01, 0, 0]), np.ones(7), protocol=kept, **OPTIONS)
    assert raw.total[0] > 10 * one.total[0]


def test_memory_is_that_of_a_block(tmp_path) -> None:
    path = tmp_path / "velocities.npy"
    shape = (2000, 200, 3)
    stored = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    stored[:] = np.random.default_rng(0).normal(size=shape)
    tracemalloc.start()
    power_spectrum(np.load(path, mmap_mode="r"), np.ones(200), block=4, **OPTIONS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    table = 801 * 2001 * 8
    assert peak < 4 * table
    series = 2000 * 4 * 3 * 8
    assert peak - 3 * table < 12 * series + 2**20


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"velocities": np.zeros((2000, 3))}, InputError, "'velocities' have the wrong shape"),
        ({"velocities": np.full((2000, 7, 3), np.nan)}, InputError, "not finite"),
        ({"masses": np.ones(6)}, AlignmentError, "'masses' do not fit"),
        ({"masses": np.zeros(7)}, InputError, "'masses' must be positive"),
        ({"groups": ["H"]}, AlignmentError, "'groups' do not fit"),
        ({"temperature": 0.0}, InputError, "'temperature' must be positive"),
        ({"block": 0}, InputError, "'block' must be positive"),
        ({"time_step": 3.0}, InputError, "too coarse"),
        ({"time_step": 0.5}, InputError, "too short"),
    ],
)
def test_bad_input(noise, change, error, message) -> None:
    arguments = {"velocities": noise, "masses": np.ones(7), **OPTIONS, **change}
    with pytest.raises(error, match=message):
        power_spectrum(**arguments)


def test_bad_questions(noise) -> None:
    spectrum = power_spectrum(noise, np.ones(7), groups=["O"] * 7, **OPTIONS)
    with pytest.raises(UnknownNameError, match="group of atoms named 'H'"):
        spectrum.of("H")
    with pytest.raises(InputError, match="does not lie on the grid"):
        spectrum.integral(low=100.0, high=9000.0)
    with pytest.raises(InputError, match="one density for each group"):
        PowerSpectrum(np.arange(3.0), np.zeros((1, 3)), ("H", "O"), IR1)
