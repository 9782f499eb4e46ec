"""`correlation`: time correlation of vectors, unbiased, by fast Fourier transform."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError

Array = npt.NDArray[np.float64]


def correlation(first: npt.ArrayLike, second: npt.ArrayLike, n_lags: int) -> Array:
    r"""Return the time correlation of two vector series, summed over components.

    Parameters
    ----------
    first, second : array, shape (frame, component)
    n_lags : int
        Number of lags, from 0 to the number of frames.

    Returns
    -------
    array, shape (lag,)
        :math:`C_k = \frac{1}{N - k} \sum_t a(t) \cdot b(t + k)` for k from 0 to ``n_lags - 1``, in
        the product of the units: each lag is divided by its own number of terms (unbiased).

    Raises
    ------
    InputError
        If the shapes differ, or there are more lags than frames.

    Notes
    -----
    The series are padded with zeros to twice their length, so that no lag wraps around.

    Examples
    --------
    >>> correlation([[1.0], [2.0], [3.0]], [[1.0], [2.0], [3.0]], 2)
    array([4.66666667, 4.        ])
    """
    from scipy.fft import irfft, next_fast_len, rfft

    a, b = np.asarray(first, float), np.asarray(second, float)
    if a.ndim != 2 or a.shape != b.shape:
        raise InputError(
            "The two series of a correlation have different shapes.",
            got=f"{a.shape} and {b.shape}",
            expected="twice (frame, component)",
        )
    n_frames = len(a)
    if not 1 <= n_lags <= n_frames:
        raise InputError(
            "There are not that many lags.", got=n_lags, expected=f"1 to {n_frames} (frames)"
        )
    size = next_fast_len(n_frames + n_lags, real=True)
    spectrum = np.conj(rfft(a, size, axis=0))
    spectrum *= rfft(b, size, axis=0)
    products = irfft(spectrum.sum(1), size)[:n_lags]
    return products / (n_frames - np.arange(n_lags))
