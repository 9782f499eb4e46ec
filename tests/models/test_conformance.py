"""The reported properties in closed form, and the kit as another repository uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames
from aptbench.errors import UnknownNameError
from aptbench.models import check_model
from aptbench.models.constant import ConstantCharge
from aptbench.models.properties import PROPERTIES
from aptbench.oracle import PolarizableWater
from aptbench.testing import KINDS, sample_frames, sample_labels

PROJECT = Path(__file__).parents[2]


class Formula:
    """A model from functions of the positions of one frame."""

    def __init__(self, apt, dipole=None, std=None):
        self._apt = apt
        if dipole is not None:
            self.dipole = lambda frames: np.array([dipole(x) for x in frames.positions])
        if std is not None:
            self.predict_std = lambda frames: np.array([std(x) for x in frames.positions])

    def predict(self, frames):
        return np.array([self._apt(x) for x in frames.positions])


def value(model: object, frames: Frames, name: str) -> float:
    return check_model(model, frames, only=[name])[name].value  # type: ignore[arg-type]


def bond(x: np.ndarray, extra: float = 0.0) -> np.ndarray:
    """The tensors of M = |v|^2 v, and a part that is the derivative of nothing."""
    v = x[1] - x[0]
    tensor = (v @ v) * np.eye(3) + (2 + extra) * np.outer(v, v)
    return np.stack([-tensor, tensor])


PAIR = Frames([1, 1], [[[0, 0, 0], [0.3, 0.5, 0.7]], [[0, 0, 0], [0.2, 0.6, 0.5]]])


def cube(x: np.ndarray) -> np.ndarray:
    v = x[1] - x[0]
    return (v @ v) * v


def test_sum_rules() -> None:
    water = PolarizableWater()
    molecule = sample_frames("molecule")
    assert value(water, molecule, "rotational_sum_rule_residual") < 1e-9
    # charges that turn with the molecule have a dipole; a sheared tensor has none
    assert value(ConstantCharge({"H": 1.0}), PAIR, "rotational_sum_rule_residual") < 1e-12
    sheared = Formula(lambda x: np.stack([-np.ones((3, 3)), np.ones((3, 3))]))
    assert value(sheared, PAIR, "acoustic_sum_rule_residual") < 1e-12
    assert value(sheared, PAIR, "rotational_sum_rule_residual") > 0.1
    periodic = check_model(water, sample_frames("liquid"), only=["rotational_sum_rule_residual"])
    assert periodic.results == ()  # rotations of a cell prove nothing
    assert str(periodic)


def test_dipole_and_tensors_must_agree_to_be_one() -> None:
    assert value(Formula(bond, cube), PAIR, "dipole_derivative_residual") < 1e-3
    twice = Formula(bond, lambda x: 2 * cube(x))
    assert value(twice, PAIR, "dipole_derivative_residual") > 0.05
    water, liquid = PolarizableWater(), sample_frames("liquid")
    assert value(water, liquid, "dipole_derivative_residual") < 1e-4


def test_curl_is_zero_for_a_derivative_only() -> None:
    assert value(Formula(bond), PAIR, "curl") < 1e-12
    assert value(Formula(lambda x: bond(x, 1.0)), PAIR, "curl") > 0.05


def test_rounding_noise_tells_the_precision() -> None:
    single = Formula(lambda x: bond(x.astype(np.float32)))
    assert value(Formula(bond), PAIR, "rounding_noise") < 1e-11
    assert 1e-9 < value(single, PAIR, "rounding_noise") < 1e-5


def test_uncertainty_and_dipole_have_a_form() -> None:
    good = Formula(bond, cube, std=lambda x: np.ones((2, 3, 3)))
    assert check_model(good, PAIR, only=["std_not_negative", "dipole_shape"]).passed
    negative = Formula(bond, std=lambda x: np.full((2, 3, 3), -0.1))
    assert value(negative, PAIR, "std_not_negative") == pytest.approx(0.1)
    for wrong in (
        Formula(bond, std=lambda x: np.ones(2)),
        Formula(bond, lambda x: np.full(3, np.nan)),
    ):
        report = check_model(wrong, PAIR, only=["std_not_negative", "dipole_shape"])
        assert not report.passed
        assert "wrong shape or is not finite" in str(report)


def test_an_error_of_the_model_is_a_failed_check_and_reports_can_fail() -> None:
    def fail(x):
        raise RuntimeError("boom")

    report = check_model(Formula(bond, fail), PAIR)
    assert not report.passed
    assert "RuntimeError: boom" in report["dipole_derivative_residual"].note


def test_only_known_properties() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'translation'"):
        check_model(ConstantCharge({"H": 0.0}), PAIR, only=["translations"])
    report = check_model(ConstantCharge({"H": 0.0}), PAIR, only=["translation"])
    assert [r.name for r in report.results] == ["translation"]
    assert report.to_dict()["results"][0]["unit"] == "e"


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_exact_and_without_symmetry(kind: str) -> None:
    labels = sample_labels(kind)
    assert len(labels) == 2
    assert labels.frames.periodic == (kind == "liquid")
    water = PolarizableWater()
    np.testing.assert_array_equal(labels.apt, water.predict(labels.frames))
    assert np.abs(labels.apt - np.swapaxes(labels.apt, -1, -2)).max() > 0.01
    assert np.abs(labels.apt[0] - labels.apt[1]).max() > 0.01
    report = check_model(water, labels.frames, only=["translation", "proper_rotation"])
    assert report.passed
    assert not report["translation"].note


def test_unknown_sample() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'liquid'"):
        sample_frames("liqiud")


THEIR_TESTS = """
import numpy as np
import pytest

from aptbench import Frames
from aptbench.models.constant import ConstantCharge
from aptbench.testing import ModelConformance


class Bent(ConstantCharge):
    def predict(self, frames):
        apt = super().predict(frames)
        apt[..., 0, 0] += 0.1
        return apt


class TestGood(ModelConformance):
    @pytest.fixture(scope="class")
    def model(self):
        return ConstantCharge({"O": -0.8, "H": 0.4})


class TestBent(ModelConformance):
    systems = ("molecule",)

    @pytest.fixture(scope="class")
    def model(self):
        return Bent({"O": -0.8, "H": 0.4})


class TestSalt(ModelConformance):
    @pytest.fixture(scope="class")
    def model(self):
        return ConstantCharge({"Na": 1.0, "Cl": -1.0})

    @pytest.fixture(scope="class")
    def frames(self):
        return Frames([11, 17], [[[0, 0, 0], [0, 0, 2.4]]] * 2, [4.0, 5.0, 6.0])


class TestForgotten(ModelConformance):
    systems = ("molecule",)
"""


def test_the_kit_in_another_repository(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(THEIR_TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    lines = done.stdout.splitlines()
    demanded = sum(p.demanded for p in PROPERTIES.values())

    def count(state: str, name: str) -> int:
        return sum(line.startswith(state) and f"::{name}::" in line for line in lines)

    # of the demanded ones, two need a dipole or an uncertainty and two a cell
    assert count("PASSED", "TestGood") == 2 * (demanded - 2) - 2, done.stdout
    assert count("FAILED", "TestGood") == 0
    assert count("PASSED", "TestSalt") == demanded - 2
    failed = {line.split("[")[1].split("]")[0] for line in lines if line.startswith("FAILED")}
    assert {"molecule-proper_rotation", "molecule-improper_rotation"} <= failed
    assert count("FAILED", "TestBent") == 2
    assert "needs a fixture 'model'" in done.stdout
    assert done.returncode == 1
