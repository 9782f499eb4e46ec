"""`Split`: which labels are for training, validation and test, and the file that says so."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from aptbench.errors import AlignmentError
from aptbench.json_file import read_json
from aptbench.tasks.audit import audit_split

if TYPE_CHECKING:
    from aptbench.data import Dataset

Index = Annotated[int, Field(ge=0)]


class Split(BaseModel):
    """A division of the labels of one system, bound to the content of one data set version.

    Parameters
    ----------
    name, dataset, system : str
    content_hash : str
        Content hash of the data set that the indices belong to.
    train, validation, test : tuple of int
        Indices into the labels of the system (not into its trajectory), each once at most.
    gap_fs : float
        Least time in fs between two labels of different parts; 0 where there is no time.
    rule : str
        How the division was made, in words.
    version : int
        Of the task: another division, or one of other data, is a new version.
    budgets : tuple of int
        Rising numbers of training labels at which models are compared. They choose nothing: which
        labels a budget has follows from times alone (`aptbench.tasks.subsets.label_subsets`). A
        file without budgets does not have the field.
    method : {"blocks of time", "independent"}
        ``independent``: the frames have no times, and were assigned at random. A file of blocks of
        time does not have the field.
    seed : int, optional
        Of an independent split, see `aptbench.tasks.independent_split`; others have none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    dataset: str = Field(min_length=1)
    content_hash: str = Field(min_length=8)
    system: str = Field(min_length=1)
    train: tuple[Index, ...]
    validation: tuple[Index, ...] = ()
    test: tuple[Index, ...] = Field(min_length=1)
    gap_fs: float = Field(ge=0, allow_inf_nan=False)
    rule: str = Field(min_length=1)
    version: int = Field(1, ge=1)
    budgets: tuple[Annotated[int, Field(ge=1)], ...] = ()
    method: Literal["blocks of time", "independent"] = "blocks of time"
    seed: int | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _check_budgets(self) -> Split:
        if self.budgets and (
            list(self.budgets) != sorted(set(self.budgets)) or self.budgets[-1] > len(self.train)
        ):
            raise ValueError(f"budgets must rise, up to {len(self.train)} training labels at most")
        return self

    @model_validator(mode="after")
    def _check_method(self) -> Split:
        if self.independent == (self.seed is None):
            raise ValueError("an independent split has a 'seed', and no other has one")
        if self.independent and self.gap_fs:
            raise ValueError("an independent split promises no gap: its 'gap_fs' is 0")
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # files and hashes from before these fields are as they were
        fields: dict[str, Any] = write(self)
        kept = {"budgets": bool(self.budgets), "method": self.independent, "seed": self.independent}
        return {k: v for k, v in fields.items() if kept.get(k, True)}

    @property
    def independent(self) -> bool:
        """Whether frames without times were assigned at random."""
        return self.method == "independent"

    @property
    def parts(self) -> dict[str, tuple[int, ...]]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def hash(self) -> str:
        """SHA-256 over everything but the name, the words of the rule, version and budgets."""
        content = self.model_dump(mode="json", exclude={"name", "rule", "version", "budgets"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_split(path: str | Path) -> Split:
    """Read a split file; see `check_split` for the comparison with the data.

    Raises
    ------
    InputError
        If the file is absent, is not JSON, or does not have the fields of `Split`.
    """
    return read_json(
        Split, path, "split file", "write one with: aptbench split DATASET --name NAME"
    )


def check_split(split: Split, dataset: Dataset) -> None:
    """Compare a split with the data set that it divides.

    Raises
    ------
    AlignmentError
        If the content hash differs, an index does not exist or occurs twice, two parts overlap,
        the labels of two parts are nearer in time than the gap that the split promises, or an
        independent split is of frames that have times.
    InputError
        If a split by time is of frames without times.
    """
    if split.content_hash != dataset.content_hash:
        raise AlignmentError(
            f"The split {split.dataset}/{split.name} was made for other data.",
            got=f"data set {dataset.name} {dataset.version} with content hash "
            f"{dataset.content_hash}",
            expected=f"content hash {split.content_hash}",
            do="fetch the version that the split names, or make a new split with: "
            f"aptbench split {split.dataset} --name NEW_NAME",
        )
    label_frames = dataset.label_frames(split.system)
    seen: dict[int, str] = {}
    for part, indices in split.parts.items():
        for index in indices:
            if index >= len(label_frames):
                raise AlignmentError(
                    f"The {part} part of the split {split.dataset}/{split.name} names a label "
                    "that does not exist.",
                    got=f"label {index}",
                    expected=f"an index from 0 to {len(label_frames) - 1}",
                )
            if index in seen:
                raise AlignmentError(
                    f"The split {split.dataset}/{split.name} uses one label twice.",
                    got=f"label {index} in {seen[index]} and in {part}",
                    expected="disjoint parts",
                )
            seen[index] = part
    if split.independent:
        if dataset.has_times(split.system):
            raise AlignmentError(
                f"The split {split.dataset}/{split.name} draws at random from a trajectory.",
                got=f"the method 'independent', and frames of {split.system!r} that have times",
                expected="blocks of time: neighbours in time are nearly the same",
                do=f"make a new one with: aptbench split {split.dataset} --name NEW_NAME",
            )
        return
    audit = audit_split(split.parts, dataset.times(split.system)[label_frames])
    # Times are multiples of the step stored in floating point: a rounding error is no breach.
    if audit.gap_fs < split.gap_fs * (1 - 1e-6):
        raise AlignmentError(
            f"The split {split.dataset}/{split.name} does not hold the gap that it promises.",
            got=f"{audit.gap_fs:.6g} fs between labels of different parts",
            expected=f"at least {split.gap_fs:.6g} fs",
            do=f"make a new one with: aptbench split {split.dataset} --name NEW_NAME",
        )
