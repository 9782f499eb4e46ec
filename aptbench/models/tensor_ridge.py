"""`TensorRidge`: ridge regression of tensor components on tensor features, from streamed sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

STRENGTHS: Final = 10.0 ** np.arange(-8.0, 1.0)
"""Regularisations to choose from, for each row and feature of unit variance."""
DEFAULT: Final = 1e-4
"""Regularisation where there is nothing to choose by."""


@dataclass(frozen=True, eq=False)
class TensorRidge:
    """Coefficients of one degree of tensors.

    Parameters
    ----------
    coefficients : array, shape (feature,)
        Of the features as they are, not scaled.
    constant : float
        Zero unless the degree is 0: a constant of any other degree would not rotate.
    strength : float
        The regularisation that was chosen.
    error : float
        Root mean square error of a component on labels that were left out.
    """

    coefficients: Array
    constant: float
    strength: float
    error: float

    def predict(self, features: Array) -> Array:
        """Return components (atom, 2 l + 1) from features (atom, 2 l + 1, feature)."""
        return features @ self.coefficients + self.constant


class RidgeSums:
    """Sums over labels that determine every ridge regression, kept apart by fold.

    Frames are added one by one, so that memory does not grow with their number, and any fold can
    be left out afterwards without another pass.

    Parameters
    ----------
    degree : int
        Of the tensors, l = 0, 1 or 2.
    n_features, n_folds : int

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sums = RidgeSums(degree=1, n_features=2, n_folds=2)
    >>> for fold in range(2):
    ...     features = rng.normal(size=(50, 3, 2))
    ...     sums.add(fold, features, features @ [2.0, -1.0])
    >>> sums.solve().coefficients.round(4).tolist()
    [2.0, -1.0]
    """

    def __init__(self, degree: int, n_features: int, n_folds: int) -> None:
        self.degree = degree
        self.rows = np.zeros(n_folds)
        self.gram = np.zeros((n_folds, n_features, n_features))
        self.moment = np.zeros((n_folds, n_features))
        self.square = np.zeros(n_folds)
        # of the constant, degree 0 only
        self.feature_sum = np.zeros((n_folds, n_features))
        self.target_sum = np.zeros(n_folds)

    def add(self, fold: int, features: Array, targets: Array) -> None:
        """Add features (atom, 2 l + 1, feature) and components (atom, 2 l + 1) to a fold."""
        x, y = features.reshape(-1, features.shape[-1]), targets.ravel()
        self.rows[fold] += len(y)
        self.gram[fold] += x.T @ x
        self.moment[fold] += x.T @ y
        self.square[fold] += y @ y
        if self.degree == 0:
            self.feature_sum[fold] += x.sum(0)
            self.target_sum[fold] += y.sum()

    def solve(self) -> TensorRidge:
        """Choose the regularisation by leaving out one fold after the other, and fit to all.

        Notes
        -----
        Features are brought to unit variance (about zero, except for degree 0). The error of a
        fold that was left out is y.y - 2 c.X^T y + c.X^T X c, from its own sums.
        """
        folds = [k for k in range(len(self.rows)) if self.rows[k]]
        everything = np.ones(len(self.rows), bool)
        strength, error = DEFAULT, np.nan
        if len(folds) > 1:
            squares = np.zeros(len(STRENGTHS))
            for left in folds:
                kept = everything.copy()
                kept[left] = False
                for n, (coefficients, constant) in enumerate(self._path(kept, STRENGTHS)):
                    squares[n] += self._square_error(left, coefficients, constant)
            best = int(np.argmin(squares))
            strength = float(STRENGTHS[best])
            error = float(np.sqrt(max(squares[best], 0.0) / self.rows.sum()))
        coefficients, constant = self._path(everything, np.array([strength]))[0]
        if np.isnan(error):
            total = sum(self._square_error(k, coefficients, constant) for k in folds)
            error = float(np.sqrt(max(total, 0.0) / self.rows.sum()))
        return TensorRidge(coefficients, constant, strength, error)

    def _path(self, kept: npt.NDArray[np.bool_], strengths: Array) -> list[tuple[Array, float]]:
        """Return coefficients and constant for each regularisation, by one diagonalisation."""
        rows = self.rows[kept].sum()
        mean = self.feature_sum[kept].sum(0) / rows
        target = self.target_sum[kept].sum() / rows
        covariance = self.gram[kept].sum(0) / rows - np.outer(mean, mean)
        moment = self.moment[kept].sum(0) / rows - mean * target
        variance = np.maximum(np.diag(covariance), 0.0)
        # a feature that does not vary tells nothing: rounding must not be blown up
        scale = np.where(variance > 1e-12 * variance.max(initial=0.0), np.sqrt(variance), np.inf)
        values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
        projected = vectors.T @ (moment / scale)
        result = []
        for strength in strengths:
            shrunk = projected / (np.maximum(values, 0.0) + strength)
            coefficients = (vectors @ shrunk) / scale
            result.append((coefficients, float(target - mean @ coefficients)))
        return result

    def _square_error(self, fold: int, coefficients: Array, constant: float) -> float:
        linear = self.square[fold] - 2 * coefficients @ self.moment[fold]
        quadratic = coefficients @ self.gram[fold] @ coefficients
        if self.degree:
            return float(linear + quadratic)
        shift = coefficients @ self.feature_sum[fold] - self.target_sum[fold]
        return float(linear + quadratic + 2 * constant * shift + self.rows[fold] * constant**2)
