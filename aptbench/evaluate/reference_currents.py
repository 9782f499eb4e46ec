"""`ReferenceCurrents`: what the labels of a system say about its current."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.spectra import current

if TYPE_CHECKING:
    from aptbench.data import Dataset

Array = npt.NDArray[np.float64]

_CHUNK: Final = 256


@dataclass(frozen=True, eq=False)
class ReferenceCurrents:
    """Currents of the reference, in all frames or in some.

    Parameters
    ----------
    label_frames : array of int, shape (label,)
        Rising.
    values : array, shape (label, pol)
        In e angstrom/fs.
    n_frames : int
        Frames of the trajectory.
    theory : str
        Level of theory, in words.
    left_out : int
        Labels that were not used because models are fitted to them.
    """

    label_frames: npt.NDArray[np.int64]
    values: Array
    n_frames: int
    theory: str
    left_out: int = 0

    @property
    def n_clusters(self) -> int:
        """Number of labels that are no neighbours: a run of neighbouring frames counts once."""
        return 1 + int(np.sum(np.diff(self.label_frames) > 1))

    @property
    def dense(self) -> bool:
        """Whether every frame is labelled, so that there is a reference spectrum."""
        return len(self.label_frames) == self.n_frames


def reference_currents(
    dataset: Dataset,
    system: str,
    fitted: Collection[int] = (),
    *,
    labels: npt.NDArray[np.int64] | None = None,
) -> ReferenceCurrents | None:
    """Return the currents of the labels of a system, without those that models are fitted to.

    Where every frame is labelled all are returned: the reference spectrum is exact then, and
    corrects nothing.

    Parameters
    ----------
    dataset : Dataset
    system : str
        With velocities.
    fitted : collection of int
        Indices of labels to leave out, see `aptbench.evaluate.fitted_labels`: a model errs less on
        them, and what it errs elsewhere is what corrects its spectrum.
    labels : array of int, shape (label,), optional
        Indices of the labels to take, rising; all if not given.

    Returns
    -------
    ReferenceCurrents or None
        None if no label is left.

    Raises
    ------
    InputError
        If the system has no velocities.
    """
    label_frames = dataset.label_frames(system)
    given = np.arange(len(label_frames)) if labels is None else labels
    dense = len(given) == dataset.n_frames(system)
    kept = given if dense else np.array([k for k in given.tolist() if k not in fitted], int)
    if not len(kept):
        return None
    values = np.empty((len(kept), 3))
    for start in range(0, len(kept), _CHUNK):
        part = kept[start : start + _CHUNK]
        labelled = dataset.labelled(system, part)
        if labelled.frames.velocities is None:
            raise InputError(
                f"The system {system!r} has no velocities, which a current needs.",
                do="write velocities with the trajectory",
            )
        values[start : start + len(part)] = current(labelled.apt, labelled.frames.velocities)
    theory = dataset.system_attrs(system)["provenance"].get("labels", {})
    return ReferenceCurrents(
        label_frames[kept],
        values,
        dataset.n_frames(system),
        theory_in_words(theory),
        len(label_frames) - len(kept),
    )


def theory_in_words(labels: dict[str, object]) -> str:
    """Return the level of theory of a provenance in a few words.

    >>> theory_in_words({"functional": "RPBE", "basis": "TZV2P-GTH", "code": "CP2K"})
    'RPBE/TZV2P-GTH'
    >>> theory_in_words({"method": "GFN2-xTB"})
    'GFN2-xTB'
    """
    if "functional" in labels:
        return "/".join(str(labels[key]) for key in ("functional", "basis") if key in labels)
    return str(labels.get("method", labels.get("code", "unknown level of theory")))
