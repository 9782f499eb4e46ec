"""Spherical tensors, local tensor features, and ridge regression on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames, LabelledFrames
from aptbench.errors import InputError, StoreError
from aptbench.models import check_model
from aptbench.models.linear_tensor import LinearTensor
from aptbench.models.spherical_tensors import cartesian_basis, coupling, harmonics
from aptbench.models.tensor_features import FeatureSettings, tensor_features
from aptbench.models.tensor_ridge import STRENGTHS, RidgeData, RidgeRows, RidgeSums

SMALL = {"cutoff": 4.0, "radial": 4, "product_radial": 3, "message_radial": 2}


def _rotation(rng: np.random.Generator, sign: float = 1.0) -> np.ndarray:
    matrix = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return matrix * sign * np.sign(np.linalg.det(matrix))


def _wigner(matrix: np.ndarray) -> list[np.ndarray]:
    """Return how harmonics of degree 0 to 3 turn, from their values at random points."""
    points = np.random.default_rng(0).normal(size=(40, 3))
    points /= np.linalg.norm(points, axis=1)[:, None]
    before, after = harmonics(points, 3), harmonics(points @ matrix.T, 3)
    return [np.linalg.lstsq(a, b, rcond=None)[0].T for a, b in zip(before, after, strict=True)]


def test_too_many_elements_are_refused_before_memory_runs_out() -> None:
    z = [1, 6, 7, 8, 9, 16, 17]
    frames = Frames(z, np.random.default_rng(0).normal(scale=2.0, size=(1, len(z), 3)))
    many = Frames(z, np.repeat(frames.positions, 10_000, axis=0))
    with pytest.raises(InputError, match="too many features") as error:
        LinearTensor().fit(LabelledFrames(many, np.zeros((10_000, len(z), 3, 3))))
    assert "7 elements" in str(error.value)


def test_few_labels_of_many_elements_are_learned() -> None:
    z = [1, 6, 7, 8, 9, 16, 17]
    frames = Frames(z, np.random.default_rng(0).normal(scale=2.0, size=(3, len(z), 3)))
    apt = np.arange(len(z))[:, None, None] * np.eye(3) * np.ones((3, 1, 1, 1))
    model = LinearTensor(**SMALL).fit(LabelledFrames(frames, apt))
    np.testing.assert_allclose(model.predict(frames), apt, atol=1e-9)


def test_harmonics_are_orthonormal_and_complete() -> None:
    points = np.random.default_rng(1).normal(size=(100, 3))
    points /= np.linalg.norm(points, axis=1)[:, None]
    for degree, values in enumerate(harmonics(points, 3)):
        # the addition theorem
        cosine = points @ points.T
        legendre = np.polynomial.legendre.Legendre.basis(degree)(cosine)
        np.testing.assert_allclose(values @ values.T, (2 * degree + 1) * legendre, atol=1e-12)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_couplings_are_invariant(sign: float) -> None:
    turns = _wigner(_rotation(np.random.default_rng(2), sign))
    checked = 0
    for a in range(4):
        for b in range(4):
            for c in range(abs(a - b), min(a + b, 3) + 1):
                tensor = coupling(a, b, c)
                turned = np.einsum("cC,aA,bB,CAB->cab", turns[c], turns[a], turns[b], tensor)
                # an odd sum of degrees makes a pseudotensor
                parity = sign if (a + b + c) % 2 else 1.0
                np.testing.assert_allclose(turned, parity * tensor, atol=1e-12)
                assert np.sum(tensor**2) == pytest.approx(2 * c + 1)
                checked += 1
    assert checked == 34


def test_known_couplings() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 3))
    cross = np.einsum("cab,a,b->c", coupling(1, 1, 1), a, b)
    np.testing.assert_allclose(cross, np.cross(a, b) / np.sqrt(2), atol=1e-12)
    basis = np.concatenate([cartesian_basis(degree) for degree in range(3)]).reshape(9, 9)
    np.testing.assert_allclose(basis @ basis.T, np.eye(9), atol=1e-12)
    np.testing.assert_allclose(cartesian_basis(0)[0], np.eye(3) / np.sqrt(3), atol=1e-12)


def test_the_signs_of_couplings_do_not_change() -> None:
    """Weights are stored with these signs: one of the largest elements, recorded once."""
    recorded = {
        ((1, 1, 1), (0, 1, 2)): 0.7071,
        ((1, 2, 1), (2, 2, 2)): 0.6325,
        ((2, 2, 1), (2, 0, 4)): -0.6325,
        ((2, 2, 2), (0, 0, 2)): -0.5345,
        ((1, 3, 2), (2, 2, 3)): 0.6547,
        ((3, 3, 1), (2, 0, 6)): -0.5669,
    }
    for (degrees, index), value in recorded.items():
        assert coupling(*degrees)[index] == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_features_turn_as_tensors(sign: float, synthetic_labels: LabelledFrames) -> None:
    matrix = _rotation(np.random.default_rng(4), sign)
    turns = _wigner(matrix)
    frame = synthetic_labels.frames[0]
    settings = FeatureSettings(**SMALL)
    before = tensor_features(frame, (1, 8), settings)
    after = tensor_features(frame.rotated(matrix), (1, 8), settings)
    for degree, (x, y) in enumerate(zip(before, after, strict=True)):
        # all features are of even parity, so degree 1 does not see an inversion
        turn = turns[degree] * (sign if degree == 1 else 1.0)
        np.testing.assert_allclose(y, np.einsum("ij,ajf->aif", turn, x), atol=1e-9)
        # all but those of an oxygen that is bonded to an oxygen, which is not there
        assert np.mean(np.abs(x).max(axis=(0, 1)) > 0) > 0.9


def test_density_of_one_neighbour_in_closed_form() -> None:
    """The first features of degree 0 are the radial functions, of degree 2 those times Y_2."""
    from aptbench.models.graph import radial_basis

    frame = Frames([8, 1], [[0, 0, 0], [0, 0, 1.3]])
    scalars, _, quadrupoles = tensor_features(frame, (1, 8), FeatureSettings(**SMALL))
    radial = radial_basis(np.array([1.3]), 4, 4.0)[0]
    np.testing.assert_allclose(scalars[0, 0, :4], radial, atol=1e-12)
    np.testing.assert_allclose(scalars[0, 0, 4:8], 0, atol=1e-12)  # no oxygen near the oxygen
    up = harmonics(np.array([[0.0, 0.0, 1.0]]), 2)[2][0]
    np.testing.assert_allclose(quadrupoles[0, :, :4], np.outer(up, radial), atol=1e-12)


def test_neighbours_say_how_they_are_turned() -> None:
    """Turning a far molecule about its oxygen changes features beyond the density of hydrogens."""
    frame = Frames([8, 8, 1], [[0, 0, 0], [0, 0, 3], [0, 0.9, 3.3]])
    far = tensor_features(
        frame, (1, 8), FeatureSettings(cutoff=4.0, radial=1, product_radial=1, message_radial=1)
    )
    lone = Frames([8, 8, 1], [[0, 0, 0], [0, 0, 3], [0, 0.9, -3.3]])
    other = tensor_features(
        lone, (1, 8), FeatureSettings(cutoff=4.0, radial=1, product_radial=1, message_radial=1)
    )
    n_density = 2
    messages = slice(n_density, n_density + 4)
    assert np.abs(far[0][0, 0, messages]).max() > 1e-3
    np.testing.assert_allclose(other[0][0, 0, messages], 0, atol=1e-12)


def test_a_label_that_is_a_feature_is_learned(
    synthetic_water: Callable[[int, int], LabelledFrames],
) -> None:
    """Coefficients are found again: labels that are a sum of features are fitted exactly."""
    frames = synthetic_water(21, 5).frames
    small = {"cutoff": 4.0, "radial": 3, "product_radial": 2, "message_radial": 1}
    settings = FeatureSettings(**small)
    apt = np.zeros((21, frames.n_atoms, 3, 3))
    for k in range(21):
        features = tensor_features(frames[k], (1, 8), settings)
        for degree in range(3):
            components = features[degree][..., [0, 5]].sum(-1)
            apt[k] += np.einsum("ac,cpd->apd", components, cartesian_basis(degree))
    model = LinearTensor(**small).fit(LabelledFrames(frames[:20], apt[:20]))
    error = model.predict(frames[20]) - apt[20]
    assert np.sqrt(np.mean(error**2)) < 1e-3 * apt.std()
    assert all(ridge.strength == STRENGTHS[0] for row in model.fit_.ridges for ridge in row)


def test_it_learns_synthetic_labels(
    synthetic_water: Callable[[int, int], LabelledFrames],
) -> None:
    train, test = synthetic_water(12, 1), synthetic_water(2, 2)
    model = LinearTensor(cutoff=3.0, radial=4, product_radial=3, message_radial=1).fit(train)
    error = model.predict(test.frames) - test.apt
    spread = test.apt - test.apt.mean((0, 1))
    assert np.sqrt(np.mean(error**2)) < 0.25 * np.sqrt(np.mean(spread**2))
    # the standard error is the size of the error on frames that were not fitted
    std = model.predict_std(test.frames)
    assert std.shape == error.shape
    assert 0.5 < np.sqrt(np.mean(error**2) / np.mean(std**2)) < 2.0


def test_conformance(synthetic_labels: LabelledFrames) -> None:
    model = LinearTensor(**SMALL).fit(synthetic_labels)
    for frames in (synthetic_labels.frames, synthetic_labels.frames.replace(cell=None)):
        check_model(model, frames).raise_if_failed()


@pytest.mark.parametrize("make", [lambda: RidgeSums(0, 4, 3), lambda: RidgeRows(0, 3)])
def test_ridge_equals_least_squares(make: Callable[[], RidgeData]) -> None:
    """The error left out, the choice and the coefficients, against plain least squares."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=(3, 20, 1, 4)) + 1.0
    y = x @ [1.0, -2.0, 0.0, 0.5] + 3.0 + 0.3 * rng.normal(size=(3, 20, 1))
    data = make()
    for fold in range(3):
        data.add(fold, x[fold], y[fold])

    def solve(rows: np.ndarray, targets: np.ndarray, strength: float) -> tuple[np.ndarray, float]:
        mean, scale = rows.mean(0), rows.std(0)
        z = (rows - mean) / scale
        normal = z.T @ z / len(z) + strength * np.eye(4)
        c = np.linalg.solve(normal, z.T @ (targets - targets.mean()) / len(z)) / scale
        return c, targets.mean() - mean @ c

    rows, targets = x.reshape(3, -1, 4), y.reshape(3, -1)
    squares = []
    for strength in STRENGTHS:
        total = 0.0
        for left in range(3):
            kept = [k for k in range(3) if k != left]
            c, constant = solve(rows[kept].reshape(-1, 4), targets[kept].ravel(), strength)
            total += np.sum((rows[left] @ c + constant - targets[left]) ** 2)
        squares.append(total)
    best = int(np.argmin(squares))
    fit = data.solve()
    assert fit.strength == STRENGTHS[best]
    assert fit.error == pytest.approx(np.sqrt(squares[best] / 60))
    c, constant = solve(rows.reshape(-1, 4), targets.ravel(), STRENGTHS[best])
    np.testing.assert_allclose(fit.coefficients, c, atol=1e-10)
    assert fit.constant == pytest.approx(constant)


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_the_dual_problem_is_the_same(degree: int) -> None:
    """More features than labels, some that never vary: sums and rows give one result."""
    rng = np.random.default_rng(7)
    both = RidgeSums(degree, 40, 3), RidgeRows(degree, 3)
    for fold in (0, 0, 1, 2):
        x = rng.normal(size=(4, 2 * degree + 1, 40)) * (np.arange(40) % 5)
        y = x[..., 1] - x[..., 7] + 0.1 * rng.normal(size=x.shape[:2])
        for data in both:
            data.add(fold, x, y)
    sums, rows = (data.solve() for data in both)
    assert sums.strength == rows.strength
    assert rows.error == pytest.approx(sums.error, rel=1e-6)
    np.testing.assert_allclose(rows.coefficients, sums.coefficients, atol=1e-6)
    assert rows.constant == pytest.approx(sums.constant, abs=1e-6)
    assert type(RidgeData.of_size(degree, 40, 39, 3)) is RidgeRows
    assert type(RidgeData.of_size(degree, 40, 40, 3)) is RidgeSums


