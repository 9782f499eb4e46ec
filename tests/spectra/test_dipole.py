"""Spectra from dipoles: closed forms, the route by tensors, and jumps that must not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aptbench.errors import InputError
from aptbench.oracle import ChargedOscillators, PolarizableWater
from aptbench.oracle.liquid import cluster
from aptbench.spectra import IR1, absorption, current, relative_l1
from aptbench.spectra.dipole import current_from_dipole, dipole_absorption, unwrap_dipole
from aptbench.spectra.protocol import ANGULAR

TIMES = np.arange(10000) * 2.0
CASES = [(0.5, 1.0, 3400.0), (1.3, 12.0, 1650.0), (-0.8, 16.0, 620.0), (1.0, 23.0, 180.0)]
TRICLINIC = np.array([[9.0, 0.0, 0.0], [2.0, 8.0, 0.0], [-1.5, 3.0, 10.0]])


def jumps(n_frames: int, cell: np.ndarray, seed: int) -> np.ndarray:
    """Return random multiples of the lattice vectors of each frame."""
    integers = np.random.default_rng(seed).integers(-3, 4, size=(n_frames, 3))
    return np.einsum("fv,fvx->fx", integers, np.broadcast_to(cell, (n_frames, 3, 3)))


@pytest.mark.parametrize(("charge", "mass", "wavenumber"), CASES)
def test_check_a_from_dipoles_that_jump(charge, mass, wavenumber) -> None:
    """Absolute intensity of one charged oscillator at 2 fs: no damping by the difference."""
    oscillator = ChargedOscillators((charge,), (mass,), (wavenumber,))
    frames = oscillator.trajectory(TIMES, 300.0, side=9.0)
    dipole = charge * frames.positions[:, 0] + jumps(len(TIMES), 9.0 * np.eye(3), 1)
    spectrum = dipole_absorption(
        dipole, time_step=2.0, volume=9.0**3, temperature=300.0, cell=9.0 * np.eye(3)
    )
    expected = oscillator.line_strengths(9.0**3)[0]
    assert spectrum.integral() == pytest.approx(expected, rel=0.005)
    assert spectrum.wavenumber[np.argmax(spectrum.absorption)] == pytest.approx(wavenumber, abs=2.0)


def test_the_difference_alone_would_be_damped() -> None:
    """At 3400 cm^-1 and 2 fs a forward difference loses 13 % of the intensity."""
    oscillator = ChargedOscillators((1.0,), (1.0,), (3400.0,))
    dipole = oscillator.trajectory(TIMES, 300.0).positions[:, 0]
    options = {"time_step": 2.0, "volume": 1000.0, "temperature": 300.0}
    damped = absorption(current_from_dipole(dipole, 2.0), **options).integral()
    phase = 3400.0 * ANGULAR
    assert damped / oscillator.line_strengths(1000.0)[0] == pytest.approx(
        (np.sin(phase) / phase) ** 2, rel=0.002
    )
    assert damped < 0.88 * dipole_absorption(dipole, **options).integral()


def test_the_routes_by_dipole_and_by_tensors_are_one() -> None:
    """Exact tensors and exact dipoles of the polarizable model give the same spectrum."""
    model = PolarizableWater()
    frames = cluster(2, 521, seed=3, time_step=0.25, stride=4, equilibration=100)
    apt, dipole = model.predict(frames), model.dipole(frames)
    rates, steps = current(apt, frames.velocities), current_from_dipole(dipole, 1.0)
    middle = (rates[1:] + rates[:-1]) / 2
    assert np.linalg.norm(steps - middle) < 0.03 * np.linalg.norm(steps)
    protocol = replace(IR1, name="test", broadening=200.0, maximum_lag=250.0)
    options = {"time_step": 1.0, "volume": 100.0, "temperature": 300.0, "protocol": protocol}
    by_tensors = absorption(rates, **options)
    wrapped = dipole + jumps(len(dipole), TRICLINIC, 5)
    by_dipole = dipole_absorption(wrapped, cell=TRICLINIC, **options)
    # velocities of the integrator are differences over twice its step of 0.25 fs
    verlet = np.sinc(by_tensors.wavenumber * ANGULAR * 0.25 / np.pi) ** 2
    by_tensors = replace(by_tensors, absorption=by_tensors.absorption / verlet)
    assert relative_l1(by_dipole, by_tensors) < 0.005
    transposed = absorption(current(np.swapaxes(apt, 2, 3), frames.velocities), **options)
    assert relative_l1(by_dipole, transposed) > 0.01


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), varies=st.booleans())
def test_jumps_change_nothing(seed, varies) -> None:
    rng = np.random.default_rng(seed)
    cell = TRICLINIC
    if varies:
        cell = cell * (1 + 0.02 * rng.normal(size=(60, 1, 1)))
    dipole = np.cumsum(rng.uniform(-1, 1, size=(60, 3)), 0)
    wrapped = dipole + jumps(60, cell, seed)
    got, expected = unwrap_dipole(wrapped, cell), unwrap_dipole(dipole, cell)
    assert np.allclose(got - got[0], expected - expected[0], atol=1e-9)
    assert np.allclose(got[0], wrapped[0])
    rates = current_from_dipole(wrapped, 0.5, cell)
    assert np.allclose(rates, np.diff(got, axis=0) / 0.5, atol=1e-9)
    back = current_from_dipole(wrapped[::-1], 0.5, cell[::-1] if varies else cell)
    assert np.allclose(back, -rates[::-1], atol=1e-9)
    if not varies:
        assert np.allclose(got - got[0], dipole - dipole[0], atol=1e-9)
        quanta = (got - wrapped) @ np.linalg.inv(cell)
        assert np.allclose(quanta, np.round(quanta), atol=1e-9)


def test_charges_that_move_with_the_cell_carry_no_current() -> None:
    cell = TRICLINIC * np.linspace(1, 1.1, 20)[:, None, None]
    dipole = np.einsum("v,fvx->fx", [0.1, 0.7, -0.3], cell)
    assert np.allclose(current_from_dipole(dipole, 1.0, cell), 0, atol=1e-12)


def test_an_isolated_dipole_is_left_alone() -> None:
    dipole = np.array([[0.0, 0, 0], [50.0, 0, 0], [0, -7.0, 0]])
    assert np.array_equal(unwrap_dipole(dipole), dipole)
    assert np.array_equal(unwrap_dipole(dipole[:1], TRICLINIC), dipole[:1])


@pytest.mark.parametrize("sign", [-1, 1])
def test_an_ambiguous_step_names_its_frame(sign) -> None:
    dipole = np.zeros((10, 3))
    dipole[7:] = sign * 0.39 * TRICLINIC[1]
    assert np.allclose(unwrap_dipole(dipole, TRICLINIC), dipole)
    dipole[7:] = sign * 0.41 * TRICLINIC[1]
    with pytest.raises(InputError, match=r"from frame 6 to frame 7[\s\S]*0.410 quanta along.* 1;"):
        unwrap_dipole(dipole, TRICLINIC)


ZEROS = np.zeros((2000, 3))


@pytest.mark.parametrize(
    ("dipole", "change", "message"),
    [
        (ZEROS[:, :2], {}, "'dipole' has the wrong shape"),
        (np.where(np.arange(2000)[:, None] == 5, np.nan, ZEROS), {}, r"not finite[\s\S]*frame 5"),
        (ZEROS, {"cell": [1.0, 2.0, 3.0]}, "'cell' does not fit"),
        (ZEROS, {"cell": np.ones((1999, 3, 3))}, "'cell' does not fit"),
        (ZEROS, {"cell": np.ones((3, 3))}, "'cell' is singular"),
        (ZEROS, {"time_step": 0.0}, "'time_step' must be positive"),
        (ZEROS, {"time_step": 2.5}, "too coarse for the protocol ir@1"),
        (ZEROS, {"time_step": 0.5}, "too short"),
        (ZEROS, {"volume": -1.0}, "'volume' must be positive"),
    ],
)
def test_bad_input(dipole, change, message) -> None:
    options = {"time_step": 2.0, "volume": 1000.0, "temperature": 300.0, **change}
    with pytest.raises(InputError, match=message):
        dipole_absorption(dipole, **options)


def test_a_grid_beyond_the_sampling_is_refused() -> None:
    protocol = replace(IR1, name="test", maximum_time_step=5.0)
    options = {"volume": 1000.0, "temperature": 300.0, "protocol": protocol}
    dipole_absorption(ZEROS, time_step=4.0, **options)
    with pytest.raises(InputError, match="too coarse for the grid"):
        dipole_absorption(ZEROS, time_step=4.5, **options)
