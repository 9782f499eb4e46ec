"""Absolute intensities against closed forms, and every input that must be refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aptbench.errors import AlignmentError, InputError, UnknownNameError
from aptbench.oracle import ChargedOscillators, PointCharges
from aptbench.spectra import (
    IR1,
    Spectrum,
    absorption,
    correlation,
    current,
    get_protocol,
    infrared,
    quantum_factor,
    relative_l1,
    uniform_time_step,
)
from aptbench.units import BOLTZMANN, ELEMENTARY_CHARGE, SPEED_OF_LIGHT, VACUUM_PERMITTIVITY

TIMES = np.arange(10000) * 2.0
CASES = [(0.5, 1.0, 3400.0), (1.3, 12.0, 1650.0), (-0.8, 16.0, 620.0), (1.0, 23.0, 180.0)]


@pytest.mark.parametrize(("charge", "mass", "wavenumber"), CASES)
@pytest.mark.parametrize("temperature", [100.0, 350.0])
def test_check_a_one_oscillator(charge, mass, wavenumber, temperature) -> None:
    """Line position and absolute intensity of one charged oscillator."""
    oscillator = ChargedOscillators((charge,), (mass,), (wavenumber,))
    frames = oscillator.trajectory(TIMES, temperature, side=9.0)
    spectrum = infrared(frames, oscillator.predict(frames), times=TIMES, temperature=temperature)
    expected = oscillator.line_strengths(9.0**3)[0]
    assert spectrum.integral() == pytest.approx(expected, rel=0.005)
    weighted = replace(spectrum, absorption=spectrum.absorption * spectrum.wavenumber)
    assert weighted.integral() / spectrum.integral() == pytest.approx(wavenumber, rel=0.005)
    assert spectrum.wavenumber[np.argmax(spectrum.absorption)] == pytest.approx(wavenumber, abs=2.0)


def test_the_line_has_the_width_of_the_protocol() -> None:
    oscillator = ChargedOscillators((1.0,), (5.0,), (2000.0,))
    frames = oscillator.trajectory(TIMES, 300.0)
    spectrum = infrared(frames, oscillator.predict(frames), times=TIMES, temperature=300.0)
    above = spectrum.wavenumber[spectrum.absorption > spectrum.absorption.max() / 2]
    assert above[-1] - above[0] == pytest.approx(IR1.broadening, abs=3.0)


def test_lines_of_several_oscillators_add_up() -> None:
    charges, masses, wavenumbers = zip(*CASES, strict=True)
    oscillators = ChargedOscillators(charges, masses, wavenumbers)
    frames = oscillators.trajectory(TIMES, 300.0, seed=1)
    spectrum = infrared(frames, oscillators.predict(frames), times=TIMES, temperature=300.0)
    for strength, wavenumber in zip(oscillators.line_strengths(1000.0), wavenumbers, strict=True):
        area = spectrum.integral(wavenumber - 100, wavenumber + 100)
        assert area == pytest.approx(strength, rel=0.01)


@pytest.mark.parametrize("correlated", [False, True])
def test_check_b_integral_sum_rule(correlated) -> None:
    """The area over all frequencies is the mean square of the current, whatever the current is."""
    rng = np.random.default_rng(3)
    rates = 1e-3 * rng.normal(size=(6000, 3))
    if correlated:
        rates = np.cumsum(rates, axis=0) * 0.03
    rates -= rates.mean(0)
    nyquist = 1 / (2 * 2e-15 * SPEED_OF_LIGHT * 100)
    protocol = replace(IR1, name="test", grid=(0.0, nyquist, nyquist / 20000))
    volume, temperature = 1500.0, 320.0
    spectrum = absorption(
        rates, time_step=2.0, volume=volume, temperature=temperature, protocol=protocol
    )
    mean_square = np.mean(np.sum(rates**2, axis=1)) * (ELEMENTARY_CHARGE * 1e5) ** 2
    energy = VACUUM_PERMITTIVITY * SPEED_OF_LIGHT * volume * 1e-30 * BOLTZMANN * temperature
    # over angular frequency in SI, then over wavenumbers in cm^-2
    expected = np.pi / 6 * mean_square / energy / (2 * np.pi * SPEED_OF_LIGHT) * 1e-4
    assert spectrum.integral() == pytest.approx(expected, rel=1e-4)


def test_correlation_is_the_plain_sum() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 37, 3))
    got = correlation(a, b, 37)
    for lag in range(37):
        terms = [a[t] @ b[t + lag] for t in range(37 - lag)]
        assert got[lag] == pytest.approx(np.mean(terms), abs=1e-12)


def test_the_current_is_the_rate_of_the_dipole() -> None:
    model = PointCharges({"H": 0.7})
    oscillator = ChargedOscillators((0.7, 0.7), (1.0, 2.0), (3000.0, 700.0))
    frames = oscillator.trajectory(np.arange(5) * 0.01, 300.0)
    rate = (model.dipole(frames)[2:] - model.dipole(frames)[:-2]) / 0.02
    assert np.allclose(current(model.predict(frames), frames.velocities)[1:-1], rate, rtol=1e-4)


def test_isotropy_and_linearity() -> None:
    rng = np.random.default_rng(2)
    rates = rng.normal(size=(2000, 3))
    options = {"time_step": 2.0, "volume": 1000.0, "temperature": 300.0}
    one = absorption(rates, **options)
    turned = absorption(rates @ np.linalg.qr(rng.normal(size=(3, 3)))[0], **options)
    scale = abs(one.absorption).max()
    assert np.allclose(turned.absorption, one.absorption, atol=1e-10 * scale)
    assert np.allclose(absorption(2 * rates, **options).absorption, 4 * one.absorption)
    shifted = absorption(rates + np.array([5.0, 0, 0]), **options)
    assert np.allclose(shifted.absorption, one.absorption, atol=1e-8 * scale)


@pytest.mark.parametrize("name", ["none", "standard", "schofield"])
def test_quantum_factors(name) -> None:
    x = np.array([0.0, 1e-3, 1.0, 12.0])
    wavenumber = x * BOLTZMANN * 300 / (6.62607015e-34 * SPEED_OF_LIGHT * 100)
    closed = {
        "none": lambda x: (1 - np.exp(-x)) / x,
        "standard": lambda x: 2 / x * np.tanh(x / 2),
        "schofield": lambda x: 2 / x * np.sinh(x / 2),
    }[name]
    got = quantum_factor(name, wavenumber, 300.0)
    assert got[0] == 1
    assert np.allclose(got[1:], closed(x[1:]))
    with pytest.raises(UnknownNameError, match="did you mean 'harmonic'"):
        replace(IR1, quantum_correction="harmonics")


def test_relative_l1() -> None:
    grid = IR1.wavenumber
    line = Spectrum(grid, np.exp(-(((grid - 1000) / 20) ** 2)), IR1)
    far = Spectrum(grid, np.exp(-(((grid - 3000) / 20) ** 2)), IR1)
    assert relative_l1(line, line) == 0
    assert relative_l1(far, line) == pytest.approx(2.0)
    assert relative_l1(replace(line, absorption=1.1 * line.absorption), line) == pytest.approx(0.1)
    assert relative_l1(far, line, (500.0, 1500.0)) == pytest.approx(1.0)
    with pytest.raises(AlignmentError, match="not made in the same way"):
        relative_l1(line, replace(line, protocol=replace(IR1, name="ir@x")))
    with pytest.raises(InputError, match="no intensity in the band"):
        relative_l1(line, replace(line, absorption=0 * grid))


def test_bands() -> None:
    flat = Spectrum(IR1.wavenumber, np.ones(len(IR1.wavenumber)), IR1)
    assert flat.bands()["stretch"] == pytest.approx(800.0)
    assert flat.bands({"mine": (11.0, 12.5)})["mine"] == pytest.approx(1.5)
    with pytest.raises(InputError, match="does not lie on the grid"):
        flat.integral(100.0, 9000.0)


RATES = np.ones((2000, 3))
GOOD = {"time_step": 2.0, "volume": 1000.0, "temperature": 300.0}


@pytest.mark.parametrize(
    ("rates", "change", "message"),
    [
        (RATES, {"time_step": 2.5}, "too coarse"),
        (RATES[:1000], {}, "too short"),
        (RATES, {"time_step": 0.5}, "too short"),
        (RATES, {"volume": 0.0}, "'volume' must be positive"),
        (RATES, {"temperature": np.nan}, "'temperature' must be positive"),
        (RATES, {"time_step": -1.0}, "'time_step' must be positive"),
        (RATES[:, 0], {}, "wrong shape"),
        (RATES * np.nan, {}, "not finite"),
    ],
)
def test_bad_input(rates, change, message) -> None:
    with pytest.raises(InputError, match=message):
        absorption(rates, **{**GOOD, **change})


def test_bad_trajectories() -> None:
    oscillator = ChargedOscillators((1.0,), (1.0,), (1000.0,))
    frames = oscillator.trajectory(TIMES[:2000], 300.0)
    apt, times = oscillator.predict(frames), TIMES[:2000].copy()
    with pytest.raises(InputError, match="needs velocities"):
        infrared(frames.replace(velocities=None), apt, times=times, temperature=300.0)
    with pytest.raises(InputError, match="do not fit"):
        infrared(frames, apt, times=times[:-1], temperature=300.0)
    with pytest.raises(AlignmentError):
        infrared(frames, apt[:-1], times=times, temperature=300.0)
    with pytest.raises(InputError, match="no volume"):
        infrared(frames.replace(cell=None), apt, times=times, temperature=300.0)
    times[1000:] += 2.0
    with pytest.raises(InputError, match=r"uneven.[\s\S]*after frame 999"):
        infrared(frames, apt, times=times, temperature=300.0)
    with pytest.raises(InputError, match="two times"):
        uniform_time_step([1.0])
    with pytest.raises(InputError, match="uneven"):
        uniform_time_step([2.0, 1.0, 0.0])
    with pytest.raises(UnknownNameError, match="ir@1"):
        get_protocol("ir@2")
    with pytest.raises(InputError, match="out of range"):
        replace(IR1, broadening=0.0)
    with pytest.raises(InputError, match="not that many lags"):
        correlation(RATES, RATES, 3000)
    with pytest.raises(InputError, match="different shapes"):
        correlation(RATES, RATES[1:], 3)


def test_the_frozen_protocol_has_not_changed() -> None:
    """A change of ir@1 is ir@2: these numbers are part of every archived result."""
    from dataclasses import astuple

    bands = (
        ("translation", 50.0, 300.0),
        ("libration", 300.0, 1000.0),
        ("bend", 1500.0, 1800.0),
        ("stretch", 3000.0, 3800.0),
    )
    frozen = ("ir@1", 2.0, True, 30.0, 1600.0, 2.0, (0.0, 4000.0, 2.0), bands, "harmonic")
    assert astuple(IR1) == frozen
