"""`ResidualShape`: how the known mean square of a residual current is spread over the spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from aptbench.spectra.absorption import number_of_lags
from aptbench.spectra.label_sample import standard_error
from aptbench.spectra.protocol import ANGULAR, SpectralProtocol

Array = npt.NDArray[np.float64]

HIDDEN_BAND = 5.0
"""Width, in line widths, of the narrowest band that the model is taken not to see."""

_ROUNDING = 1e-9
_EXACT = 1e4  # weight of the sum rule against a prior of weight one


@dataclass(frozen=True, eq=False)
class ResidualShape:
    r"""Spectrum of the residual current d = reference - model, of which only little is known.

    Parameters
    ----------
    model : array, shape (wavenumber,)
        Classical absorption of the model current, in cm^-1.
    model_correlation : array, shape (lag,)
        Dense correlation of the model current from lag 0, in (e angstrom/fs)^2.
    factor : float
        Classical absorption in cm^-1 of one (e angstrom/fs)^2 fs.
    time_step : float
        In fs.
    n_frames : int
    protocol : SpectralProtocol
    bands : mapping of name to (low, high)
        In cm^-1; the grid is cut halfway between neighbouring bands.

    Notes
    -----
    .. math:: S_{dd} = c^2 S_{mm} + \sum_b a_b\, ((1 - \epsilon) S_{mm} + \epsilon \bar S) 1_b,
              \quad c = S_{md} / S_{mm}, \quad a_b \ge 0

    The first term, coherent with the model, is a lower bound by the Cauchy-Schwarz inequality; the
    second has the shape of the model spectrum inside each cell, but for a share that is flat: the
    worse the model, the more of the reference it may not see at all. The sum rule (physics.md,
    check B) fixes the area of the two together. The weights :math:`a_b` are equal as
    far as the labels do not say otherwise: a prior of 100 % about the common weight, against
    correlations of labels that are neighbours in time, by non-negative least squares.

    Examples
    --------
    >>> from aptbench.spectra.protocol import IR1
    >>> flat = ResidualShape(np.ones(2001), np.ones(1), 1.0, 2.0, 2000, IR1, {"all": (0, 4000)})
    >>> bool(flat.upper_bound(2.0) > 0), flat.edges.tolist()
    (True, [0.0, 4000.0])
    """

    model: Array
    model_correlation: Array
    factor: float
    time_step: float
    n_frames: int
    protocol: SpectralProtocol
    bands: Mapping[str, tuple[float, float]]

    @property
    def edges(self) -> Array:
        """Ends of the cells that the grid is cut into, in cm^-1, shape (cell + 1,)."""
        first, last = self.protocol.wavenumber[[0, -1]]
        ends = sorted(self.bands.values())
        cuts = [(a[1] + b[0]) / 2 for a, b in pairwise(ends)]
        inner = sorted({cut for cut in cuts if first < cut < last})
        return np.array([first, *inner, last])

    def upper_bound(self, mean_square: float) -> float:
        r"""Return the largest value that the spectrum can have anywhere, in cm^-1.

        Notes
        -----
        :math:`|\sum_t d_t \cdot d_{t+k}| \le \sum_t d_t^2` for every lag k, so that the spectrum is
        at most the peak of one line that has all of the mean square.
        """
        lags = np.arange(number_of_lags(self.time_step, self.protocol))
        largest = self.n_frames / (self.n_frames - lags)
        window = self.protocol.window(lags * self.time_step)
        # both signs of time, and lag zero once
        return float(self.factor * self.time_step * (2 * window @ largest - 1) * mean_square)

    @property
    def beyond(self) -> float:
        """Mean square of the model current that is not on the grid, (e angstrom/fs)^2."""
        return float(self.model_correlation[0] - self._mean_square_of(self.model))

    def possible(self, smooth: Array, varying: Array, mean_square: Array) -> Array:
        """Return a coherent part within what is possible, in cm^-1, shape (row, wavenumber).

        Parameters
        ----------
        smooth, varying : array, shape (row, wavenumber)
            Square of the coefficients times the model spectrum, and what is added to it by
            coefficients that vary inside a channel, in cm^-1.
        mean_square : array, shape (row,)
            Of the residual on the grid, (e angstrom/fs)^2: all of the area that there is.
        """
        bound = self.upper_bound(1.0) * mean_square[:, None]
        part = np.minimum(np.maximum(smooth + varying, np.minimum(smooth, 0)), bound)
        area = self._mean_square_of(part)
        scale = np.divide(mean_square, area, out=np.ones_like(area), where=area > mean_square)
        return part * scale[:, None]

    def spread(
        self,
        coherent: Array,
        mean_square: Array,
        correlation: Array,
        error: Array,
        lags: npt.NDArray[np.int64],
        distrust: float = 0.0,
    ) -> tuple[Array, Array, Array, Array]:
        """Return estimate and uncertainties of the whole, in cm^-1.

        The estimate and the standard uncertainty of its weights, (row, wavenumber); and how much
        less and more there may be because a band of the reference is not in the model,
        (wavenumber,).

        Parameters
        ----------
        coherent : array, shape (row, wavenumber)
            In cm^-1.
        mean_square : array, shape (row,)
            Of the residual, without what is coherent beyond the grid, (e angstrom/fs)^2.
        correlation : array, shape (row, lag)
            Of the residual at ``lags``, (e angstrom/fs)^2.
        error : array, shape (lag,)
            Standard error of the correlation.
        lags : array of int, shape (lag,)
            In frames, without zero; may be empty.
        distrust : float
            Share of the rest that is as likely at every wavenumber, 0 to 1.
        """
        from scipy.optimize import nnls

        grid = self.protocol.wavenumber
        level = np.trapezoid(self._positive, grid) / (grid[-1] - grid[0])
        form = (1 - distrust) * self._positive + distrust * level
        cells = self._cell_correlations(form, np.concatenate([[0], lags]))
        total, n_cells = cells[0].sum(), cells.shape[1]
        rest = mean_square - self._mean_square_of(coherent)
        scale = np.maximum(error, 1e-6 * mean_square[0])[:, None]
        measured = self.protocol.window(lags * self.time_step) * correlation
        measured = measured - self._correlation_of(coherent, lags)
        weights, deviations = np.zeros((2, len(rest), n_cells))
        identity = np.eye(n_cells)
        for row in np.flatnonzero((rest > _ROUNDING * mean_square) & (total > 0)):
            # unknown is the weight over the common weight, of which the prior is 1 +- 1
            common = rest[row] / total
            rows = [_EXACT * cells[:1] / total, cells[1:] * common / scale, identity]
            right = [[_EXACT], measured[row] / scale[:, 0], np.ones(n_cells)]
            matrix = np.concatenate(rows)
            weight = nnls(matrix, np.concatenate(right))[0]
            weights[row] = weight * rest[row] / (cells[0] @ weight)
            deviations[row] = common * _deviation(matrix)
        cell = self._cell_of_grid
        # twice its share is the limit of what is hidden, as far as no burst says that it is not
        prior = _deviation(np.concatenate([_EXACT * cells[:1] / max(total, 1e-200), identity]))
        free = np.minimum(deviations[0] * total / (prior * max(float(rest[0]), 1e-200)), 1.0)
        limit = rest[0] + (2 * standard_error(rest[1:]) if len(rest) > 1 else 0.0)
        most = np.minimum(min(1.0, 2 * distrust) * free * limit, limit - weights[0] * cells[0])
        area = np.maximum(most, 0) * np.pi * self.factor / ANGULAR
        gathered = area[cell] / (HIDDEN_BAND * self.protocol.broadening)
        incoherent, deviation = weights[:, cell] * form, deviations[:, cell] * form
        return coherent + incoherent, deviation, distrust * level * weights[0, cell], gathered

    @property
    def _positive(self) -> Array:
        return np.maximum(self.model, 0.0)

    @property
    def _cell_of_grid(self) -> npt.NDArray[np.intp]:
        return np.searchsorted(self.edges[1:-1], self.protocol.wavenumber, side="right")

    def _mean_square_of(self, spectrum: Array) -> Array:
        return self._correlation_of(spectrum, np.zeros(1, np.int64))[..., 0]

    def _correlation_of(self, spectrum: Array, lags: npt.NDArray[np.int64]) -> Array:
        """Correlation at lags in frames of spectra (..., wavenumber), shape (..., lag)."""
        grid = self.protocol.wavenumber
        weight = np.gradient(grid)
        weight[[0, -1]] /= 2
        cosines = np.cos(np.outer(grid * ANGULAR, lags * self.time_step))
        scale = ANGULAR / (np.pi * self.factor)
        return np.asarray(scale * (spectrum * weight) @ cosines)

    def _cell_correlations(self, form: Array, lags: npt.NDArray[np.int64]) -> Array:
        """Correlation of a spectrum in each cell, and of the model beyond, (lag, cell)."""
        cell = self._cell_of_grid[None] == np.arange(len(self.edges) - 1)[:, None]
        inside = self._correlation_of(cell * form, lags).T
        window = self.protocol.window(lags * self.time_step)
        on_grid = self._correlation_of(self._positive, lags)
        beyond = window * self.model_correlation[lags] - on_grid
        if beyond[0] > 1e-9 * self.model_correlation[0]:
            return np.column_stack([inside, beyond])
        return inside


def _deviation(matrix: Array) -> Array:
    """Standard deviations of the unknowns of equations with unit errors."""
    return np.asarray(np.sqrt(np.diag(np.linalg.inv(matrix.T @ matrix))))
