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
    from numpy.fft import irfft, rfft

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
    size = fast_length(n_frames + n_lags)
    spectrum = rfft(a.T, size)
    other = spectrum if second is first else rfft(b.T, size)
    products = irfft((spectrum.conj() * other).sum(0), size)[:n_lags]
    return products / (n_frames - np.arange(n_lags))


def fast_length(least: int) -> int:
    """Return the next length of which a Fourier transform is fast: factors 2, 3 and 5 only.

    As `scipy.fft.next_fast_len` for real input, without the time that its import takes.

    >>> fast_length(17), fast_length(1024)
    (18, 1024)
    """
    best = 1 << (least - 1).bit_length()
    fives = 1
    while fives < best:
        threes = fives
        while threes < best:
            best = min(best, threes << max(0, (-(-least // threes) - 1).bit_length()))
            threes *= 3
        fives *= 5
    return best
