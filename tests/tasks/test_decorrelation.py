"""Decorrelation times: exponential decay, free rotors, one rotor that never forgets."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aptbench.errors import AlignmentError, InputError
from aptbench.frames import Frames
from aptbench.tasks.autocorrelation import autocorrelation_time
from aptbench.tasks.decorrelation import decorrelation_time
from aptbench.tasks.observables import second_rank, tensor_fluctuations, trajectory_observables


def rotors(speeds: np.ndarray, times: np.ndarray) -> Frames:
    """HF molecules far apart that turn about z with their speeds, in rad/fs."""
    angle = speeds * times[:, None] + np.arange(len(speeds))
    bond = 0.92 * np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1)
    place = np.zeros((len(speeds), 3))
    place[:, 0] = 20.0 * np.arange(len(speeds))
    atoms = np.stack([np.broadcast_to(place, bond.shape), place + bond], 2)
    return Frames(
        np.tile([9, 1], len(speeds)),
        atoms.reshape(len(times), -1, 3),
        molecule=np.repeat(np.arange(len(speeds)), 2),
    )


@settings(max_examples=30, deadline=None)
@given(st.floats(0.0, 0.99), st.floats(0.1, 10.0))
def test_exact_correlation_of_an_autoregressive_process(q: float, step: float) -> None:
    # sums of q^k and q^2k without a window; the window leaves out exp(-5)
    found = autocorrelation_time(q ** np.arange(4000), step, 8000)
    assert found.integrated_fs == pytest.approx(step * (1 + q) / (1 - q) / 2, rel=0.01)
    assert found.squared_fs == pytest.approx(step * (1 + q**2) / (1 - q**2), rel=0.01)
    assert found.decays


def test_simulated_autoregressive_process_within_its_error() -> None:
    rng = np.random.default_rng(3)
    q, n_frames, n_series = 0.8, 3000, 12
    tensors = np.zeros((n_frames, n_series, 3, 3))
    state = rng.normal(size=tensors.shape[1:])
    for k in range(n_frames):
        tensors[k] = state
        state = q * state + np.sqrt(1 - q**2) * rng.normal(size=state.shape)
    frames = Frames(
        np.full(n_series, 10), 9.0 * rng.random((n_series, 3)) + np.zeros((n_frames, 1, 1))
    )
    exact = 2.0 * (1 + q) / (1 - q) / 2
    found = decorrelation_time(frames, 2.0 * np.arange(n_frames), tensors).observables["tensors"]
    window = 5 * exact / 2.0
    assert found.relative_error == pytest.approx(
        np.sqrt(2 * (2 * window + 1) / (n_frames * n_series)), rel=0.1
    )
    assert found.integrated_fs == pytest.approx(exact, rel=4 * found.relative_error)
    assert found.reliable


def test_free_rotors_forget_as_a_gaussian() -> None:
    from statistics import NormalDist

    sigma, times = 0.01, np.arange(0.0, 2400.0, 8.0)
    normal = NormalDist(0.0, sigma)
    speeds = np.array([normal.inv_cdf((k + 0.5) / 120) for k in range(120)])
    found = decorrelation_time(rotors(speeds, times), times).observables
    # P1 = exp(-sigma^2 t^2 / 2)
    assert found["bond P1"].integrated_fs == pytest.approx(np.sqrt(np.pi / 2) / sigma, rel=0.01)
    assert found["bond P1"].squared_fs == pytest.approx(np.sqrt(np.pi) / sigma, rel=0.01)
    assert found["bond P1"].decays
    assert found["axis P1"].time_fs == pytest.approx(found["bond P1"].time_fs)
    # P2 = 1/4 + 3/4 exp(-2 sigma^2 t^2): the plane of the rotation is never forgotten
    assert not found["bond P2"].decays
    assert not found["bond P2"].reliable


def test_one_rigid_rotor_never_forgets() -> None:
    times = np.arange(0.0, 2000.0, 1.0)
    frames = rotors(np.array([2 * np.pi / 50]), times)
    observables = trajectory_observables(frames)
    cosine = np.einsum("fsc,sc->f", observables["bond P1"], observables["bond P1"][0])
    assert np.allclose(cosine, np.cos(2 * np.pi * times / 50))
    found = decorrelation_time(frames, times)
    assert set(found.observables) == {"bond P1", "bond P2", "axis P1", "axis P2"}  # rigid: no shape
    one = found.observables["bond P1"]
    assert one.integrated_fs < 10  # the integral over a cosine vanishes: it alone would deceive
    assert not one.decays
    assert found.time_fs > 400
    assert found.slowest in ("bond P1", "axis P1")


@given(st.integers(0, 1000))
def test_second_rank_tensors_are_the_legendre_polynomial(seed: int) -> None:
    u = np.random.default_rng(seed).normal(size=(2, 3))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    one, two = second_rank(u)
    assert one @ two == pytest.approx((3 * (u[0] @ u[1]) ** 2 - 1) / 2)


def test_observables_do_not_change_when_the_crystal_of_axes_is_turned() -> None:
    rng = np.random.default_rng(1)
    water = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    place = np.array([[0, 0, 0], [3.0, 0, 0], [0, 3.1, 0], [0, 0, 2.9]])
    positions = (place[:, None] + water).reshape(-1, 3) + 0.05 * rng.normal(size=(50, 12, 3))
    frames = Frames(np.tile([8, 1, 1], 4), positions, [7.0, 8.0, 9.0])
    turned = frames.rotated(np.linalg.qr(rng.normal(size=(3, 3)))[0])
    times = np.arange(50.0)
    one, other = (decorrelation_time(f, times).observables for f in (frames, turned))
    assert {"neighbors", "shape", "bond P1", "axis P2"} <= set(one)
    for name, found in one.items():
        assert other[name].time_fs == pytest.approx(found.time_fs)
    # the distances are those of the nearest images
    assert trajectory_observables(frames)["neighbors"].shape == (50, 4, 3)


def test_wrapping_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    water = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    positions = np.concatenate([water, water + 3.0]) + 0.05 * rng.normal(size=(20, 6, 3))
    frames = Frames(np.tile([8, 1, 1], 2), positions, [6.0] * 3, molecule=[0, 0, 0, 1, 1, 1])
    wrapped = frames.replace(positions=positions % 6.0)
    one, other = trajectory_observables(frames), trajectory_observables(wrapped)
    for name, values in one.items():
        assert np.allclose(values, other[name]), name


def test_little_more_is_held_than_the_observables() -> None:
    rng = np.random.default_rng(4)
    water = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    place = np.array([[0, 0, 0], [3.0, 0, 0], [0, 3.1, 0], [0, 0, 2.9]])
    positions = (place[:, None] + water).reshape(-1, 3) + 0.05 * rng.normal(size=(16384, 12, 3))
    frames = Frames(np.tile([8, 1, 1], 4), positions, molecule=np.repeat(np.arange(4), 3))
    tracemalloc.start()
    try:
        observables = trajectory_observables(frames)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * sum(values.nbytes for values in observables.values())


def test_networks_of_bonds_are_atoms() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(2)] * 3, indexing="ij"), -1).reshape(-1, 3) * 1.6
    positions = grid + 0.02 * np.random.default_rng(0).normal(size=(10, 8, 3))
    assert set(trajectory_observables(Frames([6] * 8, positions, [3.2] * 3))) == {"neighbors"}


def test_tensors_keep_what_is_not_isotropic() -> None:
    apt = np.zeros((2, 1, 3, 3))
    apt[:, 0] = np.eye(3)
    apt[:, 0, 0, 1] = 0.5
    assert tensor_fluctuations(apt)[0, 0].tolist() == [0, 0.5, 0, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("times", "error", "message"),
    [
        ([0.0, 1.0, 2.0, 3.5, 4.0], InputError, "equal steps"),
        ([0.0, 1.0, 2.0], AlignmentError, "do not fit"),
    ],
)
def test_times_that_are_no_trajectory(times: list[float], error: type, message: str) -> None:
    frames = Frames([8, 1], np.random.default_rng(0).normal(size=(5, 2, 3)))
    with pytest.raises(error, match=message):
        decorrelation_time(frames, times)


def test_tensors_of_other_frames_and_a_still_life() -> None:
    frames = Frames([18], np.zeros((5, 1, 3)))
    with pytest.raises(AlignmentError, match="tensors do not fit"):
        decorrelation_time(frames, np.arange(5.0), np.zeros((4, 1, 3, 3)))
    with pytest.raises(InputError, match="Nothing moves"):
        decorrelation_time(frames, np.arange(5.0))
    with pytest.raises(InputError, match="cannot be normalised"):
        autocorrelation_time([0.0, 1.0], 1.0, 2)
