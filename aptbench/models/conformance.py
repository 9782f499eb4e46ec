"""`check_model`: the properties that every model must have, measured on given frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aptbench.errors import AptbenchError
from aptbench.frames import Frames
from aptbench.models.protocol import APTModel, Array, checked_prediction

Check = Callable[["_Subject"], float]


@dataclass(frozen=True)
class CheckResult:
    """One measured property.

    Parameters
    ----------
    name : str
        What was checked.
    value : float
        Largest violation in e; infinite if the model raised an error.
    tolerance : float or None
        Largest value that passes; None for a property that is reported and not demanded.
    note : str
        The error, if the model raised one.
    """

    name: str
    value: float
    tolerance: float | None
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether the value is within its tolerance; always true without one."""
        if self.note:
            return False
        return self.tolerance is None or self.value <= self.tolerance


@dataclass(frozen=True)
class ConformanceReport:
    """All measured properties of one model on one set of frames."""

    model: str
    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every demanded property holds."""
        return all(result.passed for result in self.results)

    def __getitem__(self, name: str) -> CheckResult:
        return {result.name: result for result in self.results}[name]

    def __str__(self) -> str:
        width = max(len(r.name) for r in self.results)
        lines = [f"conformance of {self.model}"]
        for r in self.results:
            state = "report" if r.tolerance is None else "pass" if r.passed else "FAIL"
            state = "FAIL" if r.note else state
            limit = "" if r.tolerance is None else f" (at most {r.tolerance:.0e})"
            lines.append(f"  {state:6} {r.name:{width}} {r.value:.2e} e{limit} {r.note}".rstrip())
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "model": self.model,
            "passed": self.passed,
            "unit": "e",
            "results": [
                {**dataclasses.asdict(result), "passed": result.passed} for result in self.results
            ],
        }

    def raise_if_failed(self) -> None:
        """Raise AssertionError with the whole report unless all passed, for use in pytest."""
        if not self.passed:
            raise AssertionError(str(self))


def check_model(
    model: APTModel, frames: Frames, *, tolerance: float = 2e-5, seed: int = 0
) -> ConformanceReport:
    """Measure whether a model has the exact properties of an atomic polar tensor.

    Parameters
    ----------
    model : APTModel
        Ready to predict.
    frames : Frames
        At least two frames of a kind that the model knows; with a cell also the periodic
        properties are checked.
    tolerance : float
        Largest violation in e that passes; the default suits float32 inside. Raise it and say so
        for a model that is equivariant only approximately.
    seed : int
        Of the random rotations, shifts and permutation.

    Returns
    -------
    ConformanceReport
        An error of the model inside a check is a failed check, never an exception.

    Notes
    -----
    Checked: shape and finiteness, no mutation of the input, determinism, a batch equals its single
    frames, translation, permutation, proper and improper rotation P(R x) = R P(x) R^T, and with a
    cell lattice translation of single atoms and a supercell. The acoustic sum rule
    sum_i P_i = Q 1 is reported as the rms of the residual over components and frames.

    Examples
    --------
    >>> from aptbench.models.constant import ConstantCharge
    >>> frames = Frames([8, 1, 1], [[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]] * 2)
    >>> report = check_model(ConstantCharge({"O": -0.9, "H": 0.45}), frames)
    >>> report.passed, round(report["acoustic_sum_rule_residual"].value, 12)
    (True, 0.0)
    """
    name = str(getattr(model, "name", type(model).__name__))
    checks: dict[str, tuple[Check, float | None]] = {
        "shape_and_finite": (_shape_and_finite, 0.0),
        "no_input_mutation": (_no_input_mutation, 0.0),
        "determinism": (_determinism, tolerance),
        "batch_equals_single": (_batch_equals_single, tolerance),
        "translation": (_translation, tolerance),
        "permutation": (_permutation, tolerance),
        "proper_rotation": (_proper_rotation, tolerance),
        "improper_rotation": (_improper_rotation, tolerance),
    }
    if frames.periodic:
        checks["lattice_translation"] = (_lattice_translation, tolerance)
        checks["supercell"] = (_supercell, tolerance)
    checks["acoustic_sum_rule_residual"] = (_sum_rule, None)
    results = []
    for check_name, (check, limit) in checks.items():
        subject = _Subject(model, frames, name, np.random.default_rng(seed))
        try:
            results.append(CheckResult(check_name, float(check(subject)), limit))
        except Exception as error:
            what = error.what if isinstance(error, AptbenchError) else str(error)
            note = f"{type(error).__name__}: {what}"
            results.append(CheckResult(check_name, float("inf"), limit, note))
    return ConformanceReport(name, tuple(results))


@dataclass(frozen=True)
class _Subject:
    model: APTModel
    frames: Frames
    name: str
    rng: np.random.Generator

    def predict(self, frames: Frames | None = None) -> Array:
        frames = self.frames if frames is None else frames
        return checked_prediction(self.model.predict(frames), frames, name=self.name)


def _largest(difference: npt.NDArray[np.float64]) -> float:
    return float(np.abs(difference).max())


def _shape_and_finite(subject: _Subject) -> float:
    subject.predict()
    return 0.0


def _no_input_mutation(subject: _Subject) -> float:
    # a writable twin: the arrays of Frames are read-only, which would turn a defect into an error
    fields = {f.name: getattr(subject.frames, f.name) for f in dataclasses.fields(Frames)}
    twin = dataclasses.replace(subject.frames)
    for name, value in fields.items():
        if isinstance(value, np.ndarray):
            object.__setattr__(twin, name, value.copy())
    subject.predict(twin)
    return max(
        _largest(np.asarray(getattr(twin, name) - value, float))
        for name, value in fields.items()
        if isinstance(value, np.ndarray)
    )


def _determinism(subject: _Subject) -> float:
    return _largest(subject.predict() - subject.predict())


def _batch_equals_single(subject: _Subject) -> float:
    singles = [subject.predict(subject.frames[k]) for k in range(len(subject.frames))]
    return _largest(subject.predict() - np.concatenate(singles))


def _translation(subject: _Subject) -> float:
    shift = subject.rng.uniform(-3, 3, 3)
    return _largest(subject.predict(subject.frames.translated(shift)) - subject.predict())


def _permutation(subject: _Subject) -> float:
    order = subject.rng.permutation(subject.frames.n_atoms)
    return _largest(subject.predict(subject.frames.permuted(order)) - subject.predict()[:, order])


def _rotation(subject: _Subject, sign: float) -> float:
    matrix = np.linalg.qr(subject.rng.normal(size=(3, 3)))[0]
    matrix = matrix * sign * np.sign(np.linalg.det(matrix))
    rotated = subject.predict(subject.frames.rotated(matrix))
    return _largest(rotated - matrix @ subject.predict() @ matrix.T)


def _proper_rotation(subject: _Subject) -> float:
    return _rotation(subject, 1.0)


def _improper_rotation(subject: _Subject) -> float:
    return _rotation(subject, -1.0)


def _lattice_translation(subject: _Subject) -> float:
    frames = subject.frames
    if frames.cell is None:
        return 0.0
    images = subject.rng.integers(-2, 3, (len(frames), frames.n_atoms, 3))
    moved = frames.replace(positions=frames.positions + images @ frames.cell)
    return _largest(subject.predict(moved) - subject.predict())


def _supercell(subject: _Subject) -> float:
    prediction = subject.predict()
    large = subject.predict(subject.frames.supercell((2, 1, 1)))
    return _largest(large - np.tile(prediction, (1, 2, 1, 1)))


def _sum_rule(subject: _Subject) -> float:
    excess = subject.predict().sum(axis=1) - subject.frames.total_charge * np.eye(3)
    return float(np.sqrt(np.mean(excess**2)))
