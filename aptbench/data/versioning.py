"""`compare_versions`: what changed between two versions of a data set, and how much that is."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.data.manifest import read_manifest
from aptbench.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from aptbench.data.dataset import Dataset

Index = npt.NDArray[np.int64]
_BLOCK_BYTES: Final = 1 << 25
_DERIVED: Final = ("version", "content_hash", "systems")


class Level(enum.IntEnum):
    """How much a new version changes, from nothing to everything that may break a result."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3

    @property
    def word(self) -> str:
        """The name in small letters."""
        return self.name.lower()


@dataclass(frozen=True)
class Change:
    """The difference of two versions of a data set.

    Parameters
    ----------
    level : Level
        ``PATCH``: the same content, other attributes or another layout; ``MINOR``: only additions;
        ``MAJOR``: a value, an order, or what belongs to the data set has changed.
    reasons : tuple of (Level, str)
        What changed, in words, each with the level that it makes.
    label_index : mapping of system to tuple of int
        Where the old labels are among the new ones, for systems in which all old labels are kept
        and their indices moved.
    """

    level: Level
    reasons: tuple[tuple[Level, str], ...]
    label_index: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def required_version(self, old: str) -> str:
        """Return the least version that may follow ``old``.

        Examples
        --------
        >>> Change(Level.MINOR, ()).required_version("0.2.3")
        '0.3.0'
        """
        major, minor, patch = _numbers(old)
        return {
            Level.NONE: old,
            Level.PATCH: f"{major}.{minor}.{patch + 1}",
            Level.MINOR: f"{major}.{minor + 1}.0",
            Level.MAJOR: f"{major + 1}.0.0",
        }[self.level]

    def as_dict(self) -> dict[str, Any]:
        """Return the change as JSON types."""
        return {
            "level": self.level.word,
            "reasons": [{"level": level.word, "what": what} for level, what in self.reasons],
            "label_index": {system: list(index) for system, index in self.label_index.items()},
        }


def compare_versions(old: Dataset, new: Dataset) -> Change:
    """Return what changed from one version of a data set to another.

    Parameters
    ----------
    old, new : Dataset
        Two stores of one data set. What they state as their content hash is believed:
        `aptbench.data.verify` tells whether it is so.

    Returns
    -------
    Change

    Raises
    ------
    InputError
        If the stores are of data sets of different names.
    StoreError
        If a store is damaged.

    Notes
    -----
    An addition is: a system; a variable; frames after the old ones; labels of whatever frames, if
    all old labels keep their frame. Values are compared exactly, block by block. New labels before
    or between the old ones move the indices of these, which splits are made of: a split is bound to
    the content hash, so that it never meets other labels than its own.
    """
    if old.name != new.name:
        raise InputError(
            "The two stores are no versions of one data set.",
            got=f"{old.name} and {new.name}",
            expected="two stores of the same name",
        )
    found = _Found()
    if old.content_hash != new.content_hash:
        _compare_content(old, new, found)
        if not found.reasons:
            # Order of systems and variables is canonical: nothing else is in the hash.
            found.add(Level.MAJOR, "the content hash differs though no value does: verify both")
    _compare_attributes(old, new, found)
    level = max((level for level, _ in found.reasons), default=Level.NONE)
    return Change(level, tuple(found.reasons), found.label_index)


def check_version(old: Dataset, new: Dataset) -> Change:
    """Return what changed, if the version of ``new`` says so.

    Raises
    ------
    InputError
        If the version is raised by less than the change asks for; all errors of
        `compare_versions`.
    """
    change = compare_versions(old, new)
    if not is_raised_enough(change, old.version, new.version):
        required = change.required_version(old.version)
        reasons = [what for level, what in change.reasons if level == change.level]
        raise InputError(
            f"The version of the data set {new.name} is not raised enough.",
            got=f"{new.version} after {old.version}, though: {'; '.join(reasons)}",
            expected=f"at least {required}, for a change of level {change.level.word}",
            do="write the store again with that version",
        )
    return change


def is_raised_enough(change: Change, old: str, new: str) -> bool:
    """Return whether the version ``new`` may follow ``old`` after a change.

    Examples
    --------
    >>> is_raised_enough(Change(Level.MINOR, ()), "0.2.0", "0.10.0")
    True
    """
    return _numbers(new) >= _numbers(change.required_version(old))


class _Found:
    """What was found so far."""

    def __init__(self) -> None:
        self.reasons: list[tuple[Level, str]] = []
        self.label_index: dict[str, tuple[int, ...]] = {}

    def add(self, level: Level, what: str) -> None:
        self.reasons.append((level, what))


def _numbers(version: str) -> tuple[int, int, int]:
    major, minor, patch = map(int, version.split("."))
    return major, minor, patch


def _compare_content(old: Dataset, new: Dataset, found: _Found) -> None:
    olds, news = _groups(old), _groups(new)
    for system in sorted(set(olds) - set(news)):
        found.add(Level.MAJOR, f"the system {system} is removed")
    for system in sorted(set(news) - set(olds)):
        sizes = news[system].sizes
        n_frames, n_labels = sizes["frame"], sizes.get("label", 0)
        what = f"the system {system} is added: {n_frames} frames, {n_labels} labels"
        found.add(Level.MINOR, what)
    for system in sorted(set(olds) & set(news)):
        _compare_system(system, olds[system], news[system], found)