def test_of_many_systems_some_are_left_out() -> None:
    """Ten diatomics whose charges have nothing to do with what can be seen of them."""
    rng = np.random.default_rng(8)
    systems = []
    for heavy in (3, 4, 5, 6, 7, 8, 9, 11, 12, 13):
        frames = Frames([1, heavy], [[[0, 0, 0], [0, 0, 1 + 0.01 * k]] for k in range(4)])
        charge = rng.normal() * np.array([1.0, -1.0])[:, None, None] * np.eye(3)
        systems.append(LabelledFrames(frames, np.tile(charge, (4, 1, 1, 1))))
    model = LinearTensor(**SMALL).fit_systems(systems)
    few = LinearTensor(**SMALL).fit_systems(systems[:9])
    # frames of a system predict each other; systems do not
    errors = [[row[0].error for row in one.fit_.ridges] for one in (model, few)]
    assert errors[0][0] > 0.5 > 0.01 > errors[1][0]
    # every heavy element is in one system only: it takes what hydrogen has
    assert {row[0].strength for row in model.fit_.ridges} == {model.fit_.ridges[0][0].strength}
    assert {row[0].error for row in model.fit_.ridges} == {errors[0][0]}


def test_one_frame_is_enough(synthetic_labels: LabelledFrames) -> None:
    model = LinearTensor(**SMALL).fit(synthetic_labels[0])
    assert np.isfinite(model.predict_std(synthetic_labels.frames)).all()


