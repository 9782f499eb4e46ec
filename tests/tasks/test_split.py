"""Split files and their comparison with the data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames
from aptbench.data import Dataset, SystemData, write_dataset
from aptbench.errors import AlignmentError, InputError, UnknownNameError
from aptbench.tasks import Split, available_tasks, check_split, load_task, read_split, write_split


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    rng = np.random.default_rng(0)
    frames = Frames([8, 1, 1], rng.normal(size=(41, 3, 3)), [9.0, 9.0, 9.0])
    labels = np.arange(0, 41, 5)
    system = SystemData(
        frames, labels, rng.normal(size=(len(labels), 3, 3, 3)), times=2.0 * np.arange(41)
    )
    attrs = {"name": "synthetic", "version": "0.1.0", "title": "Synthetic", "license": "CC0-1.0"}
    return write_dataset(tmp_path_factory.mktemp("data") / "synthetic.zarr", {"a": system}, attrs)


def make(dataset: Dataset, **changes: object) -> Split:
    fields = {
        "name": "iid",
        "dataset": "synthetic",
        "content_hash": dataset.content_hash,
        "system": "a",
        "train": (0, 1, 2),
        "validation": (4,),
        "test": (6, 7),
        "gap_fs": 20.0,
        "rule": "by hand",
    }
    return Split.model_validate(fields | changes)


def test_a_sound_split_passes_and_survives_the_file(dataset: Dataset, tmp_path: Path) -> None:
    split = make(dataset)
    check_split(split, dataset)
    path = write_split(split, tmp_path / "splits" / "iid.json")
    assert read_split(path) == split
    assert read_split(path).hash == split.hash
    assert [p.name for p in path.parent.iterdir()] == ["iid.json"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"content_hash": "0" * 64}, "other data"),
        ({"test": (6, 9)}, "label 9"),
        ({"test": (2, 7)}, "label 2 in train and in test"),
        ({"test": (6, 6)}, "label 6 in test and in test"),
        ({"validation": (3,)}, "10 fs between labels"),
        ({"gap_fs": 20.1}, "at least 20.1 fs"),
    ],
)
def test_an_unsound_split_is_refused(
    dataset: Dataset, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(AlignmentError, match=message):
        check_split(make(dataset, **changes), dataset)


def test_the_hash_follows_the_content_and_not_the_words(dataset: Dataset) -> None:
    split = make(dataset)
    assert make(dataset, rule="other words", name="other").hash == split.hash
    for changes in ({"test": (7,)}, {"train": (0, 1)}, {"gap_fs": 10.0}, {"content_hash": "x" * 8}):
        assert make(dataset, **changes).hash != split.hash


def test_a_damaged_file_is_named(dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text("{")
    with pytest.raises(InputError, match=r"bad\.json"):
        read_split(path)
    path.write_text(json.dumps(make(dataset).model_dump(mode="json") | {"tset": [1]}))
    with pytest.raises(InputError, match="tset"):
        read_split(path)
    with pytest.raises(InputError, match="no such split file"):
        read_split(tmp_path / "absent.json")


def test_a_split_that_exists_is_not_edited(dataset: Dataset, tmp_path: Path) -> None:
    path = write_split(make(dataset), tmp_path / "iid.json")
    write_split(make(dataset), path)
    with pytest.raises(InputError, match="--force"):
        write_split(make(dataset, test=(7,)), path)
    write_split(make(dataset, test=(6,)), path, overwrite=True)
    write_split(make(dataset, test=(7,), version=2), path)
    assert read_split(path).test == (7,)


def test_tasks_are_found_by_name(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(tmp_path))
    split = make(dataset)
    write_split(split, tmp_path / "datasets" / "synthetic" / "splits" / "iid.json")
    assert available_tasks() == ("synthetic/iid",)
    task = load_task("synthetic/iid@1")
    assert task.identity == "synthetic/iid@1"
    assert (task.train, task.validation, task.test) == (split.train, split.validation, split.test)
    with pytest.raises(UnknownNameError, match="did you mean 'synthetic/iid'"):
        load_task("synthetc/iid")
    with pytest.raises(InputError, match="no version '2'"):
        load_task("synthetic/iid@2")


def test_a_split_in_the_wrong_folder_is_refused(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(tmp_path))
    write_split(make(dataset), tmp_path / "datasets" / "other" / "splits" / "iid.json")
    with pytest.raises(InputError, match="wrong place"):
        load_task("other/iid")
