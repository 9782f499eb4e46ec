"""Options of `aptbench run`: what is kept, what is taken from the archive, and who is left out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aptbench import Frames
from aptbench.data import SystemData, write_dataset
from aptbench.tasks import write_split
from aptbench.tasks.transfer import LabelSet, TransferSplit, transfer_path
from tests.conftest import Call

TASK = "synthetic-water/iid"
MODEL = """
import numpy as np
from aptbench.errors import InputError

class Charges:
    n_parameters = 0

    def __init__(self, known=(1, 8)):
        self.known = list(known)

    def predict(self, frames):
        if not np.isin(frames.atomic_numbers, self.known).all():
            raise InputError("There is an element without a charge.")
        charge = np.where(frames.atomic_numbers == 1, 0.4, -0.8)
        return np.tile(charge[:, None, None] * np.eye(3), (len(frames), 1, 1, 1))
"""


def write_model(path: Path, **parameters: Any) -> Path:
    path.mkdir(parents=True)
    (path / "model.py").write_text(MODEL)
    spec = {"name": path.name, "title": "Mine", "class": "model:Charges", "parameters": parameters}
    (path / "model.yaml").write_text(json.dumps(spec))
    return path


@pytest.fixture
def root(synthetic_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "project"
    shutil.copytree(synthetic_project / "datasets", copy / "datasets")
    write_model(copy / "baselines" / "charges")
    monkeypatch.setenv("APTBENCH_ROOT", str(copy))
    # figures take longer than all the rest
    monkeypatch.setattr("aptbench.evaluate.write_report", lambda *_, **__: copy / "report.html")
    return copy


def row(said: tuple[int, str, str]) -> dict[str, Any]:
    code, out, err = said
    assert code == 0, err
    (found,) = json.loads(out)
    return found


def test_tensors_are_kept_only_if_that_is_wanted(root: Path, aptbench: Call) -> None:
    words = ("run", TASK, "--model", "charges", "--no-cost", "--json")
    kept = root / "reports" / ".cache"
    first = row(aptbench(*words, "--no-cache"))
    assert not kept.exists()
    second = row(aptbench(*words))
    files = [path for path in kept.rglob("*") if path.is_file()]
    assert files
    for one in files:
        one.write_bytes(b"damaged")
    third = row(aptbench(*words, "--no-cache"))
    assert all(one.read_bytes() == b"damaged" for one in files)
    assert (
        first["spectrum"]["metrics"]
        == second["spectrum"]["metrics"]
        == third["spectrum"]["metrics"]
    )


def test_an_archived_current_is_made_again_only_if_that_is_wanted(
    root: Path, aptbench: Call
) -> None:
    archive = root / "leaderboard" / "results"
    words = ("run", TASK, "--model", "charges", "--no-cost", "--no-cache", "--json")
    assert row(aptbench(*words, "--archive", archive))["timing"]["seconds_per_frame"] < 1.0
    path = archive / TASK / "charges.json"
    slow = json.loads(path.read_text())
    slow["timing"]["seconds_per_frame"] = 9.0
    path.write_text(json.dumps(slow))
    taken = row(aptbench(*words))
    assert taken["timing"]["seconds_per_frame"] == 9.0
    fresh = row(aptbench(*words, "--fresh"))
    assert fresh["timing"]["seconds_per_frame"] < 1.0
    assert fresh["timing"]["frames"] > 1000
    assert fresh["spectrum"]["metrics"] == taken["spectrum"]["metrics"]


def test_patience_ends_before_a_trajectory_that_takes_too_long(root: Path, aptbench: Call) -> None:
    words = ("run", TASK, "--model", "charges", "--no-cost", "--no-cache", "--json")
    code, out, err = aptbench(*words, "--patience", 0)
    assert row((code, out, err))["spectrum"] is None
    assert "No spectrum of charges: more than --patience 0 s." in err
    code, out, err = aptbench(*words, "--patience", 600)
    assert row((code, out, err))["spectrum"] is not None
    assert "--patience" not in err


def test_models_that_cannot_predict_a_transfer_are_left_out(root: Path, aptbench: Call) -> None:
    systems = {}
    for name, heavy in (("h2o", 8), ("h2s", 16)):
        rng = np.random.default_rng(heavy)
        positions = [[0, 0, 0], [1, 0, 0], [0, 1, 0]] + 0.1 * rng.normal(size=(4, 3, 3))
        frames = Frames([heavy, 1, 1], positions, molecule=[0, 0, 0])
        systems[name] = SystemData(frames, np.arange(4), rng.normal(size=(4, 3, 3, 3)))
    attrs = {"name": "few", "version": "0.1.0", "title": "few", "license": "CC0-1.0"}
    content = write_dataset(root / "datasets" / "few" / "few.zarr", systems, attrs).content_hash

    def part(**labels: list[int]) -> tuple[LabelSet, ...]:
        return (LabelSet(dataset="few", content_hash=content, labels=labels),)

    split = TransferSplit(
        name="sulfur",
        dataset="few",
        axis="molecules-left-out",
        train=part(h2o=[0, 1, 2, 3]),
        test=part(h2s=[0, 1, 2, 3]),
        rule="by hand",
    )
    write_split(split, transfer_path("few", "sulfur"))
    write_model(root / "baselines" / "able", known=[1, 16])
    words = ("run", "few/sulfur", "--no-cost", "--json")
    code, out, err = aptbench(*words)
    assert row((code, out, err))["model"]["name"] == "able"
    assert "Left out: charges. There is an element without a charge." in err
    assert "Left out: able" not in err
    # who names a model is not answered with other models
    code, _, err = aptbench(*words, "--model", "charges")
    assert code == 2
    assert "There is an element without a charge." in err
    assert "Left out" not in err
    shutil.rmtree(root / "baselines" / "able")
    code, _, err = aptbench(*words)
    assert code == 2
    assert "No model can predict the systems of few/sulfur@1" in err
