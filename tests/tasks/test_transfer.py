"""Transfer splits: the file, its hash, and what is refused when it is held against the data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aptbench import Frames
from aptbench.data import Dataset, SystemData, write_dataset
from aptbench.errors import AlignmentError, InputError, UnknownNameError
from aptbench.tasks import Split, write_split
from aptbench.tasks.duplicate_audit import Exam, audit_duplicates
from aptbench.tasks.transfer import (
    TransferSplit,
    pack_labels,
    read_transfer,
    unpack_labels,
)
from aptbench.tasks.transfer_audit import audit_transfer
from aptbench.tasks.transfer_check import check_transfer
from aptbench.tasks.transfer_parts import labels_to_test, parts_of_split, training_labels

WATER = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
ROOT = "APTBENCH_ROOT"


def system(seed: int, numbers: list[int], functional: str, first: np.ndarray | None = None):
    rng = np.random.default_rng(seed)
    positions = WATER + 0.05 * rng.normal(size=(40, 3, 3))
    if first is not None:
        positions[4] = first
    labels = np.arange(0, 40, 2)
    return SystemData(
        Frames(numbers, positions, molecule=[0, 0, 0]),
        labels,
        rng.normal(size=(len(labels), 3, 3, 3)),
        times=2.0 * np.arange(40),
        provenance={"labels": {"functional": functional}},
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data sets ``one`` (h2o, h2s) and ``two``; two/copy has frame 0 of one/h2o turned as label 2.

    two/copy is of another functional than the others.
    """
    root = tmp_path_factory.mktemp("project")
    h2o = system(0, [8, 1, 1], "RPBE")
    turned = h2o.frames.positions[0][[0, 2, 1]] @ -np.eye(3)[[1, 2, 0]] + 4.0
    contents = {
        "one": {"h2o": h2o, "h2s": system(1, [16, 1, 1], "RPBE")},
        "two": {
            "copy": system(2, [8, 1, 1], "B3LYP", turned),
            "h2o": system(3, [8, 1, 1], "RPBE"),
        },
    }
    for name, systems in contents.items():
        attrs = {"name": name, "version": "0.1.0", "title": name, "license": "CC0-1.0"}
        write_dataset(root / "datasets" / name / f"{name}.zarr", systems, attrs)
    return root


@pytest.fixture
def datasets(project: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Dataset]:
    from aptbench.data import open_dataset

    monkeypatch.setenv(ROOT, str(project))
    return {name: open_dataset(name) for name in ("one", "two")}


def part(dataset: Dataset, **labels: object) -> dict[str, object]:
    return {"dataset": dataset.name, "content_hash": dataset.content_hash, "labels": labels}


def make(datasets: dict[str, Dataset], **changes: object) -> TransferSplit:
    fields = {
        "name": "t",
        "dataset": "two",
        "axis": "chemistry",
        "train": [part(datasets["one"], h2o="0:10:1", h2s=[1, 3])],
        "validation": [part(datasets["one"], h2o=[15])],
        "test": [part(datasets["two"], h2o="0:20:2")],
        "rule": "by hand",
    }
    return TransferSplit.model_validate(fields | changes)


@given(st.lists(st.integers(0, 10**6), unique=True, max_size=8), st.integers(1, 50))
def test_labels_survive_their_short_form(some: list[int], step: int) -> None:
    for labels in (some, sorted(some), list(range(3, 3 + 7 * step, step))):
        assert list(unpack_labels(pack_labels(labels))) == labels


def test_a_sound_split_passes_and_survives_the_file(datasets, tmp_path: Path) -> None:
    split = make(datasets)
    check_transfer(split, datasets)
    path = write_split(split, tmp_path / "transfers" / "t.json")
    assert json.loads(path.read_text())["test"][0]["labels"] == {"h2o": "0:19:2"}
    assert read_transfer(path) == split
    assert read_transfer(path).hash == split.hash
    assert make(datasets, rule="other words", name="u", version=2).hash == split.hash
    for changes in (
        {"axis": "size"},
        {"test": [part(datasets["two"], h2o=[0])]},
        {"validation": []},
        {"same_theory": False},
    ):
        assert make(datasets, **changes).hash != split.hash
    with pytest.raises(InputError, match="--force"):
        write_split(make(datasets, validation=[]), path)


def test_unsound_splits_are_refused(datasets) -> None:
    one, two = datasets["one"], datasets["two"]
    other = part(two, h2o=[0]) | {"content_hash": "sha256:0"}
    for changes, message in (
        ({"test": [other]}, "other data"),
        ({"test": [part(two, h2x=[0])]}, "system that does not exist"),
        ({"test": [part(two, h2o=[20])]}, "label 20 of two/h2o"),
        ({"validation": [part(one, h2o=[9])]}, "label 9 of one/h2o in train and in validation"),
        ({"test": [part(one, h2o=[19])]}, "another data set than its own"),
        ({"test": [part(one, h2o=[19])], "dataset": "one"}, "system that it trains on"),
        ({"test": [part(two, copy=[0])]}, "mixes levels of theory"),
        (
            {"test": [part(two, copy=[0, 2])], "same_theory": False},
            "1 of them; the 1th test label of two/copy is the 0th of one/h2o",
        ),
    ):
        with pytest.raises(AlignmentError, match=message):
            check_transfer(make(datasets, **changes), datasets)
    check_transfer(make(datasets, test=[part(two, copy=[0, 1])], same_theory=False), datasets)
    with pytest.raises(AlignmentError, match="no data set two"):
        check_transfer(make(datasets), {"one": one})