def _groups(dataset: Dataset) -> dict[str, xr.Dataset]:
    nodes = dataset.tree().children
    return {system: nodes[system].to_dataset(inherit=False) for system in dataset.systems}


def _compare_system(system: str, old: xr.Dataset, new: xr.Dataset, found: _Found) -> None:
    for name in ("total_charge", "periodic"):
        if old.attrs[name] != new.attrs[name]:
            found.add(Level.MAJOR, f"{system}: {name} {old.attrs[name]}, now {new.attrs[name]}")
    for name in sorted(set(map(str, old.variables)) - set(map(str, new.variables))):
        found.add(Level.MAJOR, f"{system}: the variable {name} is removed")
    for name in sorted(set(map(str, new.variables)) - set(map(str, old.variables))):
        found.add(Level.MINOR, f"{system}: the variable {name} is added")
    rows = {"frame": _frames(system, old, new, found), "label": _labels(system, old, new, found)}
    for name in sorted(set(map(str, old.variables)) & set(map(str, new.variables))):
        _compare_variable(system, name, old.variables[name], new.variables[name], rows, found)


def _frames(system: str, old: xr.Dataset, new: xr.Dataset, found: _Found) -> tuple[Index, Index]:
    """Return the frames of both that are compared: those of the same number."""
    before, after = old.sizes["frame"], new.sizes["frame"]
    if after > before:
        found.add(
            Level.MINOR, f"{system}: {after - before} frames are added after the {before} old ones"
        )
    elif after < before:
        found.add(Level.MAJOR, f"{system}: {before - after} of {before} frames are removed")
    common = np.arange(min(before, after))
    return common, common


def _labels(system: str, old: xr.Dataset, new: xr.Dataset, found: _Found) -> tuple[Index, Index]:
    """Return the labels of both that are compared: those of the same frame."""
    before, after = old["label_frame"].values, new["label_frame"].values
    _, of_old, of_new = np.intersect1d(before, after, assume_unique=True, return_indices=True)
    n_added, n_removed = len(after) - len(of_new), len(before) - len(of_old)
    if n_removed:
        gone = np.setdiff1d(before, after, assume_unique=True)
        what = f"{system}: {n_removed} of {len(before)} labels are removed, the first of frame "
        found.add(Level.MAJOR, f"{what}{gone[0]}")
    if n_added:
        what = f"{system}: {n_added} labels are added to {len(before)}"
        if not n_removed and np.any(of_new != of_old):
            found.label_index[system] = tuple(of_new.tolist())
            what += ", some before or between them: the indices of the old labels move"
        found.add(Level.MINOR, what)
    return of_old, of_new


def _compare_variable(
    system: str,
    name: str,
    old: xr.Variable,
    new: xr.Variable,
    rows: Mapping[str, tuple[Index, Index]],
    found: _Found,
) -> None:
    for what, before, after in (
        ("dimensions", old.dims, new.dims),
        ("units", old.attrs.get("units"), new.attrs.get("units")),
        ("kind", _kind(old), _kind(new)),
        ("shape of a row", old.shape[1:], new.shape[1:]),
    ):
        if before != after:
            found.add(Level.MAJOR, f"{system}: {name}: {what} {before}, now {after}")
            return
    along = str(old.dims[0])
    if along not in rows and len(old) != len(new):
        found.add(Level.MAJOR, f"{system}: {name}: length {len(old)}, now {len(new)}")
        return
    of_old, of_new = rows.get(along, (np.arange(len(old)), np.arange(len(new))))
    if name == "label_frame":
        return  # the labels that are compared are those of the same frame
    differ = _differing(old, new, of_old, of_new)
    if differ.size:
        found.add(
            Level.MAJOR,
            f"{system}: {name} has other values in {differ.size} of {len(of_old)} old rows along "
            f"{along}, first in {differ[0]}",
        )


def _kind(array: xr.Variable) -> str:
    return "floating point" if np.issubdtype(array.dtype, np.floating) else "integer"


def _differing(old: xr.Variable, new: xr.Variable, of_old: Index, of_new: Index) -> Index:
    """Return the rows of ``old`` whose values differ, reading block by block."""
    row_bytes = 8 * int(np.prod(old.shape[1:], dtype=np.int64))
    step = max(1, _BLOCK_BYTES // max(row_bytes, 1))
    differ = []
    for start in range(0, len(of_old), step):
        rows = of_old[start : start + step]
        first = old[rows].values.reshape(len(rows), -1)
        second = new[of_new[start : start + step]].values.reshape(len(rows), -1)
        differ.append(rows[np.any(first != second, axis=1)])
    return np.concatenate(differ) if differ else np.zeros(0, np.int64)


def _compare_attributes(old: Dataset, new: Dataset, found: _Found) -> None:
    pairs = {"the data set": (old.attrs, new.attrs)} | {
        system: (old.system_attrs(system), new.system_attrs(system))
        for system in sorted(set(old.systems) & set(new.systems))
    }
    for where, (before, after) in pairs.items():
        of_content = _DERIVED if where == "the data set" else ("total_charge", "periodic")
        names = [
            name
            for name in sorted(set(before) | set(after))
            if name not in of_content and before.get(name) != after.get(name)
        ]
        if names:
            found.add(Level.PATCH, f"attributes of {where}: {', '.join(names)}")
    if not found.reasons and read_manifest(old.path) != read_manifest(new.path):
        found.add(Level.PATCH, "the same content and attributes in other objects")
