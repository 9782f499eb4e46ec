"""The exact properties of an atomic polar tensor, each as a measurement of a model on frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.metrics.sum_rules import acoustic_sum_rule_residual, rotational_sum_rule_residual
from aptbench.models.protocol import APTModel, Array, checked_prediction


@dataclass(frozen=True)
class Subject:
    """A model, the frames it is measured on, and the source of random numbers."""

    model: APTModel
    frames: Frames
    name: str
    rng: np.random.Generator

    def predict(self, frames: Frames | None = None) -> Array:
        """Return the checked prediction of the frames, or of others."""
        frames = self.frames if frames is None else frames
        return checked_prediction(self.model.predict(frames), frames, name=self.name)

    def optional(self, method: str, frames: Frames | None = None) -> Array:
        """Return the finite result of ``predict_std`` or ``dipole``."""
        frames = self.frames if frames is None else frames
        result = np.asarray(getattr(self.model, method)(frames), float)
        shape: tuple[int, ...] = (len(frames), 3)
        if method == "predict_std":
            shape = (len(frames), frames.n_atoms, 3, 3)
        if result.shape != shape or not np.isfinite(result).all():
            raise InputError(
                f"The {method!r} of {self.name!r} has the wrong shape or is not finite.",
                got=result.shape,
                expected=f"finite numbers of shape {shape}",
            )
        return result


@dataclass(frozen=True)
class Property:
    """One property: how it is measured, and where it applies.

    Parameters
    ----------
    measure : callable
        Returns the largest violation, zero for an exact model.
    demanded : bool
        Whether a model must have it; else it is a number to report.
    exact : bool
        Whether nothing but zero passes.
    unit : str
    periodic : bool or None
        Whether only periodic, only isolated, or all frames have it.
    method : str or None
        An optional method that the model must have.
    """

    measure: Callable[[Subject], float]
    demanded: bool = True
    exact: bool = False
    unit: str = "e"
    periodic: bool | None = None
    method: str | None = None

    def applies(self, model: Any, frames: Frames) -> bool:
        """Whether a model can be asked for it on these frames."""
        if self.periodic is not None and self.periodic != frames.periodic:
            return False
        return self.method is None or callable(getattr(model, self.method, None))


def largest(difference: npt.NDArray[np.float64]) -> float:
    """Return the largest absolute value."""
    return float(np.abs(difference).max())


def shape_and_finite(subject: Subject) -> float:
    """Raise if the prediction is not finite tensors for all atoms."""
    subject.predict()
    return 0.0


def no_input_mutation(subject: Subject) -> float:
    """Predict writable frames, and return how much they have changed."""
    # a writable twin: the arrays of Frames are read-only, which would turn a defect into an error
    fields = {f.name: getattr(subject.frames, f.name) for f in dataclasses.fields(Frames)}
    twin = dataclasses.replace(subject.frames)
    for name, value in fields.items():
        if isinstance(value, np.ndarray):
            object.__setattr__(twin, name, value.copy())
    subject.predict(twin)
    return max(
        largest(np.asarray(getattr(twin, name) - value, float))
        for name, value in fields.items()
        if isinstance(value, np.ndarray)
    )


def determinism(subject: Subject) -> float:
    """Predict twice."""
    return largest(subject.predict() - subject.predict())


def batch_equals_single(subject: Subject) -> float:
    """Predict all frames together, and one by one."""
    singles = [subject.predict(subject.frames[k]) for k in range(len(subject.frames))]
    return largest(subject.predict() - np.concatenate(singles))


def translation(subject: Subject) -> float:
    """Shift all atoms by a random vector of some angstrom."""
    shift = subject.rng.uniform(-3, 3, 3)
    return largest(subject.predict(subject.frames.translated(shift)) - subject.predict())


def permutation(subject: Subject) -> float:
    """Reorder all atoms, species and molecules with them."""
    order = subject.rng.permutation(subject.frames.n_atoms)
    return largest(subject.predict(subject.frames.permuted(order)) - subject.predict()[:, order])


def proper_rotation(subject: Subject) -> float:
    """Rotate at random: P(R x) = R P(x) R^T."""
    return _rotation(subject, 1.0)


def improper_rotation(subject: Subject) -> float:
    """Rotate and invert."""
    return _rotation(subject, -1.0)


def lattice_translation(subject: Subject) -> float:
    """Move single atoms by lattice vectors."""
    frames = subject.frames
    if frames.cell is None:
        return 0.0
    images = subject.rng.integers(-2, 3, (len(frames), frames.n_atoms, 3))
    moved = frames.replace(positions=frames.positions + images @ frames.cell)
    return largest(subject.predict(moved) - subject.predict())


def supercell(subject: Subject) -> float:
    """Describe the same crystal by a cell of twice the size."""
    prediction = subject.predict()
    large = subject.predict(subject.frames.supercell((2, 1, 1)))
    return largest(large - np.tile(prediction, (1, 2, 1, 1)))


def std_not_negative(subject: Subject) -> float:
    """Return how negative the uncertainty is; raise if its shape is wrong."""
    return max(0.0, -float(subject.optional("predict_std").min()))


def dipole_shape(subject: Subject) -> float:
    """Raise if the dipole is not three finite numbers a frame."""
    subject.optional("dipole")
    return 0.0


def acoustic_sum_rule(subject: Subject) -> float:
    """Return the rms of sum_i P_i - Q 1 over components and frames."""
    excess = acoustic_sum_rule_residual(subject.predict(), subject.frames.total_charge)
    return float(np.sqrt(np.mean(excess**2)))


def rotational_sum_rule(subject: Subject) -> float:
    """Return the rms of what sum_i P_i (w x R_i) = w x M leaves, by the rms radius of the atoms."""
    frames = subject.frames
    places = frames.positions - frames.positions.mean(1, keepdims=True)
    residual = rotational_sum_rule_residual(subject.predict(), places)
    radius = np.sqrt(np.mean(np.sum(places**2, -1)))
    return float(np.sqrt(np.mean(residual**2)) / radius)


def dipole_derivative(subject: Subject) -> float:
    """Return the largest difference of P u and dM/du along two random directions u of all atoms."""
    frames, step = subject.frames[0], 1e-2
    apt, worst = subject.predict(frames)[0], 0.0
    for _ in range(2):
        direction = _direction(subject, frames)
        ends = _moved(frames, step * direction), _moved(frames, -step * direction)
        change = subject.optional("dipole", ends[0])[0] - subject.optional("dipole", ends[1])[0]
        if frames.cell is not None:
            change -= np.round(change @ np.linalg.inv(frames.cell[0])) @ frames.cell[0]
        explained = np.einsum("apd,ad->p", apt, direction)
        worst = max(worst, largest(change / (2 * step) - explained))
    return worst


def curl(subject: Subject) -> float:
    """Return the largest curl d(P v)/du - d(P u)/dv for random directions u and v of all atoms."""
    frames, step = subject.frames[0], 1e-2
    u, v = _direction(subject, frames), _direction(subject, frames)

    def slope(along: Array, of: Array) -> Array:
        ends = [subject.predict(_moved(frames, s * step * along))[0] for s in (1, -1)]
        values: Array = np.einsum("apd,ad->p", ends[0] - ends[1], of) / (2 * step)
        return values

    return largest(slope(u, v) - slope(v, u))


def rounding_noise(subject: Subject) -> float:
    """Return the largest second difference along a path so short that only rounding is left."""
    frames, step = subject.frames[0], 1e-6
    u = _direction(subject, frames)
    ends = [subject.predict(_moved(frames, s * step * u)) for s in (1, 0, -1)]
    return largest(ends[0] - 2 * ends[1] + ends[2])


def _rotation(subject: Subject, sign: float) -> float:
    matrix = np.linalg.qr(subject.rng.normal(size=(3, 3)))[0]
    matrix = matrix * sign * np.sign(np.linalg.det(matrix))
    rotated = subject.predict(subject.frames.rotated(matrix))
    return largest(rotated - matrix @ subject.predict() @ matrix.T)


def _direction(subject: Subject, frames: Frames) -> Array:
    """Return a random unit vector in the space of all coordinates, (atom, disp)."""
    vector = subject.rng.normal(size=(frames.n_atoms, 3))
    unit: Array = vector / np.linalg.norm(vector)
    return unit


def _moved(frames: Frames, shift: Array) -> Frames:
    return frames.replace(positions=frames.positions + shift)


PROPERTIES: Final[dict[str, Property]] = {
    "shape_and_finite": Property(shape_and_finite, exact=True),
    "no_input_mutation": Property(no_input_mutation, exact=True),
    "determinism": Property(determinism),
    "batch_equals_single": Property(batch_equals_single),
    "translation": Property(translation),
    "permutation": Property(permutation),
    "proper_rotation": Property(proper_rotation),
    "improper_rotation": Property(improper_rotation),
    "lattice_translation": Property(lattice_translation, periodic=True),
    "supercell": Property(supercell, periodic=True),
    "std_not_negative": Property(std_not_negative, exact=True, method="predict_std"),
    "dipole_shape": Property(dipole_shape, exact=True, method="dipole"),
    "acoustic_sum_rule_residual": Property(acoustic_sum_rule, demanded=False),
    "rotational_sum_rule_residual": Property(rotational_sum_rule, demanded=False, periodic=False),
    "dipole_derivative_residual": Property(dipole_derivative, demanded=False, method="dipole"),
    "curl": Property(curl, demanded=False, unit="e/angstrom"),
    "rounding_noise": Property(rounding_noise, demanded=False),
}
"""All properties by name, demanded ones first."""
