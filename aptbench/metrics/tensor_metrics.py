"""Metrics of atomic polar tensors: formulas over means (physics.md sections 3.1 and 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.metrics.base import Binned, Statistic
from aptbench.metrics.binning import ERROR_OF, ByMode, BySize, BySpecies, Together
from aptbench.metrics.mean import Totals
from aptbench.metrics.statistics import (
    AbsoluteError,
    CurrentSquare,
    ModeCurrentSquare,
    ReferenceCharge,
    ReferenceSquare,
    SquaredError,
    SumRuleSquare,
)

Array = npt.NDArray[np.float64]
Means = Mapping[Binned, Totals]

DARK: Final = 1e-3
"""Share of the rms current of all modes, below which a mode carries none."""


def _by_species(statistic: Statistic) -> Binned:
    return Binned(statistic, BySpecies())


@dataclass(frozen=True)
class RootMeanSquareError:
    r"""Root mean square error over atoms and 9 components, in e.

    Parameters
    ----------
    species : str, optional
        Only atoms of this element.
    irrep : int, optional
        Only this irrep. :math:`\mathrm{rmse}[L]^2 = \langle |\Delta P^{(L)}|_F^2 \rangle / 9`,
        with the same 9 for every L, so that
        :math:`\mathrm{rmse}[0]^2 + \mathrm{rmse}[1]^2 + \mathrm{rmse}[2]^2 = \mathrm{rmse}^2`.
    """

    species: str | None = None
    irrep: int | None = None
    unit = "e"

    @property
    def inputs(self) -> tuple[Binned, ...]:
        """Squared error by species."""
        return (_by_species(SquaredError(self.irrep)),)

    def compute(self, totals: Means) -> Array:
        """Return the error in e."""
        return np.sqrt(totals[self.inputs[0]].mean(self.species))


@dataclass(frozen=True)
class MeanAbsoluteError:
    """Mean absolute error over atoms and 9 components, in e; depends on the axes, mildly."""

    species: str | None = None
    unit = "e"

    @property
    def inputs(self) -> tuple[Binned, ...]:
        """Absolute error by species."""
        return (_by_species(AbsoluteError()),)

    def compute(self, totals: Means) -> Array:
        """Return the error in e."""
        return totals[self.inputs[0]].mean(self.species)


@dataclass(frozen=True)
class NormalizedError:
    r"""Root mean square error over the spread of the labels; no unit.

    The spread is the root mean square error of the best trivial model, the mean isotropic charge
    of each species over the very frames that are scored: 1.0 means no better than that,
    :math:`\mathrm{spread}^2 = \langle |P_i - \bar q_{s(i)} \mathbb 1|_F^2 \rangle / 9`.
    """

    species: str | None = None
    unit = "1"

    @property
    def inputs(self) -> tuple[Binned, ...]:
        """Squared error, square and isotropic charge of the reference, by species."""
        statistics = (SquaredError(), ReferenceSquare(), ReferenceCharge())
        return tuple(_by_species(statistic) for statistic in statistics)

    def compute(self, totals: Means) -> Array:
        """Return the ratio; infinite if the labels have no spread and the error is not zero."""
        error, square, charge = (totals[key] for key in self.inputs)
        # |P - q 1|^2 summed over a species = sum |P|^2 - 3 N q^2, and the statistic is |P|^2 / 9
        bins = [self.species] if self.species else list(charge.bins)
        summed: Array = np.zeros(charge.sums.shape[:-1])
        for name in bins:
            total, weight = charge.select(name)
            isotropic = np.divide(total**2, weight, out=np.zeros_like(total), where=weight > 0)
            summed = summed + square.select(name)[0] - isotropic / 3
        spread = np.maximum(summed, 0.0)
        squares = np.asarray(error.select(self.species)[0])
        ratio = np.divide(squares, spread, out=np.full(np.shape(squares), np.inf), where=spread > 0)
        return np.sqrt(np.where(squares == 0, 0.0, ratio))


@dataclass(frozen=True)
class TailError:
    """Root mean square error of the worst atoms, in e.

    Atoms are counted in bins of their own squared error, 64 a decade, so that the tail of a
    distribution becomes a mean that can be added up. Inside the last bin the fraction needed is
    taken at the mean of the bin; this is the only approximation, and below 2 % of the number. With
    fewer atoms than one over the fraction it is the error of the worst atom.

    Parameters
    ----------
    fraction : float
        Fraction of all atoms (over all frames) that are the worst.
    """

    fraction: float = 0.01
    unit = "e"

    @property
    def inputs(self) -> tuple[Binned, ...]:
        """Squared error by its own size."""
        return (Binned(SquaredError(), BySize()),)

    def compute(self, totals: Means) -> Array:
        """Return the error in e."""
        (histogram,) = (totals[key] for key in self.inputs)
        sums, weights = histogram.sums[..., ::-1], histogram.weights[..., ::-1]
        wanted = self.fraction * weights.sum(-1, keepdims=True)
        before = np.cumsum(weights, axis=-1) - weights
        taken = np.clip(wanted - before, 0.0, weights)
        mean = np.divide(sums, weights, out=np.zeros_like(sums), where=weights > 0)
        return np.sqrt((taken * mean).sum(-1) / wanted[..., 0])


@dataclass(frozen=True)
class CurrentError:
    r"""Relative error of the current, the input of the infrared spectrum; no unit.

    :math:`\eta^2 = \langle |\sum_i (P_i - P_i^\mathrm{ref}) v_i|^2 \rangle
    / \langle |\sum_i P_i^\mathrm{ref} v_i|^2 \rangle`. It needs labelled frames with velocities,
    neighbouring or not.
    """

    unit = "1"

    @property
    def inputs(self) -> tuple[Binned, ...]:
        """Squares of the error of the current and of the reference current."""
        return (Binned(CurrentSquare(True), Together()), Binned(CurrentSquare(False), Together()))

    def compute(self, totals: Means) -> Array:
        """Return the ratio; NaN if the reference current is zero."""
        error, reference = (np.asarray(totals[key].mean()) for key in self.inputs)
        missing = np.full(error.shape, np.nan)
        return np.sqrt(np.divide(error, reference, out=missing, where=reference > 0))


@dataclass(frozen=True)
class AssignmentError:
    r"""Relative error of the currents that the modes of the molecules carry; no unit.

    The assignment of a spectrum splits the current into translation, libration (rotation), bend
    and stretches (internal motion) of the molecules, see `aptbench.spectra.modes`. With
    :math:`j_m = \sum_i P_i v_i^{(m)}` of all molecules together,

    .. math:: \eta_m^2 = \langle |\Delta j_m|^2 \rangle / \langle |j_m^\mathrm{ref}|^2 \rangle

    and without a mode the sum over modes above and below. Errors of two modes cannot cancel in it,
    which they can in `CurrentError`.

    Parameters
    ----------
    mode : str, optional
        Only this mode.

    Notes
    -----
    A single mode has none (NaN) where its rms reference current is below `DARK` of that of all
    modes: a neutral molecule that is alone does not absorb by translation, and its current of that
    mode is what the labels leave of the acoustic sum rule.
    """

    mode: str | None = None
    unit = "1"

    @property
    def inputs(self) -> tuple[Binned, ...]:
        """Squares of the reference currents and of their errors, by mode."""
        return (Binned(ModeCurrentSquare(), ByMode()),)

    def compute(self, totals: Means) -> Array:
        """Return the ratio; NaN if there is no reference current."""
        squares = totals[self.inputs[0]]
        every = [name for name in squares.bins if not name.startswith(ERROR_OF)]
        modes = every if self.mode is None else [self.mode]
        whole, reference, error = (
            np.asarray(sum(squares.select(kind + mode)[0] for mode in chosen))
            for kind, chosen in (("", every), ("", modes), (ERROR_OF, modes))
        )
        missing = np.full(error.shape, np.nan)
        return np.sqrt(np.divide(error, reference, out=missing, where=reference > DARK**2 * whole))


@dataclass(frozen=True)
class SumRuleResidual:
    """Root mean square, a component, of the acoustic sum rule residual of the prediction, in e."""

    unit = "e"

    @property
    def inputs(self) -> tuple[Binned, ...]:
        """Square of the residual."""
        return (Binned(SumRuleSquare(), Together()),)

    def compute(self, totals: Means) -> Array:
        """Return the residual in e."""
        return np.sqrt(totals[self.inputs[0]].mean())