def test_damaged_files_are_named(datasets, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    good = make(datasets).model_dump(mode="json")
    for change, message in (
        ({"axis": "weather"}, "axis"),
        ({"tset": 1}, "tset"),
        ({"test": []}, "test"),
        ({"train": [good["train"][0] | {"labels": {"h2o": "0:1e9:1"}}]}, "start:stop:step"),
        ({"train": [good["train"][0] | {"labels": {"h2o": "0:1000000000:1"}}]}, "start:stop"),
        ({"train": [good["train"][0] | {"labels": {"h2o": [-1]}}]}, "greater than"),
        ({"name": "../t"}, "name"),
    ):
        path.write_text(json.dumps(good | change))
        with pytest.raises(InputError, match=rf"bad\.json(.|\n)*{message}"):
            read_transfer(path)
    with pytest.raises(InputError, match="no such transfer"):
        read_transfer(tmp_path / "absent.json")


def test_parts_from_words(datasets, project: Path) -> None:
    found = training_labels("one", stride=2, validation=0.3, gap_fs=17.0, leave_out=["h2s"])
    # every 4 fs a label, of ten the last three for validation; two are nearer than 17 fs
    assert found.train[0].labels == {"h2o": (0, 2, 4, 6, 8)}
    assert found.validation[0].labels == {"h2o": (14, 16, 18)}
    assert found.source is None
    assert labels_to_test("two:h2o", stride=7)[0].labels == {"h2o": (0, 7, 14)}
    assert set(labels_to_test("one", only=["h2s"])[0].labels) == {"h2s"}
    split = Split(
        name="iid",
        dataset="one",
        content_hash=datasets["one"].content_hash,
        system="h2o",
        train=(0, 1),
        test=(9,),
        gap_fs=1.0,
        rule="by hand",
    )
    path = write_split(split, project / "datasets" / "one" / "splits" / "iid.json")
    try:
        found = training_labels("one/iid")
        assert found.train[0].labels == {"h2o": (0, 1)}
        assert found.validation == ()
        assert found.source is not None
        assert (found.source.task, found.source.hash) == ("one/iid@1", split.hash)
        with pytest.raises(InputError, match="not out of a split"):
            training_labels("one/iid", leave_out=["h2o"])
    finally:
        path.unlink()
    with pytest.raises(UnknownNameError, match="did you mean 'h2o'"):
        training_labels("one:h2oo")
    with pytest.raises(InputError, match="No system of one is left"):
        training_labels("one:h2s", leave_out=["h2s"])


def test_a_split_that_adapts(datasets, project: Path) -> None:
    one, two = datasets["one"], datasets["two"]
    split = Split(
        name="few",
        dataset="two",
        content_hash=two.content_hash,
        system="h2o",
        train=(0, 1),
        validation=(4,),
        test=(9, 11),
        gap_fs=1.0,
        rule="by hand",
    )
    path = write_split(split, project / "datasets" / "two" / "splits" / "few.json")
    try:
        parts, adapted = parts_of_split("two/few")
        fields = {
            "train": [part(one, h2o="0:10:1"), *parts["train"]],
            "validation": parts["validation"],
            "test": parts["test"],
        }
        made = make(datasets, **fields, adapted=adapted)
        check_transfer(made, datasets)
        audit = audit_transfer(made, datasets)
        assert audit.faults == ()
        assert audit.labels == {"train": 12, "validation": 1, "test": 2}
        for changes, message in (
            ({"adapted": None}, "system that it trains on"),
            ({"test": [part(two, h2o=[9])]}, "does not have the test labels"),
            ({"train": [part(one, h2o=[0]), part(two, h2o=[0, 1, 2])]}, "the train labels"),
            ({"train": [part(one, h2o=[0])]}, "does not have the train labels"),
            ({"adapted": adapted.model_copy(update={"hash": "0" * 64})}, "another split than"),
        ):
            with pytest.raises(AlignmentError, match=message):
                check_transfer(make(datasets, **fields | {"adapted": adapted} | changes), datasets)
    finally:
        path.unlink()


def test_the_audit_measures_how_far_the_test_is(datasets) -> None:
    one, two = datasets["one"], datasets["two"]
    near = audit_transfer(make(datasets), datasets)
    assert near.faults == ()
    assert near.labels == {"train": 12, "validation": 1, "test": 10}
    far = audit_transfer(make(datasets, train=[part(one, h2s="0:20:1")], validation=[]), datasets)
    assert far.elements_not_trained == ("O",)
    (hydrogen,) = far.environments
    assert hydrogen.test_to_train > 1  # no sulphur in the test, no oxygen in training
    assert next(e for e in near.environments if e.element == "H").test_to_train < 0.2
    mixed = audit_transfer(make(datasets, test=[part(two, copy=[0])]), datasets)
    assert "mixes levels" in mixed.breaches[0]
    with pytest.raises(AlignmentError, match="cannot be audited"):
        audit_transfer(make(datasets), {"one": one})


def test_training_that_is_the_test_of_another_data_set(datasets) -> None:
    trains = Exam.of(make(datasets))
    tests = Exam.of(
        make(
            datasets,
            name="u",
            train=[part(datasets["two"], h2o=[0])],
            validation=[],
            test=[part(datasets["two"], copy=[0, 2])],
        )
    )
    audit = audit_duplicates(datasets, [trains, tests])
    assert [(r.first, r.second, r.frames) for r in audit.repeated] == [("one/h2o", "two/copy", 1)]
    assert audit.repeated[0].examples == ((0, 4),)
    # small molecules have near copies by chance, so only the planted one counts
    (met,) = (one for one in audit.training_in_test if one.same)
    assert met.nearly_same >= 1
    assert (met.train, met.test, met.same) == ("two/t@1", "two/u@1", 1)
    assert audit.breaches == ("1 test labels of two/u@1 are training labels of two/t@1",)
