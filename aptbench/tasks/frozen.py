"""`FrozenTask`: what a version of a task was when it was released, and the file that keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from aptbench.atomic import write_atomically
from aptbench.data import root
from aptbench.errors import AlignmentError, InputError
from aptbench.json_file import faults
from aptbench.metrics import METRICS
from aptbench.tasks.spectrum_reference import (
    SpectrumReference,
    read_spectrum_reference,
    reference_path,
)
from aptbench.tasks.task import Task


class FrozenTask(BaseModel):
    """Everything that a score of a task depends on, but the labels themselves.

    Parameters
    ----------
    data : dict of str to str
        Content hash of every data set that the parts of the task are of.
    split_hash : str
    axis : str or None
        Of a transfer.
    test : dict of str to int
        Number of test labels of each system.
    metrics : dict of str to int
        Versions of the metrics, by base name.
    protocol : str
        Of spectra, with its version.
    spectrum : str or None
        Hash of the `SpectrumReference`; None where every frame is labelled, or there is no
        spectrum.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: dict[str, str]
    split_hash: str = Field(min_length=8)
    axis: str | None = None
    test: dict[str, int]
    metrics: dict[str, int]
    protocol: str
    spectrum: str | None = None

    @classmethod
    def of(cls, task: Task) -> FrozenTask:
        """Return what a task is now."""
        reference = spectrum_reference(task)
        bases = {name.partition("[")[0] for name in task.metrics} or METRICS
        return cls(
            data={one.dataset: one.content_hash for sets in task.parts.values() for one in sets},
            split_hash=task.split.hash,
            axis=getattr(task.split, "axis", None),
            test={system: len(labels) for system, labels in task.test_labels.items()},
            metrics={name: METRICS[name].version for name in METRICS if name in bases},
            protocol=task.protocol,
            spectrum=None if reference is None else reference.hash,
        )

    def differences(self, now: FrozenTask) -> list[str]:
        """Say what a task that is called the same has otherwise.

        What is new is no difference: a metric, or a spectrum where there was none.
        """
        changed = []
        for name in type(self).model_fields:
            was, is_now = getattr(self, name), getattr(now, name)
            if name == "metrics":
                is_now = {base: version for base, version in is_now.items() if base in was}
            if was != is_now and not (name == "spectrum" and was is None):
                changed.append(f"{name}: {_short(was)} became {_short(is_now)}")
        return changed


Frozen = Mapping[str, FrozenTask]
"""Released tasks by identity, as in ``water/iid@2``."""

_FILE = TypeAdapter(dict[Annotated[str, Field(pattern=r"^[^/@]+/[^/@]+@[0-9]+$")], FrozenTask])


def frozen_path(project: Path | None = None) -> Path:
    """Return where the released tasks of a project, this one if None, are kept."""
    return (project or root()) / "leaderboard" / "tasks.json"


def read_frozen(path: str | Path) -> dict[str, FrozenTask]:
    """Read the file of released tasks; empty if there is none.

    Raises
    ------
    InputError
        If it is damaged.
    """
    path = Path(path)
    if not path.is_file():
        return {}
    try:
        return _FILE.validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(
            f"The file of released tasks {path} is damaged.", got=faults(error)
        ) from None


def spectrum_reference(task: Task) -> SpectrumReference | None:
    """Return the reference of the spectrum of a task; None if this version has none.

    The file may be that of an earlier version: it says of which it is. One that is older than that
    is not of a version without a released reference, if another version was released with it.
    """
    found = read_spectrum_reference(reference_path(task.name))
    if found is None or found.task == task.identity:
        return found
    released = read_frozen(frozen_path())
    own = released.get(task.identity)
    others = {
        frozen.spectrum
        for identity, frozen in released.items()
        if identity.partition("@")[0] == task.name and identity != task.identity
    }
    unbound = own is None or own.spectrum is None
    return None if found.task or (unbound and found.hash in others) else found


def checked_reference(task: Task) -> SpectrumReference | None:
    """Return `spectrum_reference`, if it is the one that the task was released with.

    Raises
    ------
    AlignmentError
        If it is another, or there is none any more.
    """
    found = spectrum_reference(task)
    own = read_frozen(frozen_path()).get(task.identity)
    wanted = None if own is None else own.spectrum
    if wanted is not None and (found is None or found.hash != wanted):
        raise AlignmentError(
            f"The reference of the spectrum is not the one that {task.identity} was released with.",
            got="none" if found is None else found.hash,
            expected=wanted,
            do=f"restore {reference_path(task.name)} from the release",
        )
    return found


def latest_versions(identities: Iterable[str]) -> dict[str, int]:
    """Return the highest version of every task.

    >>> latest_versions(["water/iid@2", "water/iid@10", "ice/few@1"])
    {'water/iid': 10, 'ice/few': 1}
    """
    latest: dict[str, int] = {}
    for identity in identities:
        name, _, version = identity.partition("@")
        latest[name] = max(int(version), latest.get(name, 0))
    return latest


def check_frozen(frozen: Frozen, now: Frozen, what: str = "The released task") -> None:
    """Compare released tasks with what is called the same now.

    Parameters
    ----------
    frozen : mapping of str to FrozenTask
        As they were released.
    now : mapping of str to FrozenTask
        As they are now; a version that is not in it is not compared, because an earlier one lives
        on in the release that had it.
    what : str
        Begins the message.

    Raises
    ------
    AlignmentError
        If one is not the same, or is replaced by an earlier version.
    """
    latest, latest_now = latest_versions(frozen), latest_versions(now)
    for name in sorted(set(latest) & set(latest_now)):
        if latest_now[name] < latest[name]:
            raise AlignmentError(
                f"{what} {name}@{latest[name]} is replaced by an earlier version.",
                got=f"{name}@{latest_now[name]}",
                expected=f"{name}@{latest[name]}, or a higher version",
                do="restore it, or give what is new a higher version",
            )
    for identity in sorted(set(frozen) & set(now)):
        changed = frozen[identity].differences(now[identity])
        if changed:
            raise AlignmentError(
                f"{what} {identity} is not what it was.",
                got="; ".join(changed),
                expected="the same: scores of one version of a task are comparable for ever",
                do="restore it, or give what is new a higher version",
            )


def freeze(tasks: Mapping[str, FrozenTask], path: str | Path) -> list[str]:
    """Add tasks to the file of released tasks, atomically; return what is new.

    Raises
    ------
    AlignmentError
        If one is there already and was something else.
    """
    frozen = read_frozen(path)
    check_frozen(frozen, tasks)
    new = sorted(name for name in tasks if frozen.get(name) != tasks[name])
    if new:
        joined: dict[str, Any] = {
            name: one.model_dump(mode="json") for name, one in sorted({**frozen, **tasks}.items())
        }
        write_atomically(Path(path), json.dumps(joined, indent=2) + "\n")
    return new


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 100 else f"{text[:96]} ..."
