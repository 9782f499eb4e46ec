"""`independent_split`: labelled frames that no time orders, drawn for training and test."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from aptbench.errors import InputError
from aptbench.tasks.time_blocks import Parts, checked_shares


def independent_split(
    n_labels: int, fractions: Sequence[float] = (0.6, 0.2, 0.2), seed: int = 0
) -> Parts:
    """Assign labels to training, validation and test at random.

    It is for frames that are independent of each other: where they follow each other in time, a
    test label would have its neighbours in training (`aptbench.tasks.time_block_split`).

    Parameters
    ----------
    n_labels : int
    fractions : three floats
        Shares of training, validation and test; validation may be 0. Each part that has a share
        has one label at least; what rounding leaves goes to training.
    seed : int
        Another seed is another division.

    Returns
    -------
    dict
        Label indices of "train", "validation" and "test", each rising.

    Raises
    ------
    InputError
        If the fractions make no sense, the seed is negative, or there are too few labels.

    Notes
    -----
    Labels are taken in the order of the SHA-256 of seed and index, which no version of a
    generator of random numbers changes.

    Examples
    --------
    >>> independent_split(5, (0.6, 0.2, 0.2), seed=1)
    {'train': (0, 1, 3), 'validation': (4,), 'test': (2,)}
    """
    shares = checked_shares(fractions)
    if seed < 0:
        raise InputError("The 'seed' must be zero or more.", got=seed)
    n_validation, n_test = (
        max(1, round(n_labels * share / shares.sum())) if share else 0 for share in shares[1:]
    )
    n_train = n_labels - n_validation - n_test
    if n_train < 1:
        raise InputError(
            "There are too few labels for the parts.",
            got=f"{n_labels} labels",
            expected="one label at least in each part",
            do="add labels, or choose no validation part",
        )
    drawn = sorted(range(n_labels), key=lambda k: hashlib.sha256(f"{seed} {k}".encode()).digest())
    held = n_train + n_validation
    return {
        "train": tuple(sorted(drawn[:n_train])),
        "validation": tuple(sorted(drawn[n_train:held])),
        "test": tuple(sorted(drawn[held:])),
    }
