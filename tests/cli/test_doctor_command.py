"""`aptbench doctor`: what has to be repaired has exit code 1, what is worth a look has not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aptbench.data import SystemData, write_dataset
from aptbench.oracle import PolarizableWater
from aptbench.tasks import Split, load_task, write_split
from aptbench.tasks.task import split_path
from aptbench.testing import sample_frames
from tests.conftest import Call

TASK = "synthetic-water/iid"
MODEL = """
import numpy as np
from aptbench.oracle import PolarizableWater

class Charges:
    n_parameters = 2

    def __init__(self, offset=0.0, **provenance):
        self.offset, self.provenance_ = offset, provenance

    def predict(self, frames):
        charge = np.where(frames.atomic_numbers == 8, -0.9, 0.45) + self.offset
        return np.tile(charge[:, None, None] * np.eye(3), (len(frames), 1, 1, 1))

class Transposed:
    n_parameters = 0

    def predict(self, frames):
        return PolarizableWater().predict(frames).swapaxes(2, 3)
"""


@pytest.fixture
def root(synthetic_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))
    return synthetic_project


def folder(path: Path, kind: str = "Charges", **parameters: Any) -> Path:
    path.mkdir()
    (path / "model.py").write_text(MODEL)
    spec = {"name": "mine", "title": "Mine", "class": f"model:{kind}", "parameters": parameters}
    (path / "model.yaml").write_text(json.dumps(spec))
    return path


def findings(said: str) -> dict[str, dict[str, str]]:
    return {one["what"]: one for one in json.loads(said)["findings"]}


def test_a_leak_has_to_be_repaired(root: Path, tmp_path: Path, aptbench: Call) -> None:
    task = load_task(TASK)
    known = {"train": list(task.train), "content_hash": task.content_hash}
    known |= {"dataset": {"name": task.dataset}, "system": task.system}
    fine = folder(tmp_path / "fine", **known)
    code, out, _ = aptbench("doctor", TASK, "--model", fine, "--json")
    assert (code, findings(out)["training"]["severity"]) == (0, "ok")
    leak = folder(tmp_path / "leak", **known | {"train": [task.train[0], task.test[0]]})
    code, out, _ = aptbench("doctor", TASK, "--model", leak, "--json")
    assert (code, findings(out)["training"]["severity"]) == (1, "error")
    assert "trained on test labels" in findings(out)["training"]["words"]
    code, out, _ = aptbench("doctor", TASK, "--model", leak)
    assert (code, "trained on test labels" in " ".join(out.split())) == (1, True)


def test_a_sum_that_errors_do_not_explain_is_worth_a_look(
    root: Path, tmp_path: Path, aptbench: Call
) -> None:
    for offset, severity in ((0.02, "ok"), (0.2, "advice")):
        model = folder(tmp_path / severity, offset=offset)
        code, out, _ = aptbench("doctor", TASK, "--model", model, "--json")
        found = findings(out)["acoustic sum rule"]
        assert (code, found["severity"]) == (0, severity)
        assert ("is a charge missing?" in found["do"]) == (severity == "advice")
    # 24 atoms with 0.2 e too much, on three of nine components
    assert found["words"].startswith(f"The tensors of a frame add up to {4.8 / 3**0.5:.2g} e")


def test_tensors_that_are_transposed_by_their_own_sum_rule_are_worth_a_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aptbench: Call
) -> None:
    """The labels are transposed too, so that no error against them tells it."""
    monkeypatch.setenv("APTBENCH_ROOT", str(tmp_path))
    one = sample_frames("molecule")[:1]
    turns = [np.linalg.qr(np.random.default_rng(k).normal(size=(3, 3)))[0] for k in range(6)]
    frames = one.replace(
        positions=np.concatenate([one.positions @ turn for turn in turns]), velocities=None
    )
    apt = PolarizableWater().predict(frames).swapaxes(2, 3)
    system = SystemData(frames, np.arange(6), apt, times=1000.0 * np.arange(6))
    attrs = {"name": "few", "version": "0.1.0", "title": "few", "license": "CC0-1.0"}
    data = write_dataset(tmp_path / "datasets" / "few" / "few.zarr", {"one": system}, attrs)
    parts = {"train": (0, 1), "validation": (2, 3), "test": (4, 5)}
    made = {"dataset": "few", "content_hash": data.content_hash, "system": "one", "rule": "by hand"}
    write_split(Split(name="iid", gap_fs=100.0, **made, **parts), split_path("few", "iid"))
    model = folder(tmp_path / "transposed", "Transposed")
    code, out, _ = aptbench("doctor", "few/iid", "--model", model, "--json")
    found = findings(out)
    assert (code, found["convention"]["severity"]) == (0, "ok")
    assert found["index order"]["severity"] == "advice"
    assert "looks transposed" in found["index order"]["words"]
