"""`TensorRidge`: ridge regression of tensor components on tensor features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

STRENGTHS: Final = 10.0 ** np.arange(-8.0, 1.0)
"""Regularisations to choose from, for each row and feature of unit variance."""
MORE_STRENGTHS: Final = 10.0 ** np.arange(-8.0, 4.0)
"""The same where folds may have next to nothing in common, such as molecules."""
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


class RidgeData(ABC):
    """What determines every ridge regression, kept apart by fold.

    Labels are added one by one, and any fold can be left out afterwards without another pass.

    Parameters
    ----------
    degree : int
        Of the tensors, l = 0, 1 or 2.
    n_folds : int
    """

    def __init__(self, degree: int, n_folds: int) -> None:
        self.degree = degree
        self.rows = np.zeros(n_folds, np.int64)

    @staticmethod
    def of_size(degree: int, n_features: int, n_rows: int, n_folds: int) -> RidgeData:
        """Choose between `RidgeSums` and `RidgeRows`: what is the smaller problem."""
        if n_rows < n_features:
            return RidgeRows(degree, n_folds)
        return RidgeSums(degree, n_features, n_folds)

    @property
    def can_choose(self) -> bool:
        """Whether a fold can be predicted from others."""
        return int(np.count_nonzero(self.rows)) > 1

    @abstractmethod
    def add(self, fold: int, features: Array, targets: Array) -> None:
        """Add features (atom, 2 l + 1, feature) and components (atom, 2 l + 1) to a fold."""

    def solve(self, strengths: Array = STRENGTHS) -> TensorRidge:
        """Choose the regularisation by leaving out one fold after the other, and fit to all.

        Where there is only one fold, the regularisation is `DEFAULT`, and the error that of the
        fit.

        Notes
        -----
        Features are brought to unit variance (about zero, except for degree 0).
        """
        if not self.can_choose:
            return self.fit(DEFAULT)
        squares = np.zeros(len(strengths))
        for left in np.flatnonzero(self.rows).tolist():
            kept = np.arange(len(self.rows)) != left
            for n, (coefficients, constant) in enumerate(self._path(kept, strengths)):
                squares[n] += self._square_error(left, coefficients, constant)
        best = int(np.argmin(squares))
        return self.fit(float(strengths[best]), self._root_mean(squares[best]))

    def fit(self, strength: float, error: float | None = None) -> TensorRidge:
        """Fit to all folds with a given regularisation; the error is that of the fit if None."""
        everything = np.ones(len(self.rows), bool)
        coefficients, constant = self._path(everything, np.array([strength]))[0]
        if error is None:
            folds = np.flatnonzero(self.rows).tolist()
            missed = [self._square_error(fold, coefficients, constant) for fold in folds]
            error = self._root_mean(sum(missed))
        return TensorRidge(coefficients, constant, strength, error)

    def _root_mean(self, squares: float) -> float:
        return float(np.sqrt(max(squares, 0.0) / self.rows.sum()))

    @abstractmethod
    def _path(self, kept: npt.NDArray[np.bool_], strengths: Array) -> list[tuple[Array, float]]:
        """Return coefficients and constant for each regularisation, by one diagonalisation."""

    @abstractmethod
    def _square_error(self, fold: int, coefficients: Array, constant: float) -> float:
        """Return the sum of the squares of what a fold is missed by."""


class RidgeSums(RidgeData):
    """Sums over labels: memory grows with the square of the features, not with the labels.

    Parameters
    ----------
    degree, n_features, n_folds : int

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
        super().__init__(degree, n_folds)
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

    def _path(self, kept: npt.NDArray[np.bool_], strengths: Array) -> list[tuple[Array, float]]:
        rows = self.rows[kept].sum()
        mean = self.feature_sum[kept].sum(0) / rows
        target = self.target_sum[kept].sum() / rows
        covariance = self.gram[kept].sum(0) / rows - np.outer(mean, mean)
        moment = self.moment[kept].sum(0) / rows - mean * target
        scale = _scale(np.diag(covariance))
        values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
        projected = vectors.T @ (moment / scale)
        result = []
        for strength in strengths:
            shrunk = projected / (np.maximum(values, 0.0) + strength)
            coefficients = (vectors @ shrunk) / scale
            result.append((coefficients, float(target - mean @ coefficients)))
        return result

    def _square_error(self, fold: int, coefficients: Array, constant: float) -> float:
        """Return y.y - 2 c.X^T y + c.X^T X c, with the constant."""
        linear = self.square[fold] - 2 * coefficients @ self.moment[fold]
        quadratic = coefficients @ self.gram[fold] @ coefficients
        if self.degree:
            return float(linear + quadratic)
        shift = coefficients @ self.feature_sum[fold] - self.target_sum[fold]
        return float(linear + quadratic + 2 * constant * shift + self.rows[fold] * constant**2)


class RidgeRows(RidgeData):
    """The labels themselves, for fewer of them than features: the dual problem.

    Parameters
    ----------
    degree, n_folds : int

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = RidgeRows(degree=1, n_folds=2)
    >>> for fold in range(2):
    ...     features = rng.normal(size=(10, 3, 200))
    ...     rows.add(fold, features, features[..., 0])
    >>> rows.solve().predict(features).shape
    (10, 3)
    """

    def __init__(self, degree: int, n_folds: int) -> None:
        super().__init__(degree, n_folds)
        self.parts: list[tuple[int, Array, Array]] = []

    def add(self, fold: int, features: Array, targets: Array) -> None:
        """Add features (atom, 2 l + 1, feature) and components (atom, 2 l + 1) to a fold."""
        self.parts.append((fold, features.reshape(-1, features.shape[-1]), targets.ravel()))
        self.rows[fold] += targets.size

    def _path(self, kept: npt.NDArray[np.bool_], strengths: Array) -> list[tuple[Array, float]]:
        x = np.concatenate([x for fold, x, _ in self.parts if kept[fold]])
        y = np.concatenate([y for fold, _, y in self.parts if kept[fold]])
        mean, target = np.zeros(x.shape[1]), 0.0
        if self.degree == 0:
            mean, target = x.mean(0), float(y.mean())
        x -= mean
        scale = _scale(np.mean(x**2, axis=0))
        x /= scale
        values, vectors = np.linalg.eigh(x @ x.T / len(y))
        projected = vectors.T @ (y - target) / len(y)
        result = []
        for strength in strengths:
            shrunk = projected / (np.maximum(values, 0.0) + strength)
            coefficients = (vectors @ shrunk) @ x / scale
            result.append((coefficients, float(target - mean @ coefficients)))
        return result

    def _square_error(self, fold: int, coefficients: Array, constant: float) -> float:
        missed = [x @ coefficients + constant - y for k, x, y in self.parts if k == fold]
        return float(sum(one @ one for one in missed))


def _scale(variance: Array) -> Array:
    """Return standard deviations; infinite where a feature does not vary, and tells nothing."""
    floor = 1e-12 * variance.max(initial=0.0)  # rounding must not be blown up
    return np.where(variance > floor, np.sqrt(np.maximum(variance, 0.0)), np.inf)
