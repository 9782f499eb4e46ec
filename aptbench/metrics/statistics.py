"""Statistics of atomic polar tensors: one value an atom, a frame, or a mode of motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.metrics.base import Samples
from aptbench.metrics.irreps import irrep_part
from aptbench.metrics.sum_rules import acoustic_sum_rule_residual
from aptbench.molecules import MoleculeTable
from aptbench.spectra.current import current
from aptbench.spectra.modes import mode_currents, modes_of

Array = npt.NDArray[np.float64]

ATOMS = ("frame", "atom")
FRAMES = ("frame",)
MODES = ("frame", "mode")


def _no_velocities(metric: str) -> InputError:
    return InputError(
        "The current needs velocities, and the frames have none.",
        expected="Frames with 'velocities' in angstrom/fs",
        do=f"give the velocities, or leave out {metric!r}",
    )


def _mean_square(tensors: Array) -> Array:
    return np.einsum("...pd,...pd->...", tensors, tensors) / 9


@dataclass(frozen=True)
class SquaredError:
    """Square of the error, e^2, mean over the 9 components, of the tensor or of one irrep.

    An irrep is divided by 9 as well, not by its own number of components: so the values of the
    three irreps add up to that of the tensor.
    """

    irrep: int | None = None

    def __call__(self, prediction: Array, reference: Array, frames: Frames) -> Samples:
        """Return values (frame, atom) in e^2."""
        error = prediction - reference
        if self.irrep is not None:
            error = irrep_part(error, self.irrep)
        return Samples(_mean_square(error), ATOMS)


@dataclass(frozen=True)
class AbsoluteError:
    """Absolute error in e, mean over the 9 components."""

    def __call__(self, prediction: Array, reference: Array, frames: Frames) -> Samples:
        """Return values (frame, atom) in e."""
        return Samples(np.abs(prediction - reference).mean((-2, -1)), ATOMS)


@dataclass(frozen=True)
class ReferenceSquare:
    """Square of the reference, e^2, mean over the 9 components."""

    def __call__(self, prediction: Array, reference: Array, frames: Frames) -> Samples:
        """Return values (frame, atom) in e^2."""
        return Samples(_mean_square(reference), ATOMS)


@dataclass(frozen=True)
class ReferenceCharge:
    """Isotropic charge (trace / 3) of the reference in e."""

    def __call__(self, prediction: Array, reference: Array, frames: Frames) -> Samples:
        """Return values (frame, atom) in e."""
        return Samples(np.einsum("...pp->...", reference) / 3, ATOMS)


@dataclass(frozen=True)
class CurrentSquare:
    """Square of the current, of the reference or of the error of the prediction.

    Parameters
    ----------
    error : bool
        Whether it is the current of prediction minus reference.
    """

    error: bool

    def __call__(self, prediction: Array, reference: Array, frames: Frames) -> Samples:
        """Return values (frame,) in (e angstrom/fs)^2."""
        if frames.velocities is None:
            raise _no_velocities("current_error")
        apt = prediction - reference if self.error else reference
        rate = current(apt, frames.velocities)
        return Samples(np.einsum("fp,fp->f", rate, rate), FRAMES)


@dataclass(frozen=True)
class ModeCurrentSquare:
    """Squares of the currents that the modes of the molecules carry, all molecules together.

    Of the reference in every mode, then of the error of the prediction in every mode: splitting
    the velocities takes most of the time, and is done once.
    """

    def __call__(self, prediction: Array, reference: Array, frames: Frames) -> Samples:
        """Return values (frame, mode) in (e angstrom/fs)^2, as `ByMode` names them."""
        if frames.velocities is None:
            raise _no_velocities("assignment_error")
        table = MoleculeTable.of(frames)
        modes, whole = modes_of(table.kinds), table.whole(frames.positions, frames.cell)
        total = np.zeros((2, len(frames), len(modes), 3))
        for kind in table.kinds:
            known = reference[:, kind.atoms]
            carried = mode_currents(
                kind,
                whole[:, kind.atoms],
                frames.velocities[:, kind.atoms],
                np.stack([known, prediction[:, kind.atoms] - known]),
            )
            total[:, :, [modes.index(name) for name in modes_of((kind,))]] += carried.sum(2)
        return Samples(np.hstack(np.einsum("kfmp,kfmp->kfm", total, total)), MODES)


@dataclass(frozen=True)
class SumRuleSquare:
    """Square of the acoustic sum rule residual of the prediction, mean over the 9 components."""

    def __call__(self, prediction: Array, reference: Array, frames: Frames) -> Samples:
        """Return values (frame,) in e^2."""
        residual = acoustic_sum_rule_residual(prediction, frames.total_charge)
        return Samples(_mean_square(residual), FRAMES)
