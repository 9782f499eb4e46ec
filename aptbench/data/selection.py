"""`Selection`: the systems, frames and labels of a data set that an export writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    import xarray as xr

    from aptbench.data.dataset import Dataset


@dataclass(frozen=True)
class Selection:
    """A part of a data set.

    Parameters
    ----------
    systems : tuple of str
    labelled_only : bool
        Only the frames that have one of the selected labels.
    labels : mapping of system to array of int
        Indices of the labels that are kept, each once; all of a system that is not named.
    part : str or None
        What the labels are, for the attributes: ``water/iid@2 train``.
    """

    systems: tuple[str, ...]
    labelled_only: bool = False
    labels: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    part: str | None = None

    @classmethod
    def of(cls, dataset: Dataset, systems: tuple[str, ...] = (), **fields: Any) -> Selection:
        """Return a selection of a data set; of all its systems if none is named.

        Raises
        ------
        UnknownNameError
            If the data set has no such system.
        InputError
            If a label does not exist or is named twice.
        """
        for system in systems:
            if system not in dataset.systems:
                raise UnknownNameError(f"system of {dataset.name}", system, dataset.systems)
        for system, labels in fields.get("labels", {}).items():
            n_labels = dataset.n_labels(system)
            index = np.asarray(labels)
            if np.unique(index).size != index.size or np.any((index < 0) | (index >= n_labels)):
                raise InputError(
                    f"The labels that are selected of {system} are not labels of it.",
                    got=f"{index.size} indices: {index[:5]} ...",
                    expected=f"each of 0 to {n_labels - 1} once at most",
                )
        return cls(tuple(systems) or dataset.systems, **fields)

    def as_attributes(self, dataset: Dataset) -> dict[str, Any]:
        """Return the attributes that say what was selected; of a whole data set its systems."""
        attributes: dict[str, Any] = {"systems": list(self.systems)}
        if self.labelled_only or self.labels or set(self.systems) != set(dataset.systems):
            attributes["selection"] = {
                "labelled_only": self.labelled_only,
                "part": self.part or "all labels",
            }
        return attributes

    def groups(self, dataset: Dataset) -> Iterator[tuple[str, xr.Dataset]]:
        """Yield the selected systems as lazy xarray groups.

        Where labels are selected, ``label_index`` (label) are their indices in the store; where
        frames are, ``frame_index`` (frame) are those of the frames, and ``label_frame`` counts the
        frames of the group.
        """
        nodes = dataset.tree().children
        for system in self.systems:
            group = nodes[system].to_dataset(inherit=False)
            if system in self.labels:
                index = np.sort(np.asarray(self.labels[system], np.int64))
                group = group.isel(label=index)
                group["label_index"] = _index("label", index, "label of the data set")
            if self.labelled_only:
                frames = group["label_frame"].values.astype(np.int64)
                group = group.isel(frame=frames)
                group["frame_index"] = _index("frame", frames, "frame of the data set")
                group["label_frame"] = group["label_frame"].copy(
                    data=np.arange(len(frames), dtype=group["label_frame"].dtype)
                )
            yield system, group


def _index(along: str, index: npt.NDArray[np.int64], long_name: str) -> xr.Variable:
    import xarray as xr

    return xr.Variable((along,), index.astype(np.int32), {"long_name": long_name})
