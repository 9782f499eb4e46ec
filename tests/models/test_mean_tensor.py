"""The mean tensor in the frame of the molecule, and that frame, in closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames, LabelledFrames
from aptbench.errors import InputError, StoreError
from aptbench.models import check_model
from aptbench.models.isomorphisms import isomorphisms
from aptbench.models.mean_tensor import MeanTensor
from aptbench.models.molecular_frame import MolecularFrame
from aptbench.models.molecular_graph import MolecularGraph, find_molecules

ANGLE = np.radians(104.52)
WATER = 0.9572 * np.array([[0, 0, 0], [1, 0, 0], [np.cos(ANGLE), np.sin(ANGLE), 0]])
CARBON_DIOXIDE = np.array([[0, 0, 0], [0, 0, 1.16], [0, 0, -1.16]])
THIRD = np.radians(120 * np.arange(3))
AMMONIA = np.concatenate(
    [[[0, 0, 0.07]], np.stack([0.94 * np.cos(THIRD), 0.94 * np.sin(THIRD), 0 * THIRD - 0.31], 1)]
)
# H, F, Cl, Br about carbon: no symmetry at all
CHIRAL = np.array(
    [[0, 0, 0], [0.63, 0.63, 0.63], [-0.8, -0.8, 0.8], [-1.0, 1.0, -1.0], [1.1, -1.1, -1.1]]
)
# staggered: six ways to exchange hydrogens, of which the mirror plane undoes two
METHANOL = np.array(
    [
        *([0, 0, 0], [0, 0, 1.42], [0.92, 0, 1.72]),
        *([-1.03, 0, -0.36], [0.51, 0.89, -0.36], [0.51, -0.89, -0.36]),
    ]
)
MOLECULES = {
    "methanol": ([6, 8, 1, 1, 1, 1], METHANOL),
    "water": ([8, 1, 1], WATER),
    "carbon dioxide": ([6, 8, 8], CARBON_DIOXIDE),
    "ammonia": ([7, 1, 1, 1], AMMONIA),
    "chiral": ([6, 1, 9, 17, 35], CHIRAL),
    "ion": ([11], np.zeros((1, 3))),
}


def _random_rotation(rng: np.random.Generator, sign: float) -> np.ndarray:
    matrix = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return matrix * sign * np.sign(np.linalg.det(matrix))


def _invariant(positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Tensors made of bond vectors, so that they have every symmetry of the molecule."""
    a, b, c = rng.normal(size=3)
    r = positions - positions.mean(0)
    square = np.einsum("ip,id->pd", r, r)
    own = np.einsum("ip,id->ipd", r, r)
    # not symmetric: the antisymmetric part is physics
    return a * own + b * np.einsum("ipx,xd->ipd", own, square) + c * np.eye(3)


@pytest.mark.parametrize("name", MOLECULES)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_rigid_molecule_is_predicted_exactly(name: str, sign: float) -> None:
    numbers, positions = MOLECULES[name]
    rng = np.random.default_rng(3)
    apt = _invariant(positions, rng)
    model = MeanTensor(neutral=False).fit(LabelledFrames(Frames(numbers, positions), apt[None]))
    rotation = _random_rotation(rng, sign)
    turned = Frames(numbers, positions @ rotation.T + rng.normal(size=3))
    np.testing.assert_allclose(
        model.predict(turned)[0], rotation @ apt @ rotation.T, atol=1e-9 * np.abs(apt).max()
    )


def test_the_tensor_is_the_mean_in_the_frame() -> None:
    """Two orientations of one molecule, whose tensors differ in the frame."""
    rng = np.random.default_rng(0)
    apt = _invariant(WATER, rng)
    change = 0.1 * _invariant(WATER, rng)
    rotation = _random_rotation(rng, 1.0)
    frames = Frames([8, 1, 1], [WATER, WATER @ rotation.T])
    labels = LabelledFrames(frames, [apt + change, rotation @ (apt - change) @ rotation.T])
    model = MeanTensor(neutral=False).fit(labels)
    np.testing.assert_allclose(model.predict(Frames([8, 1, 1], WATER))[0], apt, atol=1e-9)


def test_like_atoms_and_the_mirror_plane() -> None:
    """Whatever the labels say, both hydrogens of one water get tensors related by its mirrors."""
    rng = np.random.default_rng(1)
    half = np.radians(52.0)
    arms = [[np.sin(half), np.cos(half), 0], [-np.sin(half), np.cos(half), 0]]
    frames = Frames([8, 1, 1], np.array([[0, 0, 0], *arms]))
    model = MeanTensor().fit(LabelledFrames(frames, rng.normal(size=(1, 3, 3, 3))))
    apt = model.predict(frames)[0]
    mirror = np.diag([-1.0, 1.0, 1.0])
    np.testing.assert_allclose(apt[1], mirror @ apt[2] @ mirror, atol=1e-12)
    np.testing.assert_allclose(apt[..., 2, :2], 0, atol=1e-12)
    np.testing.assert_allclose(apt[..., :2, 2], 0, atol=1e-12)
    assert abs(apt[1, 0, 1] - apt[1, 1, 0]) > 0.1  # antisymmetric in the plane


def test_the_sum_rule(synthetic_labels: LabelledFrames) -> None:
    frames = synthetic_labels.frames.replace(total_charge=1.0)
    model = MeanTensor().fit(synthetic_labels)
    np.testing.assert_allclose(model.predict(frames).sum(1), [np.eye(3)] * 2, atol=1e-12)


@pytest.mark.parametrize("neutral", [True, False])
def test_conformance(neutral: bool, synthetic_labels: LabelledFrames) -> None:
    model = MeanTensor(neutral=neutral).fit(synthetic_labels)
    for frames in (synthetic_labels.frames, synthetic_labels.frames.replace(cell=None)):
        check_model(model, frames).raise_if_failed()


