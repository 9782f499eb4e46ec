"""Groups of models by their spectra, on the archived currents of this repository."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from aptbench.data import open_dataset
from aptbench.evaluate.comparison import comparison_of, comparison_path, write_comparison
from aptbench.evaluate.current_record import CurrentRecord, current_path
from aptbench.evaluate.result import read_result
from aptbench.evaluate.spectral_comparison import compare_spectra
from aptbench.evaluate.task_spectrum import task_spectrum
from aptbench.tasks import load_task

PROJECT = Path(__file__).parents[2]
RESULTS = PROJECT / "leaderboard" / "results"


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))


def compared(name: str, results: Path = RESULTS):
    task = load_task(name)
    return compare_spectra(task, open_dataset(task.dataset), results)


def test_dense_labels_compare_spectra_and_agree_with_the_rows() -> None:
    found = compared("molecules/water-8")
    assert (found.metric, found.of, found.test_frames) == ("relative_l1", "spectrum", 6001)
    for place in found.places:
        path = RESULTS / "molecules" / "water-8" / f"{place.model}.json"
        kept = read_result(path).spectrum.metrics["relative_l1[all]"]
        assert (place.value, place.low, place.high) == pytest.approx(
            (kept.value, kept.low, kept.high), rel=1e-6
        )
    values = [place.value for place in found.places]
    assert values == sorted(values)


def test_sparse_labels_compare_the_currents_of_all_models_at_the_labels() -> None:
    found = compared("water/iid")
    predicted = {path.stem for path in (RESULTS / "water" / "iid").glob("*.npz")}
    assert {place.model for place in found.places} == predicted
    assert found.metric == "current_error"
    assert found.places[0].model == "e3nn-reference"
    assert [place.group for place in found.places] == sorted(p.group for p in found.places)


def test_the_same_model_twice_is_one_group(tmp_path: Path) -> None:
    kept = RESULTS / "molecules" / "water-8" / "constant-charge.json"
    folder = tmp_path / "molecules" / "water-8"
    (folder / "currents").mkdir(parents=True)
    task = load_task("molecules/water-8")
    reference = task_spectrum(task, open_dataset(task.dataset)).reference.values
    rng = np.random.default_rng(3)
    noise = rng.normal(scale=0.02 * np.std(reference), size=(2, *reference.shape))
    record = CurrentRecord.read(current_path(kept))
    for name, current in (
        ("one", reference + noise[0]),
        ("other", reference + noise[1]),
        ("far", record.current),
    ):
        text = json.loads(kept.read_text())
        text["model"]["name"] = name
        (folder / f"{name}.json").write_text(json.dumps(text))
        CurrentRecord(current, record.frame, record.apt).write(folder / "currents" / f"{name}.npz")
    found = compared("molecules/water-8", tmp_path)
    groups = {place.model: place.group for place in found.places}
    assert groups == {"one": 1, "other": 1, "far": 2}
    assert found.places[1].to_leader.p > 0.05
    assert found.places[2].to_best.p < 1e-3


def test_without_currents_there_is_nothing_to_compare(tmp_path: Path) -> None:
    assert compared("water/iid", tmp_path) is None
    folder = tmp_path / "water" / "iid"
    folder.mkdir(parents=True)
    shutil.copy(RESULTS / "water" / "iid" / "wannier-mean.json", folder)
    assert compared("water/iid", tmp_path) is None


def test_tensors_and_spectrum_are_kept_side_by_side(tmp_path: Path) -> None:
    found = compared("molecules/water-8")
    path = write_comparison(found, tmp_path)
    assert path == comparison_path(tmp_path, "molecules/water-8", "spectrum")
    assert comparison_of(tmp_path, found.task, "spectrum") == found
    assert comparison_of(tmp_path, found.task) is None
    assert comparison_of(tmp_path, "molecules/water-8@99", "spectrum") is None
    assert comparison_of(None, found.task) is None
