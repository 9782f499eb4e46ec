"""`Submission`: what an entrant says of a model, and which predictions belong to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from aptbench.atomic import write_atomically
from aptbench.errors import InputError
from aptbench.json_file import faults
from aptbench.models.registry import NAME

FILE: Final = "submission.yaml"
LARGEST_TEXT: Final = 100_000
"""Bytes of ``submission.yaml``."""

Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=300, pattern=r"^[^\r\n]*$"),
]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=5000)]
Address = Annotated[str, StringConstraints(max_length=300, pattern=r"^https?://[^\s<>\"']+$")]
Identity = Annotated[
    str, StringConstraints(pattern=r"^\w[\w.-]*/\w[\w.-]*@[0-9]+$", max_length=120)
]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*){0,3}$"),
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Author(_Part):
    """Who has made the model.

    Parameters
    ----------
    name : str
    affiliation : str or None
    orcid : str or None
        As in ``0000-0002-1825-0097``.
    """

    name: Line
    affiliation: Line | None = None
    orcid: str | None = Field(default=None, pattern=r"^\d{4}-\d{4}-\d{4}-\d{3}[\dX]$")


class TaskLabels(_Part):
    """Training on labels of a task of this project.

    Parameters
    ----------
    task : str
        With its version.
    parts : tuple of str
        Never ``test``.
    labels : int or None
        How many of them; all if None.
    """

    task: Identity
    parts: tuple[Literal["train", "validation"], ...] = Field(min_length=1)
    labels: int | None = Field(default=None, ge=1)


class OtherData(_Part):
    """Training on other data.

    Parameters
    ----------
    source : str
        Name, with version.
    url : str or None
    content : str
        Systems, quantities and level of theory, in words.
    labels : int or None
        Number of labelled frames.
    frames : str or None
        An ``.npz`` of the submission with the frames it was trained on: ``positions (frame, atom,
        xyz)``, ``atomic_number (atom,)`` and, of a crystal or liquid, ``cell (frame, 3, 3)``; each
        with the name of a system before it, if there are several. They are searched for frames of
        the tests.
    """

    source: Line
    url: Address | None = None
    content: Text
    labels: int | None = Field(default=None, ge=1)
    frames: FileName | None = None


class DeclaredCost(_Part):
    """What the model costs, as the entrant says; shown as declared, not measured here.

    Parameters
    ----------
    parameters : int or None
    training_seconds : float or None
    atoms_per_second : float or None
    hardware : str
    """

    parameters: int | None = Field(default=None, ge=0)
    training_seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    atoms_per_second: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    hardware: Line | None = None


class PredictionFile(_Part):
    """Predictions of the test frames of one task.

    Parameters
    ----------
    task : str
        With its version.
    file : str
        Below the folder of the submission.
    sha256 : str
    bytes : int
    """

    task: Identity
    file: FileName
    sha256: Digest
    bytes: int = Field(ge=1)


class CurrentFile(PredictionFile):
    """The current of the dense trajectory of a task, for its spectrum.

    The archive holds ``current (frame, pol)`` in e angstrom/fs, and as a proof the tensors
    ``apt (frame, atom, pol, disp)`` of the audit frames, whose numbers are in ``frame``; see
    `aptbench.evaluate.current_audit.audit_frames`.
    """


class Submission(_Part):
    """The content of ``submission.yaml``. It has no scores: they are always computed.

    Parameters
    ----------
    name : str
        Short name of the model; the row of the leaderboard.
    version : int
        Of the submission; a higher one replaces a lower one of the same name.
    title : str
        A line for tables.
    description : str
    authors : tuple of Author
    license : str
        SPDX expression; of the predictions.
    url, reference : str or None
        Code or weights; what is to be cited, such as a DOI.
    framework : str
        Programs and versions that the model was made with.
    training : tuple
        Everything that it was trained on; empty for a model that has learned nothing.
    cost : DeclaredCost or None
    predictions : tuple of PredictionFile
    currents : tuple of CurrentFile
    """

    format: Literal["submission@1"] = "submission@1"
    name: str = Field(pattern=NAME, max_length=60)
    version: int = Field(default=1, ge=1)
    title: Line
    description: Text
    authors: tuple[Author, ...] = Field(min_length=1, max_length=100)
    license: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 .+()-]+$", max_length=80)]
    url: Address | None = None
    reference: Line | None = None
    framework: Line
    training: tuple[TaskLabels | OtherData, ...]
    cost: DeclaredCost | None = None
    predictions: tuple[PredictionFile, ...] = Field(min_length=1, max_length=200)
    currents: tuple[CurrentFile, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that the folder has besides ``submission.yaml``."""
        named = [one.file for one in (*self.predictions, *self.currents)]
        trained = [one.frames for one in self.training if isinstance(one, OtherData) and one.frames]
        return tuple(named + trained)


def read_submission(folder: str | Path) -> Submission:
    """Read ``submission.yaml`` of a folder.

    Raises
    ------
    InputError
        If it is absent, too large, no plain YAML, or has other keys than `Submission`.
    """
    path = Path(folder) / FILE
    if path.is_symlink() or not path.is_file():
        raise InputError(
            "This folder is no submission.",
            got=f"no file {path}",
            do="make one with: aptbench submit pack",
        )
    if path.stat().st_size > LARGEST_TEXT:
        raise InputError(
            f"{path} is too large.",
            got=f"{path.stat().st_size} bytes",
            expected=f"at most {LARGEST_TEXT}",
        )
    try:
        content = yaml.load(path.read_bytes(), _PlainLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{path} is not plain YAML.", got=str(error)[:500]) from None
    try:
        return Submission.model_validate(content)
    except ValidationError as error:
        raise InputError(
            f"{path} does not describe a submission.",
            got=faults(error),
            expected="the keys of docs/submitting.md, and no scores",
        ) from None


def write_submission(submission: Submission, folder: str | Path) -> Path:
    """Write ``submission.yaml`` into a folder, atomically, and return its path."""
    content = submission.model_dump(mode="json", exclude_defaults=False, exclude_none=True)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return write_atomically(Path(folder) / FILE, text)


class _PlainLoader(yaml.SafeLoader):
    """No aliases, which can blow up a small file, and no key twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        if len(mapping) != len(node.value):
            raise yaml.YAMLError(f"a key occurs twice in line {node.start_mark.line + 1}")
        return mapping