def test_flexible_molecules_of_several_kinds() -> None:
    """Thermal shapes of symmetric molecules: covariant, and independent of the order of atoms."""
    rng = np.random.default_rng(5)
    numbers = np.concatenate([MOLECULES[name][0] for name in MOLECULES])
    places = np.concatenate(
        [np.array(positions) + 6.0 * k for k, (_, positions) in enumerate(MOLECULES.values())]
    )
    positions = places + 0.04 * rng.normal(size=(6, *places.shape))
    labels = LabelledFrames(
        Frames(numbers, positions, [40.0] * 3), rng.normal(size=(6, len(numbers), 3, 3))
    )
    model = MeanTensor().fit(labels)
    assert sorted(frame.graph.formula for frame, _ in model.molecules_) == sorted(
        ["CH4O", "H2O", "CO2", "H3N", "CHBrClF", "Na"]
    )
    check_model(model, labels.frames[:2]).raise_if_failed()


def test_like_atoms_that_no_symmetry_relates_are_laid_on_their_own_places() -> None:
    rng = np.random.default_rng(8)
    frames = Frames([6, 8, 1, 1, 1, 1], METHANOL)
    apt = _invariant(METHANOL, rng)
    model = MeanTensor(neutral=False).fit(LabelledFrames(frames, apt[None]))
    (frame, _) = model.molecules_[0]
    counts = len(frame.graph.automorphisms), len(frame.symmetries[0]), len(frame.exchanges)
    assert counts == (6, 2, 3)
    order = [0, 1, 2, 5, 3, 4]
    np.testing.assert_allclose(model.predict(frames.permuted(order))[0], apt[order], atol=1e-9)


def test_a_planar_mean_is_made_planar_and_symmetric() -> None:
    rng = np.random.default_rng(2)
    formaldehyde = np.array([[0, 0, 0], [0, 0, 1.21], [0, 0.94, -0.59], [0, -0.94, -0.59]])
    graph = MolecularGraph("CH2O", np.array([6, 8, 1, 1]), np.array([[0, 1], [0, 2], [0, 3]]))
    rotations = np.array([_random_rotation(rng, 1.0) for _ in range(200)])
    places = (formaldehyde + 0.05 * rng.normal(size=(200, 4, 3))) @ rotations
    frame = MolecularFrame.learn(graph, places)
    assert np.linalg.svd(frame.geometry)[1][2] < 1e-12
    assert len(frame.symmetries[0]) == 2
    assert len(frame.exchanges) == 1
    lengths = np.linalg.norm(frame.geometry[1:] - frame.geometry[0], axis=1)
    np.testing.assert_allclose(lengths, [1.21, 1.11, 1.11], atol=0.02)
    assert lengths[1] == pytest.approx(lengths[2], abs=1e-12)


def test_isomers_are_told_apart_by_their_bonds() -> None:
    ethanol = [[0, 1], [1, 2], [0, 3], [0, 4], [0, 5], [1, 6], [1, 7], [2, 8]]
    ether = [[0, 2], [1, 2], [0, 3], [0, 4], [0, 5], [1, 6], [1, 7], [1, 8]]
    numbers = [6, 6, 8] + 6 * [1]
    assert len(isomorphisms(numbers, ethanol, numbers, ethanol)) == 6 * 2
    assert len(isomorphisms(numbers, ether, numbers, ether)) == 2 * 6 * 6
    assert len(isomorphisms(numbers, ethanol, numbers, ether)) == 0
    assert len(isomorphisms([8, 1], [[0, 1]], [8, 1, 1], [[0, 1]])) == 0
    star = [[0, k] for k in range(1, 9)]
    with pytest.raises(InputError, match="too many like atoms"):
        isomorphisms([92] + 8 * [9], star, [92] + 8 * [9], star)


def test_hydrogens_that_come_close_are_not_bonded() -> None:
    bent = np.array([[0, 0, 0], [0.9, 0.5, 0], [0.9, -0.5, 0]])
    (found,), _ = find_molecules(Frames([8, 1, 1], bent, molecule=[0, 0, 0]))
    assert found.graph.bonds.tolist() == [[0, 1], [0, 2]]


def test_it_survives_its_folder(tmp_path: Path, synthetic_labels: LabelledFrames) -> None:
    assert not MeanTensor.from_folder(tmp_path).fitted
    model = MeanTensor().fit(synthetic_labels)
    model.save(tmp_path, {"train": [0, 1]})
    again = MeanTensor.from_folder(tmp_path, neutral=True)
    assert again.provenance_ == {"train": [0, 1]}
    assert again.n_parameters == model.n_parameters == 3 * 3 + 3 * 9
    frames = synthetic_labels.frames
    np.testing.assert_allclose(again.predict(frames), model.predict(frames), atol=1e-13)
    assert not MeanTensor.untrained(tmp_path).fitted


@pytest.mark.parametrize("content", ["{", '{"molecules": [{}]}', "[]"])
def test_damaged_weights(content: str, tmp_path: Path) -> None:
    (tmp_path / "tensors.json").write_text(content)
    with pytest.raises(StoreError, match="cannot be read"):
        MeanTensor.from_folder(tmp_path)


def test_what_it_does_not_know_is_an_error(synthetic_labels: LabelledFrames) -> None:
    frames = Frames([8, 1], [[0, 0, 0], [0, 0, 0.97]])
    with pytest.raises(InputError, match="not fitted"):
        MeanTensor().predict(frames)
    with pytest.raises(InputError, match="does not know the molecule HO"):
        MeanTensor().fit(synthetic_labels).predict(frames)
