"""Options of `aptbench learn` and `conform` that change numbers or what is kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Call

TASK = "synthetic-water/iid"
MODELS = """
import numpy as np
from aptbench.models.constant import ConstantCharge

class Many(ConstantCharge):
    committee = 3

    @property
    def n_parameters(self):
        return 2 * self.committee

class Bent:
    n_parameters = 0

    def predict(self, frames):
        charge = np.where(frames.atomic_numbers == 8, -0.8, 0.4)
        bent = np.eye(3) + 1e-3 * np.eye(3, k=1)
        return np.tile(charge[:, None, None] * bent, (len(frames), 1, 1, 1))
"""


def write_model(path: Path, kind: str) -> Path:
    path.mkdir()
    (path / "model.py").write_text(MODELS)
    spec = {"name": path.name, "title": kind, "class": f"model:{kind}"}
    (path / "model.yaml").write_text(json.dumps(spec))
    return path


@pytest.fixture
def root(synthetic_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "project"
    shutil.copytree(synthetic_project / "datasets", copy / "datasets")
    monkeypatch.setenv("APTBENCH_ROOT", str(copy))
    monkeypatch.setattr(
        "aptbench.evaluate.learning_files.write_learning_files", lambda *_, **__: None
    )
    return copy


def test_committee_noise_and_what_is_kept(root: Path, tmp_path: Path, aptbench: Call) -> None:
    model = write_model(tmp_path / "many", "Many")
    kept = root / "reports" / ".learning"

    def learn(*options: object) -> dict[str, Any]:
        words = ("learn", TASK, "--model", model, "--labels", 2, "--json")
        code, out, err = aptbench(*words, *options)
        assert code == 0, err
        return json.loads(out)

    small = learn("--committee", 2, "--noise", 0.05, "--no-cache")
    assert not kept.exists()
    assert (small["committee"], small["label_noise"]) == (2, 0.05)
    assert [point["n_parameters"] for point in small["points"]] == [4]
    whole = learn()
    assert len(list(kept.glob("many-*/run.npz"))) == 1
    assert (whole["committee"], whole["label_noise"]) == (None, None)
    assert [point["n_parameters"] for point in whole["points"]] == [6]
    # more than there are: its own number
    assert learn("--committee", 9, "--no-cache")["points"][0]["n_parameters"] == 6


def test_the_tolerance_decides_what_conforms(tmp_path: Path, aptbench: Call) -> None:
    model = write_model(tmp_path / "bent", "Bent")
    code, out, _ = aptbench("conform", model)
    assert code == 1
    assert "FAIL   proper_rotation" in out
    code, out, _ = aptbench("conform", model, "--tolerance", 1e-2)
    assert code == 0, out
    assert "pass   proper_rotation" in out
    assert aptbench("conform", model, "--tolerance", 1e-5)[0] == 1
