"""`time_block_split`: contiguous blocks of time for training, validation and test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError

Parts = dict[str, tuple[int, ...]]


def time_block_split(
    label_frames: npt.ArrayLike,
    times: npt.ArrayLike,
    fractions: Sequence[float] = (0.6, 0.2, 0.2),
    gap_fs: float = 0.0,
) -> Parts:
    """Divide labels into three blocks of time, in order, with a gap between them.

    Frames that follow each other are nearly equal, so labels drawn at random would put copies of
    the training data into the test. Labels that fall into a gap are left out of all parts.

    Parameters
    ----------
    label_frames : array of int, shape (label,)
        Trajectory frame of every label.
    times : array, shape (frame,)
        Time of every trajectory frame in fs.
    fractions : three floats
        Shares of training, validation and test in the labels used; validation may be 0.
    gap_fs : float
        Least time in fs between two labels of different parts.

    Returns
    -------
    dict
        Label indices of "train", "validation" and "test", each in order of time.

    Raises
    ------
    InputError
        If the fractions make no sense, or the labels do not suffice for the parts and the gaps.

    Examples
    --------
    >>> time_block_split([0, 10, 20, 30, 40, 50], range(60), (0.5, 0.25, 0.25), gap_fs=15.0)
    {'train': (0, 1), 'validation': (3,), 'test': (5,)}
    """
    shares = checked_shares(fractions)
    if not np.isfinite(gap_fs) or gap_fs < 0:
        raise InputError("The 'gap_fs' must be zero or more.", got=gap_fs)
    label_times = np.asarray(times, float)[np.asarray(label_frames, int)]
    order = np.argsort(label_times, kind="stable")
    ordered = label_times[order]
    n = len(ordered)

    def first_after(last: int) -> int:
        start = int(np.searchsorted(ordered, ordered[last] + gap_fs * (1 - 1e-9), side="left"))
        return max(start, last + 1)

    best: tuple[float, tuple[int, int, int, int]] | None = None
    for train_end in range(1, n):
        start = first_after(train_end - 1)
        end = start
        if shares[1]:
            end += max(1, round(shares[1] / shares[0] * train_end))
            if end > n:
                break
        test_start = first_after(end - 1) if shares[1] else start
        if test_start >= n:
            break
        counts = np.array([train_end, end - start, n - test_start])
        deviation = float(np.abs(counts / counts.sum() - shares / shares.sum()).sum())
        if best is None or deviation < best[0]:
            best = deviation, (train_end, start, end, test_start)
    if best is None:
        raise InputError(
            "There are too few labels for the parts and the gaps between them.",
            got=f"{n} labels over {np.ptp(label_times) if n else 0:.6g} fs, gap {gap_fs:.6g} fs",
            expected="one label at least in each part",
            do="add labels, or choose a shorter gap or no validation part",
        )
    train_end, start, end, test_start = best[1]
    pick = [int(index) for index in order]
    return {
        "train": tuple(pick[:train_end]),
        "validation": tuple(pick[start:end]),
        "test": tuple(pick[test_start:]),
    }


def checked_shares(fractions: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return the shares of training, validation and test as an array, shape (3,).

    Raises
    ------
    InputError
        If they are not three numbers from zero on, or leave nothing for training or for the test.
    """
    shares = np.asarray(fractions, float)
    if shares.shape != (3,) or not np.all(np.isfinite(shares)) or min(shares) < 0:
        raise InputError("The 'fractions' must be three numbers.", got=list(fractions))
    if shares[0] == 0 or shares[2] == 0:
        raise InputError(
            "The 'fractions' leave nothing for training or for the test.", got=list(fractions)
        )
    return shares
