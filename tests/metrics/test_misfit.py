"""The convention of tensors, told from labels; and no word about models that are merely bad."""

from __future__ import annotations

import numpy as np
import pytest

from aptbench import Frames
from aptbench.metrics.misfit import UNITS, find_misfit, find_misfits
from aptbench.testing import sample_labels
from aptbench.units import BOHR, DEBYE

LABELS = sample_labels("liquid")
FRAMES, APT = LABELS.frames, LABELS.apt
GOOD = APT + 0.02 * np.random.default_rng(0).normal(size=APT.shape)
BY_ELEMENT = np.argsort(FRAMES.atomic_numbers, kind="stable")


def kind_of(prediction: np.ndarray) -> str | None:
    found = find_misfit(prediction, APT, FRAMES)
    return None if found is None else found.kind


@pytest.mark.parametrize(
    ("done", "kind", "words"),
    [
        (lambda p: p.swapaxes(2, 3), "transposed", "[disp, pol]"),
        (lambda p: -p, "sign", "opposite"),
        (lambda p: p / DEBYE, "unit", "debye per angstrom"),
        (lambda p: p * BOHR / DEBYE, "unit", "debye per bohr"),
        (lambda p: p / BOHR, "unit", "e bohr per angstrom"),
        (lambda p: p * BOHR, "unit", "e angstrom per bohr"),
        (lambda p: 3 * p, "scale", "3 times too large"),
        (lambda p: -p / DEBYE, "sign and unit", "debye per angstrom"),
        (lambda p: p.swapaxes(2, 3) / DEBYE, "transposed and unit", "debye per angstrom"),
        (lambda p: p[:, BY_ELEMENT], "atoms", "sorted by element, H, then O"),
        (lambda p: p[:, ::-1], "atoms", "reversed"),
        (lambda p: np.roll(p, 1, axis=1), "atoms", "moved on by 1"),
        (lambda p: p[:, :, [1, 2, 0]][..., [1, 2, 0]], "axes", "another frame"),
        (
            lambda p: p - 6 * (FRAMES.atomic_numbers == 8)[:, None, None] * np.eye(3),
            "offset",
            "-6.0",
        ),
    ],
)
def test_each_thing_is_found_by_its_name(done: object, kind: str, words: str) -> None:
    prediction = done(GOOD)  # type: ignore[operator]
    found = find_misfit(prediction, APT, FRAMES)
    assert found is not None
    assert found.kind == kind
    assert words in found.words
    assert found.after < 0.5 * found.before
    assert found.cure


def test_frames_in_another_order() -> None:
    rng = np.random.default_rng(1)
    labels = rng.normal(size=(6, 3, 3, 3))
    frames = Frames([8, 1, 1], np.zeros((6, 3, 3)))
    found = find_misfit(labels[[1, 0, 2, 3, 5, 4]], labels, frames)
    assert found is not None
    assert (found.kind, found.after) == ("frames", 0)
    assert "1, 0, 2, 3, 5, 4" in found.words


def test_good_and_bad_models_are_left_alone() -> None:
    rng = np.random.default_rng(2)
    assert kind_of(APT) is None
    for size in (0.02, 0.2, 1.0):
        assert kind_of(APT + size * rng.normal(size=APT.shape)) is None
    assert kind_of(rng.normal(size=APT.shape)) is None
    assert kind_of(np.zeros(APT.shape)) is None
    none_of_it = find_misfit(GOOD, np.zeros(APT.shape), FRAMES)
    assert none_of_it is None or none_of_it.kind == "offset"


def test_isotropic_models_are_not_told_that_they_are_transposed() -> None:
    charge = np.where(FRAMES.atomic_numbers == 8, -0.8, 0.4)
    constant = np.broadcast_to(charge[:, None, None] * np.eye(3), APT.shape)
    assert kind_of(constant) is None
    assert str(kind_of(-constant)).startswith("sign")
    local = np.trace(APT, axis1=2, axis2=3)[..., None, None] / 3 * np.eye(3)
    assert kind_of(local) is None


def test_units_are_those_of_dipole_over_length() -> None:
    # a dipole of 1 e angstrom is 4.803 debye; a bohr is 0.529 angstrom
    assert UNITS["in debye per angstrom"] == pytest.approx(4.80320, rel=1e-5)
    assert UNITS["in debye per bohr"] == pytest.approx(4.80320 * 0.529177, rel=1e-5)


def test_one_bad_system_is_no_convention() -> None:
    good, bad = (GOOD, APT, FRAMES), (GOOD / DEBYE, APT, FRAMES)
    assert find_misfits({"a": good, "b": good, "c": bad}) == {}
    assert set(find_misfits({"a": bad, "b": good, "c": bad})) == {"a", "c"}
    moved = (GOOD[:, ::-1], APT, FRAMES)
    assert {k: v.kind for k, v in find_misfits({"a": good, "b": moved}).items()} == {"b": "atoms"}


def test_a_model_that_is_too_large_and_bad_is_merely_bad() -> None:
    rng = np.random.default_rng(3)
    assert kind_of(3 * APT + 0.4 * rng.normal(size=APT.shape)) is None
    assert kind_of(3 * APT) == "scale"
