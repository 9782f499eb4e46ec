"""Labels that must not correct a spectrum: those of tasks, and those that models name."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aptbench.data import Dataset, open_dataset
from aptbench.evaluate.fitted_labels import FittedLabels
from aptbench.tasks.transfer import LabelSet, TransferSplit, transfer_path

NAME, SYSTEM = "synthetic-water", "bulk"


@pytest.fixture
def dataset(synthetic_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    root = tmp_path / "project"
    shutil.copytree(synthetic_project, root)
    monkeypatch.setenv("APTBENCH_ROOT", str(root))
    return open_dataset(NAME)


def said(**provenance: Any) -> SimpleNamespace:
    return SimpleNamespace(name="m", n_parameters=3, provenance_=provenance)


def test_training_and_validation_of_splits_and_transfers(dataset: Dataset) -> None:
    from aptbench.tasks import load_task

    split = load_task(f"{NAME}/iid")
    within = {*split.train, *split.validation}
    assert FittedLabels.of_tasks(dataset, SYSTEM).labels == within
    assert FittedLabels.of_tasks(dataset, "vapour").labels == frozenset()
    extra = split.test[0]

    def part(dataset_name: str, content_hash: str, *labels: int) -> LabelSet:
        return LabelSet(dataset=dataset_name, content_hash=content_hash, labels={SYSTEM: labels})

    for k, content_hash in enumerate((dataset.content_hash, f"sha256:{64 * '1'}")):
        transfer = TransferSplit(
            name=f"with-{k}",
            dataset="ice",
            axis="phase",
            train=(part(NAME, content_hash, split.test[k]), part("ice", f"sha256:{64 * '2'}", 0)),
            test=(part("ice", f"sha256:{64 * '2'}", 1),),
            rule="by hand",
        )
        path = transfer_path("ice", transfer.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(transfer.model_dump_json())
    # that of other data means other labels
    assert FittedLabels.of_tasks(dataset, SYSTEM).labels == {*within, extra}


def test_what_models_name(dataset: Dataset) -> None:
    at = dataset.label_frames(SYSTEM)
    own = {"dataset": {"name": NAME}, "system": SYSTEM, "content_hash": dataset.content_hash}
    older = own | {"content_hash": "sha256:older"}
    sets = [
        {"dataset": NAME, "content_hash": dataset.content_hash, "labels": {SYSTEM: [7], "b": [1]}},
        {"dataset": NAME, "content_hash": f"sha256:{64 * '3'}", "labels": {SYSTEM: [0, 1]}},
    ]
    models = [
        said(**own, train=[3, 5], validation=[6]),
        said(**older, train=[9], validation=[9], train_frames=[int(at[11]), 1]),
        said(train_sets=sets, train_set_frames={NAME: {SYSTEM: [int(at[12])]}}),
        said(dataset={"name": "ice"}, system="bulk", content_hash="sha256:2", train=[4]),
        SimpleNamespace(name="charges", n_parameters=0),
    ]
    found = FittedLabels.of_models(models, dataset, SYSTEM)
    assert found.labels == found.own == {3, 5, 6, 7, 11, 12}
    assert found.notes == ()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (SimpleNamespace(name="m", n_parameters=4), "does not say on which labels"),
        (SimpleNamespace(name="m"), "does not say on which labels"),
        (said(train="all of it"), "does not say on which labels"),
        (said(dataset={"name": NAME}, content_hash="sha256:older", train=[1]), "another version"),
        (
            said(
                train_sets=[
                    {"dataset": NAME, "content_hash": f"sha256:{64 * '3'}", "labels": {SYSTEM: [0]}}
                ]
            ),
            "another version",
        ),
    ],
)
def test_what_is_not_known_is_said(dataset: Dataset, model: Any, words: str) -> None:
    found = FittedLabels.of_models([model], dataset, SYSTEM)
    assert found.labels == frozenset()
    (note,) = found.notes
    assert words in note
    assert note.startswith("m ")


def test_labels_of_several_are_joined(dataset: Dataset) -> None:
    own = {"dataset": {"name": NAME}, "system": SYSTEM, "content_hash": dataset.content_hash}
    mine = FittedLabels.of_models([said(**own, train=[20])], dataset, SYSTEM)
    both = mine | FittedLabels.of_tasks(dataset, SYSTEM)
    assert both.own == {20} < both.labels
