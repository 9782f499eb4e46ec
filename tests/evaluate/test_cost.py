"""What a model costs: a protocol that is kept, a process of its own, a price of labels."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from aptbench import Frames
from aptbench.data import open_dataset
from aptbench.errors import InputError
from aptbench.evaluate.cost import (
    BATCH,
    inference_cost,
    label_core_hours,
    main,
    measure_inference,
    measurement_identity,
    model_cost,
)
from aptbench.models.adapters.worker import write_frames

PROJECT = Path(__file__).parents[2]
MODEL = """
import numpy as np

class Model:
    device = "cpu"

    def __init__(self, megabytes=0, fail=False):
        self.megabytes, self.fail = megabytes, fail

    def predict(self, frames):
        print("models may print")
        if self.fail:
            raise MemoryError("too small a machine")
        work = np.ones(self.megabytes * 125_000)
        return np.zeros((len(frames), frames.n_atoms, 3, 3)) + 0 * work.sum()
"""


@pytest.fixture
def frames() -> Frames:
    positions = np.random.default_rng(1).normal(size=(BATCH + 3, 4, 3))
    return Frames([8, 1, 1, 11], positions, [9.0] * 3, molecule=[0, 0, 0, 1], total_charge=1.0)


def folder(path: Path, **parameters: object) -> Path:
    path.mkdir()
    (path / "model.py").write_text(MODEL)
    spec = {"name": "m", "title": "M", "class": "model:Model", "parameters": parameters}
    (path / "model.yaml").write_text(json.dumps(spec))
    return path


class Slow:
    """Takes 4 ms a frame, and writes down what it was given."""

    name = "slow"

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def predict(self, frames: Frames) -> npt.NDArray:
        self.sizes.append(len(frames))
        time.sleep(0.004 * len(frames))
        return np.zeros((len(frames), frames.n_atoms, 3, 3))


def test_one_frame_warms_up_and_batches_are_timed(frames: Frames) -> None:
    model = Slow()
    found = inference_cost(model, frames)
    assert model.sizes == [1] + [BATCH] * found.repeats
    assert 3 <= found.repeats <= 20
    assert (found.frames, found.atoms) == (BATCH, 4)
    # sleep never wakes early: the speed of 4 atoms in 4 ms is an upper bound
    assert 0 < found.atoms_per_second <= 1000


def test_no_frame_and_no_tensor_are_errors(frames: Frames) -> None:
    with pytest.raises(InputError, match="no frame"):
        inference_cost(Slow(), frames[:0])
    wrong = SimpleNamespace(name="wrong", predict=lambda f: np.zeros((len(f), 1, 3, 3)))
    with pytest.raises(InputError, match="wrong shape"):
        inference_cost(wrong, frames)


def test_a_process_of_its_own_sees_the_memory_of_one_model(frames: Frames, tmp_path: Path) -> None:
    ballast = np.ones(30_000_000)  # 240 MB that are not the model's
    found = measure_inference(folder(tmp_path / "m", megabytes=60), frames)
    assert found is not None
    assert found.threads >= 1
    assert found.processor
    if found.memory_mb is not None:  # only Linux tells
        assert 55 < found.memory_mb < 75
    assert ballast.sum() > 0


def test_a_failure_is_a_warning_and_no_measurement(frames: Frames, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="too small a machine"):
        assert measure_inference(folder(tmp_path / "m", fail=True), frames) is None
    with pytest.warns(UserWarning, match="no model folder"):
        assert measure_inference(tmp_path / "absent", frames) is None


def test_a_measurement_is_kept_and_a_damaged_one_made_again(frames: Frames, tmp_path: Path) -> None:
    kept = tmp_path / "cache" / "inference.json"
    name = folder(tmp_path / "m")
    first = measure_inference(name, frames, kept=kept)
    (name / "model.py").unlink()  # it cannot be measured now
    assert first is not None
    assert measure_inference(name, frames, kept=kept) == first
    kept.write_text("{")
    with pytest.warns(UserWarning, match="was not measured"):
        assert measure_inference(name, frames, kept=kept) is None


def test_the_identity_follows_frames_and_threads(
    frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = measurement_identity(frames)
    assert measurement_identity(frames) == one
    assert measurement_identity(frames[:2]) != one
    assert measurement_identity(frames.replace(cell=None)) != one
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert measurement_identity(frames) != one


def test_the_program_answers_in_json(
    frames: Frames, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_frames(frames[:2], tmp_path / "f.npz")
    assert main([str(folder(tmp_path / "m")), str(tmp_path / "f.npz")]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (answer["frames"], answer["atoms"]) == (2, 4)
    assert main([str(tmp_path / "absent"), str(tmp_path / "f.npz")]) == 2


def test_the_weights_tell_size_and_training() -> None:
    said = {"seconds": 12.5, "device": "cuda", "threads": 2, "train": [3, 4], "validation": [5]}
    model = SimpleNamespace(n_parameters=7, provenance_=said)
    cost = model_cost(model)
    assert (cost.parameters, cost.training_labels, cost.validation_labels) == (7, 2, 1)
    assert (cost.training_seconds, cost.training_device, cost.training_threads) == (12.5, "cuda", 2)
    assert cost.label_core_hours is None
    assert model_cost(SimpleNamespace(n_parameters=0)).training_labels == 0
    silent = model_cost(SimpleNamespace())
    assert (silent.parameters, silent.training_labels) == (None, None)


def write_record(path: Path, **said: object) -> None:
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs["provenance"] = json.dumps(said)


def test_labels_have_the_price_of_their_records(tmp_path: Path) -> None:
    records = tmp_path / "records"
    write_record(records / "frame-000010.h5", wall_seconds=1800.0, ranks=2)
    write_record(records / "frame-000150.h5", wall_seconds=900.0, ranks=4)
    write_record(records / "frame-000290.h5", ranks=4)
    assert label_core_hours(records, [10, 150]) == pytest.approx(2.0)
    assert label_core_hours(records, []) is None
    assert label_core_hours(records, [10, 290]) is None
    assert label_core_hours(records, [10, 11]) is None
    data = SimpleNamespace(
        name="synthetic",
        systems=("bulk",),
        content_hash="sha256:1",
        path=tmp_path / "synthetic.zarr",
        label_frames=lambda system: np.array([10, 150, 290]),
    )
    by_label = {"content_hash": "sha256:1", "train": [0], "validation": [1]}
    by_frame = {"content_hash": "sha256:0", "train": [4], "train_frames": [150]}
    for said, hours in ((by_label, 2.0), ({**by_frame, "dataset": {"name": "synthetic"}}, 1.0)):
        model = SimpleNamespace(provenance_=said)
        assert model_cost(model, data).label_core_hours == pytest.approx(hours)  # type: ignore[arg-type]
    other = SimpleNamespace(provenance_={**by_frame, "dataset": {"name": "other"}})
    assert model_cost(other, data).label_core_hours is None  # type: ignore[arg-type]
    known = {"dataset": "synthetic", "content_hash": "sha256:1", "labels": {"bulk": [0, 1]}}
    several = {"train_sets": [known], "validation_sets": [{**known, "labels": {"bulk": [1]}}]}
    cost = model_cost(SimpleNamespace(provenance_=several), data)  # type: ignore[arg-type]
    assert (cost.training_labels, cost.validation_labels) == (2, 1)
    assert cost.label_core_hours == pytest.approx(3.0)
    several["validation_sets"][0]["content_hash"] = "sha256:0"
    cost = model_cost(SimpleNamespace(provenance_=several), data)  # type: ignore[arg-type]
    assert cost.label_core_hours is None


def test_labels_of_other_data_have_their_price_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    water = open_dataset("water")
    said = {"dataset": {"name": "water"}, "content_hash": water.content_hash, "train": [0, 1]}
    cost = model_cost(SimpleNamespace(provenance_=said), open_dataset("water-370k"))
    assert cost.label_core_hours is not None
    assert 0.1 < cost.label_core_hours < 2


def test_the_python_of_the_page_runs(
    synthetic_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))
    page = Path(__file__).parents[2] / "docs" / "cost.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, str(page), "exec"), {})
