"""`FittedLabels`: labels that models have seen, and that tell nothing of their errors elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aptbench.errors import StoreError
from aptbench.evaluate.training_provenance import TrainingProvenance
from aptbench.evaluate.training_record import parameter_count
from aptbench.tasks import available_splits, load_task
from aptbench.tasks.transfer import available_transfers

if TYPE_CHECKING:
    from aptbench.data import Dataset


@dataclass(frozen=True)
class FittedLabels:
    """Labels of a system that models were fitted to or selected by, or may have been.

    Parameters
    ----------
    labels : frozenset of int
        Indices into the labels of the system.
    own : frozenset of int
        Those among them that the models name themselves.
    notes : tuple of str
        What is not known about it, one sentence a model.
    """

    labels: frozenset[int] = frozenset()
    own: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()

    @classmethod
    def of_models(cls, models: Iterable[Any], dataset: Dataset, system: str) -> FittedLabels:
        """Return the labels that models say they were trained on or selected by.

        Parameters
        ----------
        models : iterable of objects with ``name``
            With ``provenance_``, if they have it. Labels of another state of the data are found by
            their frames.
        dataset : Dataset
        system : str
        """
        labels: set[int] = set()
        notes = []
        at = {int(frame): k for k, frame in enumerate(dataset.label_frames(system))}
        for model in models:
            try:
                said = TrainingProvenance.of(model)
            except StoreError:
                said = None
            known = None if said is None else said.labels(system)
            if said is None or (known is None and said.train_frames is None):
                if said is not None or parameter_count(model) != 0:
                    notes.append(f"{model.name} does not say on which labels it was trained.")
                continue
            for part in (known or {}).values():
                labels |= part.get((dataset.content_hash, system), set())
            frames, complete = said.frames_of(dataset.name, dataset.content_hash, [system])
            for part in frames.values():
                labels |= {at[frame] for frame in part.get(("", system), ()) if frame in at}
            if not complete:
                notes.append(
                    f"{model.name} was trained on another version of {dataset.name}, and does not "
                    "say on which frames."
                )
        return cls(frozenset(labels), frozenset(labels), tuple(notes))

    @classmethod
    def of_tasks(cls, dataset: Dataset, system: str) -> FittedLabels:
        """Return the training and validation labels of all splits and transfers of the project."""
        own = [name for name in available_splits() if name.split("/")[0] == dataset.name]
        labels: set[int] = set()
        for name in (*own, *available_transfers()):
            parts = load_task(name).parts
            for one in (*parts["train"], *parts["validation"]):
                if (one.dataset, one.content_hash) == (dataset.name, dataset.content_hash):
                    labels.update(one.labels.get(system, ()))
        return cls(frozenset(labels))

    def __or__(self, other: FittedLabels) -> FittedLabels:
        return FittedLabels(
            self.labels | other.labels, self.own | other.own, (*self.notes, *other.notes)
        )
