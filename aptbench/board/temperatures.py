"""`Temperatures`: how warm the motion is that a task trains on and is tested on, as measured."""

from __future__ import annotations

import numpy as np

from aptbench.data import Dataset, open_dataset
from aptbench.errors import AptbenchError
from aptbench.tasks import Task
from aptbench.tasks.transfer import LabelSet


class Temperatures:
    """Measures each stretch of a trajectory once."""

    def __init__(self) -> None:
        self._means: dict[tuple[str, str, int, int], float] = {}

    def of(self, task: Task, part: str) -> str:
        """Return the temperature of the velocities of a part in words, empty where it has none.

        Parameters
        ----------
        task : Task
        part : {"train", "validation", "test"}

        Returns
        -------
        str
            Such as ``309 K``: mean over all frames from the first to the last label, or over the
            labelled frames if they have no times; the least and the largest of several systems.
        """
        try:
            found = [mean for one in task.parts[part] for mean in self._of_systems(one)]
        except AptbenchError:
            return ""
        ends = sorted({f"{mean:.0f}" for mean in found}, key=int)
        if len(ends) > 1:
            ends = [ends[0], "to", ends[-1]]
        return " ".join([*ends, "K"]) if ends else ""

    def _of_systems(self, labels: LabelSet) -> list[float]:
        dataset = open_dataset(labels.dataset)
        means = [self._mean(dataset, system, chosen) for system, chosen in labels.labels.items()]
        return [mean for mean in means if not np.isnan(mean)]

    def _mean(self, dataset: Dataset, system: str, labels: tuple[int, ...]) -> float:
        frames = dataset.label_frames(system)[list(labels)]
        key = dataset.content_hash, system, int(frames.min()), int(frames.max())
        if not dataset.has_times(system):
            found = dataset.labelled(system, list(labels)).frames
            return float("nan") if found.velocities is None else float(found.temperatures.mean())
        if key not in self._means:
            stretch = dataset.trajectory(system, slice(key[2], key[3] + 1))
            self._means[key] = (
                float("nan") if stretch.velocities is None else float(stretch.temperatures.mean())
            )
        return self._means[key]
