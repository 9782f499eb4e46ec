"""`SelectionTrack`: data selection with a fixed pool, model, recipe and test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from aptbench.atomic import write_atomically
from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate.learning_curve import LearningCurve, read_learning_curve
from aptbench.evaluate.learning_run import measure_learning_curve, settings_hash
from aptbench.json_file import read_json
from aptbench.models import model_folder
from aptbench.tasks import Task
from aptbench.tasks.data_selection import DataSelection, check_selection, read_selection

if TYPE_CHECKING:
    from aptbench.data import Dataset

FILE, ENTRIES, SCORES, PICTURE = "track.json", "entries", "scores", "standings.png"
"""What the folder of a track holds: itself, selections, what they led to, and a picture of it."""


class SelectionTrack(BaseModel):
    """Everything of a data-selection track but the order in which labels are spent.

    Parameters
    ----------
    task : str
        With its version; its training labels are the pool, its test labels are only scored.
    split_hash : str
    model : str
        A baseline whose training has no seed.
    recipe : str
        SHA-256 of the settings of the model.
    budgets : tuple of int
        Numbers of labels that every selection is scored at, rising.
    chance : tuple of str
        Names of the entries that are drawn at random, which others are compared with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["selection-track@1"] = "selection-track@1"
    task: str
    split_hash: str = Field(min_length=8)
    model: str
    recipe: str = Field(min_length=8)
    budgets: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)
    chance: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, task: Task, model: str, budgets: tuple[int, ...], chance: tuple[str, ...] = ()
    ) -> SelectionTrack:
        """Return the track of a task and a model as they are now."""
        return cls(
            task=task.identity,
            split_hash=task.split.hash,
            model=model,
            recipe=settings_hash(model_folder(model)) or "",
            budgets=tuple(sorted(budgets)),
            chance=chance,
        )

    def score(
        self,
        task: Task,
        dataset: Dataset,
        selection: DataSelection,
    ) -> LearningCurve:
        """Train the model on the first labels of a selection, and score it, at every budget.

        Raises
        ------
        AlignmentError
            If task or recipe are not those of the track, or the selection is not from its pool.
        InputError
            If the selection is shorter than the largest budget.
        """
        now = SelectionTrack.of(task, self.model, self.budgets, self.chance)
        if now != self:
            other = next(k for k in type(self).model_fields if getattr(self, k) != getattr(now, k))
            raise AlignmentError(
                f"The data-selection track of {self.task} was opened with another {other}.",
                got=getattr(now, other),
                expected=getattr(self, other),
                do="scores of one track are comparable only if nothing but the selection differs",
            )
        check_selection(selection, task)
        if len(selection.labels) < self.budgets[-1]:
            raise InputError(
                f"The selection {selection.name!r} is too short for the track.",
                got=f"{len(selection.labels)} labels",
                expected=f"at least {self.budgets[-1]}",
            )
        return measure_learning_curve(
            task, dataset, [self.model], self.budgets, selection=selection
        )


def read_track(folder: str | Path) -> SelectionTrack:
    """Read the file of a track from its folder.

    Raises
    ------
    InputError
        If it is absent or not valid.
    """
    return read_json(SelectionTrack, Path(folder) / FILE, "data-selection track")


def write_track(track: SelectionTrack, folder: str | Path) -> Path:
    """Write the file of a track atomically and return its path."""
    return write_atomically(Path(folder) / FILE, track.model_dump_json(indent=1) + "\n")


def read_entries(folder: str | Path) -> dict[str, DataSelection]:
    """Read all selections of a track, by name.

    Raises
    ------
    InputError
        If one is not valid, or its file is not called as it is.
    """
    found = {}
    for path in sorted((Path(folder) / ENTRIES).glob("*.json")):
        selection = read_selection(path)
        if path.stem != selection.name:
            raise InputError(
                f"The file of the selection {selection.name!r} has another name.",
                got=path,
                expected=f"{selection.name}.json",
            )
        found[selection.name] = selection
    return found


def read_scores(folder: str | Path) -> dict[str, LearningCurve]:
    """Read the archived scores of a track, by the name of the selection.

    Raises
    ------
    InputError
        If a file is not valid.
    """
    paths = sorted((Path(folder) / SCORES).glob("*.json"))
    return {path.stem: read_learning_curve(path) for path in paths}
