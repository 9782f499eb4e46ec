"""`TrainingProvenance`: what weights say they were trained on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aptbench.errors import StoreError
from aptbench.json_file import faults
from aptbench.tasks.transfer import LabelSet

Labels = dict[tuple[str, str], set[int]]
"""Indices of labels by content hash and system; frames, where the hash is empty."""
FramesOfSets = Mapping[str, Mapping[str, tuple[int, ...]]]
"""Frames by data set and system."""


class _DataName(BaseModel):
    name: str = ""
    version: str = ""


class TrainingProvenance(BaseModel):
    """The keys of a model's ``provenance_`` that are read; `aptbench train` writes them all.

    Parameters
    ----------
    task : str
        With its version.
    dataset : mapping
        ``name`` and ``version``.
    system : str
    content_hash, split_hash : str or None
    train, validation : list of int or None
        Indices of the labels, which mean the same labels as long as the content hash is the same.
    train_sets, validation_sets : list of LabelSet or None
        The labels of weights that were trained on several systems, instead of ``system``,
        ``content_hash``, ``train`` and ``validation``.
    train_frames, validation_frames : list of int or None
        The same labels as frames of the trajectory, which later versions of the data keep.
    train_set_frames, validation_set_frames : mapping or None
        The same of ``train_sets`` and ``validation_sets``, by data set and system.
    seconds : float or None
        Wall time.
    device : str
    threads, n_parameters : int or None
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    task: str = ""
    dataset: _DataName = Field(default_factory=_DataName)
    system: str = ""
    content_hash: str | None = None
    split_hash: str | None = None
    train: tuple[int, ...] | None = None
    validation: tuple[int, ...] | None = None
    train_sets: tuple[LabelSet, ...] | None = None
    validation_sets: tuple[LabelSet, ...] | None = None
    train_frames: tuple[int, ...] | None = None
    validation_frames: tuple[int, ...] | None = None
    train_set_frames: FramesOfSets | None = None
    validation_set_frames: FramesOfSets | None = None
    seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    device: str = ""
    threads: int | None = None
    n_parameters: int | None = None

    def labels(self, system: str) -> dict[str, Labels] | None:
        """Return labels of training and validation, None if not recorded.

        Old weights do not name their system: it is ``system`` then.
        """
        if self.train_sets is not None:
            return {
                "train": labels_by_system(self.train_sets),
                "validation": labels_by_system(self.validation_sets or ()),
            }
        if self.train is None or self.content_hash is None:
            return None
        at = (self.content_hash, self.system or system)
        return {"train": {at: set(self.train)}, "validation": {at: set(self.validation or ())}}

    @property
    def dataset_name(self) -> str:
        """Name of the data set; of weights older than their own record, that of their task."""
        return self.dataset.name or self.task.partition("/")[0]

    def frames_of(
        self, dataset: str, content_hash: str, systems: Collection[str]
    ) -> tuple[dict[str, Labels], bool]:
        """Return the frames of systems of a data set that labels were of under another hash.

        Parameters
        ----------
        dataset, content_hash : str
            Labels with this hash are known by their indices, and not looked for.
        systems : collection of str
            Weights that do not name their system were trained on the only one of these.

        Returns
        -------
        frames : dict of str to Labels
            Of training and validation.
        complete : bool
            Whether all such labels are recorded as frames.
        """
        found: dict[str, Labels] = {"train": {}, "validation": {}}
        if self.train_sets is None:
            named = self.system in ("", *systems) and self.dataset_name == dataset
            if not named or self.content_hash == content_hash:
                return found, True
            if self.train_frames is None or (not self.system and len(systems) > 1):
                return found, False
            at = ("", self.system or next(iter(systems)))
            found["train"][at] = set(self.train_frames)
            found["validation"][at] = set(self.validation_frames or ())
            return found, True
        complete = True
        for part, sets, frames in (
            ("train", self.train_sets, self.train_set_frames),
            ("validation", self.validation_sets or (), self.validation_set_frames),
        ):
            for one in sets:
                if one.dataset != dataset or one.content_hash == content_hash:
                    continue
                known = (frames or {}).get(dataset, {})
                for system in set(one.labels) & set(systems):
                    complete = complete and system in known
                    found[part].setdefault(("", system), set()).update(known.get(system, ()))
        return found, complete

    @classmethod
    def of(cls, model: Any) -> TrainingProvenance | None:
        """Return what a model carries in ``provenance_``, None if it is nothing.

        Raises
        ------
        StoreError
            If it is not of this form.
        """
        found = getattr(model, "provenance_", None)
        if not found:
            return None
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            raise StoreError(
                "The weights do not say in the usual form what they were trained on.",
                got=f"provenance {faults(error)}",
                do="train the model again with 'aptbench train'",
            ) from None


def labels_by_system(sets: Iterable[LabelSet]) -> Labels:
    """Join the labels of sets, by content hash and system."""
    labels: Labels = {}
    for one in sets:
        for system, chosen in one.labels.items():
            labels.setdefault((one.content_hash, system), set()).update(chosen)
    return labels
