"""Velocities of molecules as modes: exact sums, rigid rotations, Eckart conditions."""

from __future__ import annotations

import numpy as np
import pytest

from aptbench import Frames
from aptbench.elements import standard_masses
from aptbench.errors import AlignmentError, InputError
from aptbench.molecules import MoleculeKind, MoleculeTable
from aptbench.spectra.modes import WATER_MODES, mode_names, molecular_modes, water_geometry

WATER = water_geometry()
METHANOL = np.array(
    [
        [-0.047, -0.758, 0.0],
        [-0.047, 0.664, 0.0],
        [-1.092, 0.970, 0.0],
        [0.878, -1.046, 0.0],
        [0.438, 1.072, 0.889],
        [0.438, 1.072, -0.889],
    ]
)
CARBON_DIOXIDE = np.array([[-1.16, 0, 0], [1.16, 0, 0], [0, 0, 0]])
THIRDS = np.radians([0, 120, 240])
AMMONIA = np.zeros((4, 3))
AMMONIA[0, 2] = 0.38
AMMONIA[1:, :2] = 0.94 * np.stack([np.cos(THIRDS), np.sin(THIRDS)], 1)
NITROGEN = np.array([[0.55, 0, 0], [-0.55, 0, 0]])
CASES = {
    "H2O": ([8, 1, 1], WATER),
    "CH4O": ([8, 6, 1, 1, 1, 1], METHANOL),
    "CO2": ([8, 8, 6], CARBON_DIOXIDE),
    "H3N": ([7, 1, 1, 1], AMMONIA),
    "N2": ([7, 7], NITROGEN),
    "Na": ([11], np.zeros((1, 3))),
}


def kind_of(name: str) -> MoleculeKind:
    numbers, geometry = CASES[name]
    kind = MoleculeTable.of(Frames(numbers, geometry)).kinds[0]
    assert kind.formula == name
    assert kind.atoms.tolist() == [list(range(len(numbers)))]
    return kind


def rotations(n: int, seed: int = 0) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return Rotation.random(n, random_state=seed).as_matrix()


