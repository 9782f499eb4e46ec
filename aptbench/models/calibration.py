"""`Calibration`: from the spread of a committee to a standard error of its mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """sigma^2 = floor^2 + (factor * spread)^2 with two numbers for each species.

    Networks that learned from the same labels share most of their error, so their spread is too
    small; the floor is what they share everywhere, noise of the labels included.

    Parameters
    ----------
    factor : dict of int to float
        By atomic number; 1 for a species that is not there.
    floor : dict of int to float
        In e, by atomic number; 0 for a species that is not there.
    """

    factor: Mapping[int, float] = field(default_factory=dict)
    floor: Mapping[int, float] = field(default_factory=dict)

    @classmethod
    def measure(
        cls, atomic_numbers: npt.NDArray[np.int64], spread: Array, error: Array
    ) -> Calibration:
        """Fit by maximum likelihood of Gaussian errors on labels that were not fitted.

        Parameters
        ----------
        atomic_numbers : array, shape (atom,)
        spread : array, shape (frame, atom)
            Of the committee, in e.
        error : array, shape (frame, atom, pol, disp)
            Prediction minus label, in e.

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> spread = rng.uniform(0.01, 0.05, (200, 2))
        >>> sigma = np.hypot(0.02, 3 * spread)
        >>> error = sigma[..., None, None] * rng.normal(size=(200, 2, 3, 3))
        >>> fitted = Calibration.measure(np.array([1, 1]), spread, error)
        >>> round(fitted.factor[1], 1), round(fitted.floor[1], 2)
        (3.0, 0.02)
        """
        from scipy.optimize import minimize

        factor, floor = {}, {}
        for z in np.unique(atomic_numbers):
            atoms = atomic_numbers == z
            square = np.mean(error[:, atoms] ** 2, axis=(-2, -1)).ravel()
            variance = spread[:, atoms].ravel() ** 2
            scale = square.mean()

            def loss(logs: Array, square: Array = square, variance: Array = variance) -> float:
                sigma2 = np.exp(logs[0]) * variance + np.exp(logs[1])
                return float(np.mean(np.log(sigma2) + square / sigma2))

            start = np.log([0.5 * scale / max(variance.mean(), 1e-12), 0.5 * scale + 1e-12])
            best = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-3}).x
            factor[int(z)], floor[int(z)] = (float(x) for x in np.exp(0.5 * best))
        return cls(factor, floor)

    def standard_error(self, atomic_numbers: npt.NDArray[np.int64], spread: Array) -> Array:
        """Return sigma in e, shape (frame, atom, pol, disp), the same for all components.

        Parameters
        ----------
        atomic_numbers : array, shape (atom,)
        spread : array, shape (frame, atom)
            Of the committee, in e.
        """
        factor = np.array([self.factor.get(int(z), 1.0) for z in atomic_numbers])
        floor = np.array([self.floor.get(int(z), 0.0) for z in atomic_numbers])
        sigma = np.hypot(floor, factor * spread)
        return np.broadcast_to(sigma[..., None, None], (*sigma.shape, 3, 3)).copy()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"factor": dict(self.factor), "floor": dict(self.floor)}


def committee_spread(members: Array) -> Array:
    """Return how far the networks of a committee are apart, shape (frame, atom), in e.

    The root mean square over the nine components of the standard deviation, so that no rotation
    changes it.

    Parameters
    ----------
    members : array, shape (network, frame, atom, pol, disp)
        What each network predicts, in e.
    """
    return np.asarray(np.sqrt(members.var(0, ddof=1).mean((-2, -1))))