def test_it_survives_its_folder(tmp_path: Path, synthetic_labels: LabelledFrames) -> None:
    assert not LinearTensor.from_folder(tmp_path, **SMALL).fitted
    model = LinearTensor(**SMALL).fit(synthetic_labels)
    model.save(tmp_path, {"train": [0, 1]})
    again = LinearTensor.from_folder(tmp_path)
    assert again.features == model.features
    assert again.provenance_ == {"train": [0, 1]}
    assert again.n_parameters == model.n_parameters > 100
    frames = synthetic_labels.frames
    np.testing.assert_allclose(again.predict(frames), model.predict(frames), atol=1e-7)
    np.testing.assert_allclose(again.predict_std(frames), model.predict_std(frames))
    assert not LinearTensor.untrained(tmp_path, **SMALL).fitted


def test_damaged_weights(tmp_path: Path, synthetic_labels: LabelledFrames) -> None:
    path = LinearTensor(**SMALL).fit(synthetic_labels).save(tmp_path)
    text = path.read_text()
    path.write_text(text.replace('"radial": 4', '"radial": 5'))
    with pytest.raises(StoreError, match="coefficients for"):
        LinearTensor.from_folder(tmp_path)
    path.write_text(text[:-9])
    with pytest.raises(StoreError, match="cannot be read"):
        LinearTensor.from_folder(tmp_path)


def test_what_it_cannot_do(synthetic_labels: LabelledFrames) -> None:
    frames = Frames([11], np.zeros((1, 3)))
    with pytest.raises(InputError, match="no weights"):
        LinearTensor().predict(frames)
    with pytest.raises(InputError, match="does not know the species Na"):
        LinearTensor(**SMALL).fit(synthetic_labels).predict(frames)
    with pytest.raises(InputError, match="no such setting"):
        LinearTensor(cutof=4.0)
    with pytest.raises(InputError, match="settings of the tensor features are impossible"):
        LinearTensor(radial=4)
    with pytest.raises(InputError, match="one frame"):
        tensor_features(synthetic_labels.frames, (1, 8), FeatureSettings())