def moved(geometry: np.ndarray, spread: float, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Distorted molecules in any orientation far from the origin, and random velocities."""
    rng = np.random.default_rng(5)
    places = (geometry + spread * rng.normal(size=(n, *geometry.shape))) @ rotations(n)
    places += 20 * rng.normal(size=(n, 1, 3))
    return places[None], 0.01 * rng.normal(size=(1, n, *geometry.shape))


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_modes_add_up(name, given) -> None:
    places, rates = moved(CASES[name][1], 0.08)
    modes = molecular_modes(kind_of(name), places, rates, CASES[name][1] if given else None)
    assert modes.shape[2] == len(mode_names(kind_of(name)))
    assert np.abs(modes.sum(2) - rates).max() < 1e-12 * np.abs(rates).max()


@pytest.mark.parametrize("name", CASES)
def test_kinetic_energy_splits_at_the_reference(name) -> None:
    kind = kind_of(name)
    places, rates = moved(CASES[name][1], 0.0)
    modes = molecular_modes(kind, places, rates, CASES[name][1])
    if len(modes[0, 0]) > 3:
        modes = np.concatenate([modes[:, :, :2], modes[:, :, 2:].sum(2, keepdims=True)], 2)
    energy = np.einsum("a,fmpax,fmqax->fmpq", kind.masses, modes, modes)
    total = np.einsum("a,fmax,fmax->fm", kind.masses, rates, rates)
    off = energy - energy * np.eye(energy.shape[-1])
    assert np.abs(off).max() < 1e-12 * total.max()
    assert np.allclose(np.trace(energy, axis1=2, axis2=3), total)


@pytest.mark.parametrize("spread", [0.0, 0.1])
@pytest.mark.parametrize("name", list(CASES)[:-1])
def test_rigid_motion_has_no_internal_part(name, spread) -> None:
    """Turning any geometry as a whole is rotation, however far it is from the reference."""
    places, _ = moved(CASES[name][1], spread)
    omega = np.random.default_rng(1).normal(size=(places.shape[1], 1, 3)) * 0.02
    drift = np.array([0.01, -0.02, 0.03])
    masses = kind_of(name).masses
    center = np.einsum("a,fmax->fmx", masses / masses.sum(), places)[:, :, None]
    turning = np.cross(omega, places - center)
    modes = molecular_modes(kind_of(name), places, drift + turning)
    assert np.allclose(modes[:, :, 0], drift, atol=1e-14)
    assert np.allclose(modes[:, :, 1], turning, atol=1e-12)
    assert np.abs(modes[:, :, 2:]).max() < 1e-12


def internal_coordinates(places: np.ndarray) -> np.ndarray:
    bonds = places[..., 1:, :] - places[..., :1, :]
    r = np.linalg.norm(bonds, axis=-1)
    cosine = np.einsum("...x,...x->...", bonds[..., 0, :], bonds[..., 1, :]) / r.prod(-1)
    total, difference = r.sum(-1) / 2**0.5, (r[..., 0] - r[..., 1]) / 2**0.5
    return np.stack([np.arccos(cosine), total, difference], -1)


def test_each_internal_mode_of_water_moves_its_coordinate_only() -> None:
    places, rates = moved(WATER, 0.0)
    modes = molecular_modes(kind_of("H2O"), places, rates)
    step = 1e-4
    both = [internal_coordinates(places[:, :, None] + s * step * modes) for s in (1, -1)]
    change = np.abs(both[0] - both[1])[0].max(0) / (2 * step)
    assert np.allclose(change[:2], 0, atol=1e-8)
    assert (np.diag(change[2:]) > 1e-3).all()
    assert np.allclose(change[2:] - np.diag(np.diag(change[2:])), 0, atol=1e-8)


def test_eckart_frame_of_water_by_an_independent_alignment() -> None:
    """The libration turns as the frame does that is aligned to the masses, and u obeys Eckart."""
    from scipy.spatial.transform import Rotation

    masses = standard_masses([8, 1, 1])
    shares = masses / masses.sum()
    reference = WATER - shares @ WATER
    places, rates = moved(WATER, 0.05, 6)
    modes = molecular_modes(kind_of("H2O"), places, rates)[0]

    def frame(r: np.ndarray) -> Rotation:
        return Rotation.align_vectors(r - shares @ r, reference, weights=masses)[0]

    step = 1e-3
    for r, v, mode in zip(places[0], rates[0], modes, strict=True):
        turn = frame(r + step * v) * frame(r - step * v).inv()
        omega = turn.as_rotvec() / (2 * step)
        assert np.allclose(mode[1], np.cross(omega, r - shares @ r), atol=1e-7)
        c = frame(r).apply(reference)
        inner = mode[2:].sum(0)
        assert np.abs(masses @ inner).max() < 1e-14
        assert np.abs(masses @ np.cross(c, inner)).max() < 1e-14


def test_normal_modes_of_water_go_where_they_belong() -> None:
    """Eigenvectors of a valence force field, in velocities, at the reference geometry."""
    masses = np.repeat(standard_masses([8, 1, 1]), 3)
    step = 1e-4
    moves = step * np.eye(9).reshape(9, 3, 3)
    wilson = (internal_coordinates(WATER + moves) - internal_coordinates(WATER - moves)).T
    wilson /= 2 * step
    hessian = wilson.T @ np.diag([4.4, 50.0, 50.0]) @ wilson / np.sqrt(np.outer(masses, masses))
    values, vectors = np.linalg.eigh(hessian)
    for k, name in zip((6, 7, 8), WATER_MODES[2:], strict=True):
        assert values[k] > 1e-3
        rates = (vectors[:, k] / np.sqrt(masses)).reshape(1, 1, 3, 3)
        modes = molecular_modes(kind_of("H2O"), WATER[None, None], rates)[0, 0]
        energy = np.einsum("i,qi->q", masses, modes.reshape(5, 9) ** 2)
        assert energy[:2].sum() < 1e-8
        assert energy[WATER_MODES.index(name)] > 0.97


def test_linear_molecules_do_not_turn_about_their_axis() -> None:
    rates = np.array([[0, 0.01, 0], [0, -0.01, 0]])[None, None]
    modes = molecular_modes(kind_of("N2"), NITROGEN[None, None], rates)
    assert np.allclose(modes[0, 0, 1], rates)
    along = np.array([[0.01, 0, 0], [-0.01, 0, 0]])[None, None]
    assert np.allclose(molecular_modes(kind_of("N2"), NITROGEN[None, None], along)[0, 0, 2], along)
    bent = CARBON_DIOXIDE + np.array([[0, 0.02, 0], [0, 0.02, 0], [0, -0.05, 0]])
    spin = np.cross([0.05, 0, 0], bent)[None, None]
    as_it_is = molecular_modes(kind_of("CO2"), bent[None, None], spin)
    assert np.abs(as_it_is[0, 0, 2]).max() < 1e-12
    straight = molecular_modes(kind_of("CO2"), bent[None, None], spin, CARBON_DIOXIDE)
    assert np.abs(straight[0, 0, 2]).max() > 1e-3


def test_a_reference_does_not_depend_on_the_order_of_like_atoms() -> None:
    places, rates = moved(AMMONIA, 0.05)
    one = molecular_modes(kind_of("H3N"), places, rates, AMMONIA)
    order = [0, 2, 1, 3]
    other = molecular_modes(kind_of("H3N"), places[:, :, order], rates[:, :, order], AMMONIA)
    assert np.allclose(one[:, :, :, order], other, atol=1e-12)


def test_any_reference_for_water() -> None:
    """Where it lies in space, and which hydrogen comes first, does not matter."""
    places, rates = moved(WATER, 0.05)
    usual = molecular_modes(kind_of("H2O"), places, rates)
    turned = WATER[[0, 2, 1]] @ rotations(1)[0] + [1.0, 2.0, 3.0]
    assert np.allclose(molecular_modes(kind_of("H2O"), places, rates, turned), usual, atol=1e-12)
    wide = molecular_modes(kind_of("H2O"), places, rates, water_geometry(1.1, 120.0))
    assert np.abs(wide - usual).max() > 1e-4


def test_bad_input() -> None:
    kind = kind_of("H2O")
    places, rates = moved(WATER, 0.05)
    with pytest.raises(AlignmentError, match="do not fit the molecules H2O"):
        molecular_modes(kind, places[:, :, :2], rates[:, :, :2])
    with pytest.raises(AlignmentError, match="reference geometry does not fit"):
        molecular_modes(kind, places, rates, WATER[:2])
    straight = np.array([[0, 0, 0], [1.0, 0, 0], [-1.0, 0, 0]])
    with pytest.raises(InputError, match="A water molecule is straight"):
        molecular_modes(kind, straight[None, None], rates[:, :1])
    with pytest.raises(InputError, match="reference geometry of water is straight"):
        molecular_modes(kind, places, rates, straight)
