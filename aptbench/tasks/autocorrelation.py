"""`autocorrelation_time`: for how long a correlation function remembers, with Sokal's window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError

Array = npt.NDArray[np.float64]

WINDOW: Final = 5.0
"""The sum over lags ends at the first lag that is so many times the sum."""


@dataclass(frozen=True)
class AutocorrelationTime:
    """How long one observable remembers.

    Parameters
    ----------
    integrated_fs : float
        Integral over the normalised correlation, in fs.
    squared_fs : float
        Twice the integral over its square, in fs: what oscillates is not cancelled.
    length_fs : float
        Length of the trajectory in fs.
    relative_error : float
        Standard error of ``integrated_fs`` over itself, as if the series were independent.
    decays : bool
        Whether both integrals converged; if not, the times are lower bounds.
    """

    integrated_fs: float
    squared_fs: float
    length_fs: float
    relative_error: float
    decays: bool

    @property
    def time_fs(self) -> float:
        """The longer of the two times, in fs; both are that of an exponential decay."""
        return max(self.integrated_fs, self.squared_fs)

    @property
    def lengths(self) -> float:
        """Length of the trajectory over the time: twenty or more can be trusted."""
        return self.length_fs / self.time_fs if self.time_fs > 0 else float("inf")

    @property
    def reliable(self) -> bool:
        """Whether the correlation decays, within a twentieth of the trajectory."""
        return self.decays and self.lengths >= 20


def autocorrelation_time(
    correlation: npt.ArrayLike, step_fs: float, n_frames: int, n_series: int = 1
) -> AutocorrelationTime:
    r"""Integrate a correlation function up to a window that it chooses itself.

    Parameters
    ----------
    correlation : array, shape (lag,)
        From lag 0, in any unit; not normalised, not negative at lag 0.
    step_fs : float
        Time from lag to lag in fs.
    n_frames : int
        Frames of the trajectory.
    n_series : int
        How many series the correlation is an average over, for its error.

    Returns
    -------
    AutocorrelationTime

    Raises
    ------
    InputError
        If there is no lag, or no variance at lag 0.

    Notes
    -----
    :math:`\tau = \Delta t\,(1/2 + \sum_{k=1}^{M} \rho_k)`, with the smallest M for which
    :math:`M \Delta t \ge 5 \tau`, and :math:`\mathrm{var}\,\tau / \tau^2 = 2 (2 M + 1) / n`:
    Madras and Sokal, J. Stat. Phys. 50, 109 (1988), doi:10.1007/BF01022990; Sokal (1997),
    doi:10.1007/978-1-4899-0319-8_6. A libration has an integral near zero and is remembered for
    many periods, so the same is done with :math:`2 \rho^2`; for an exponential the two agree.

    Examples
    --------
    >>> import numpy as np
    >>> found = autocorrelation_time(np.exp(-np.arange(2000) / 40), 0.5, 4000)
    >>> round(found.integrated_fs, 1), round(found.squared_fs, 1), found.decays
    (19.9, 19.9, True)
    """
    values = np.asarray(correlation, float)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all() or values[0] <= 0:
        raise InputError(
            "A correlation function cannot be normalised.",
            got=f"shape {values.shape}, {values[:1]} at lag 0",
            expected="finite values, the first of them positive",
        )
    rho = values / values[0]
    integrated, window, found = _windowed(rho)
    squared, _, found_squared = _windowed(rho**2)
    return AutocorrelationTime(
        float(integrated * step_fs),
        float(2 * squared * step_fs),
        float(step_fs * (n_frames - 1)),
        float(np.sqrt(2 * (2 * window + 1) / (n_frames * n_series))),
        found and found_squared,
    )


def _windowed(rho: Array) -> tuple[float, int, bool]:
    """Return the sum in steps, its window, and whether the window lies within the lags."""
    sums = np.cumsum(rho) - 0.5
    enough = np.arange(len(rho)) >= WINDOW * sums
    enough[0] = False
    window = int(np.argmax(enough)) if enough.any() else len(rho) - 1
    return max(float(sums[window]), 0.0), window, bool(enough.any())
