"""The file of a split never replaces a released task."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aptbench.errors import InputError
from aptbench.tasks import Split, TransferSplit, read_split, write_split
from aptbench.tasks.frozen import FrozenTask, freeze, frozen_path
from aptbench.tasks.transfer import read_transfer


def split(**changes: object) -> Split:
    fields = {
        "name": "iid",
        "dataset": "water",
        "content_hash": "0" * 8,
        "system": "bulk",
        "train": (0, 1),
        "test": (2, 3),
        "gap_fs": 1.0,
        "rule": "by hand",
        "version": 3,
    }
    return Split.model_validate(fields | changes)


def transfer(**changes: object) -> TransferSplit:
    def part(system: str, *labels: int) -> list[dict[str, object]]:
        return [{"dataset": "water", "content_hash": "0" * 8, "labels": {system: labels}}]

    fields = {
        "name": "iid",
        "dataset": "water",
        "axis": "size",
        "train": part("small", 0, 1),
        "test": part("large", 0, 3),
        "rule": "by hand",
        "version": 3,
    }
    return TransferSplit.model_validate(fields | changes)


@pytest.mark.parametrize(
    ("released", "other", "read", "folder"),
    [
        (split(), split(test=(2,)), read_split, "splits"),
        (transfer(), transfer(axis="density"), read_transfer, "transfers"),
    ],
    ids=["split", "transfer"],
)
def test_a_released_version_is_never_replaced(released, other, read, folder, tmp_path) -> None:
    path = tmp_path / "datasets" / "water" / folder / "iid.json"
    write_split(released.model_copy(update={"version": 1}), path)
    frozen = FrozenTask(
        data={}, split_hash=released.hash, test={"bulk": 2}, metrics={}, protocol="ir@1"
    )
    freeze({"water/iid@3": frozen}, frozen_path(tmp_path))
    write_split(released, path)
    write_split(released, path)  # a stage that runs again
    for version in (3, 1):
        edited = other.model_copy(update={"version": version})
        for force in (False, True):
            with pytest.raises(InputError, match="--version 4") as caught:
                write_split(edited, path, overwrite=force)
            assert "water/iid@3 is released" in caught.value.what
    assert read(path) == released
    path.unlink()
    with pytest.raises(InputError, match="is released"):
        write_split(other, path)
    write_split(other.model_copy(update={"version": 4}), path)
    assert read(path).version == 4


def test_elsewhere_nothing_is_released(tmp_path: Path) -> None:
    path = write_split(split(), tmp_path / "iid.json")
    write_split(split(version=1), path, overwrite=True)
    assert json.loads(path.read_text())["version"] == 1
