"""`kept_system`: a system of a dense data set as an earlier version of the store has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from aptbench.data import Dataset, SystemData
from aptbench.errors import InputError


def kept_system(
    store: Dataset,
    system: str,
    provenance: Mapping[str, Any],
    times: np.ndarray,
    label_every: int,
) -> SystemData:
    """Return a system of a store, if it is what the recipe would make of it.

    A version that adds systems to a data set so keeps the others to the last bit, and nobody has
    to label them again.

    Parameters
    ----------
    store : Dataset
    system : str
    provenance : mapping
        Of the labels and the sampling, by the recipe and the codes that are installed.
    times : array, shape (frame,)
        In fs, of the frames that the recipe wants.
    label_every : int
        One frame of so many is labelled, from the first.

    Raises
    ------
    InputError
        If the store was made with other settings or codes, or has other frames or labels. The
        file of the first configuration is known to it by name only.
    """
    found = store.system_data(system)
    wanted = np.arange(0, len(times), label_every)
    same = {
        "provenance": found.provenance == json.loads(json.dumps(dict(provenance))),
        "times": found.times is not None and np.array_equal(found.times, times),
        "labelled frames": np.array_equal(found.label_frame, wanted),
    }
    if not all(same.values()):
        raise InputError(
            f"The system {system!r} of {store.path} is not what the recipe makes.",
            got=f"other {' and '.join(name for name, equal in same.items() if not equal)}",
            do="leave out '--keep', which makes the system anew, or undo the change of the recipe",
        )
    return found
