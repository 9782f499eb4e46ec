"""`aptbench models`, `train`, `learn`, `conform` and `published-water`, as a person types them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from aptbench import LabelledFrames
from tests.conftest import Call

REPOSITORY = Path(__file__).parents[2]
PUBLISHED = Path(
    os.environ.get(
        "APTBENCH_PUBLISHED_WATER", REPOSITORY.parent / "shared" / "data" / "published-water"
    )
)
SMALL = """
graph: {cutoff: 4.0, message_cutoff: 3.0, radial: 6, message_radial: 3, degree: 2}
network: {channels: 6, message_channels: 3}
training: {steps: STEPS, learning_rate: 0.01, validate_every: 5}
"""

needs_e3nn = pytest.mark.skipif(not find_spec("e3nn"), reason="needs aptbench[models]")


@pytest.fixture
def project(synthetic_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))
    return synthetic_project


@pytest.fixture
def small_network(tmp_path: Path) -> Callable[[int], Path]:
    """Write the folder of an equivariant model of a few thousand parameters."""

    def write(steps: int) -> Path:
        folder = tmp_path / "small"
        folder.mkdir()
        shutil.copy(REPOSITORY / "baselines" / "e3nn-reference" / "model.yaml", folder)
        (folder / "train.yaml").write_text(SMALL.replace("STEPS", str(steps)))
        return folder

    return write


def write_columns(path: Path, labels: LabelledFrames) -> Path:
    """Write nine columns in the order (disp, pol) of the published files."""
    lines = []
    for k in range(len(labels)):
        lines += [str(labels.frames.n_atoms), "comment"]
        for z, x, apt in zip(
            labels.frames.atomic_numbers, labels.frames.positions[k], labels.apt[k], strict=True
        ):
            numbers = " ".join(f"{v:.8f}" for v in [*x, *apt.T.ravel()])
            lines.append(f"{'H' if z == 1 else 'O'} {numbers}")
    path.write_text("\n".join(lines) + "\n")
    return path


def synthetic_labels(project: Path) -> LabelledFrames:
    from aptbench.data import open_dataset

    data = open_dataset(project / "datasets" / "synthetic-water" / "synthetic-water.zarr")
    return data.labelled("bulk", np.arange(4))


def test_models_are_listed(project: Path, aptbench: Call) -> None:
    code, out, _ = aptbench("models", "--json")
    assert code == 0
    assert {"constant-charge", "point-charges"} <= set(json.loads(out))


def test_train_the_constant_charge(project: Path, aptbench: Call, tmp_path: Path) -> None:
    task = "synthetic-water/iid"
    code, out, err = aptbench("train", "constant-charge", "--task", task, "--out", tmp_path)
    assert code == 0, err
    assert "charges.json" in out
    content = json.loads((tmp_path / "charges.json").read_text())
    # the isotropic charge of the formula is 0.45 plus the stretch, which averages out
    assert content["charges"]["H"] == pytest.approx(0.45, abs=0.01)
    assert content["provenance"]["task"] == "synthetic-water/iid@1"
    provenance = content["provenance"]
    assert provenance["content_hash"].startswith("sha256:")
    assert provenance["dataset"] == {"name": "synthetic-water", "version": "0.1.0"}
    assert provenance["n_parameters"] == 2
    assert provenance["seconds"] >= 0
    assert provenance["train_frames"] == [10 + 140 * k for k in provenance["train"]]
    assert {"system", "split_hash", "validation_frames", "threads", "device", "versions"} <= set(
        provenance
    )


def test_train_on_a_budget_of_labels(project: Path, aptbench: Call, tmp_path: Path) -> None:
    from aptbench.tasks import load_task

    words = ("train", "constant-charge", "--task", "synthetic-water/iid", "--out", tmp_path)
    seen = []
    for n in (1, 3):
        code, out, err = aptbench(*words, "--labels", n, "--json")
        assert code == 0, err
        seen.append(set(json.loads(out)["train"]))
    assert [len(labels) for labels in seen] == [1, 3]
    assert seen[0] < seen[1] < set(load_task("synthetic-water/iid").train)
    code, _, err = aptbench(*words, "--labels", 99)
    assert code == 2
    assert "no such budget" in err
    code, _, err = aptbench(*words, "--seed", 1)
    assert code == 2
    assert "has no seed" in err


def test_learn(project: Path, aptbench: Call, tmp_path: Path) -> None:
    models = ("--model", "constant-charge", "--model", "point-charges", "--no-cache")
    words = ("learn", "synthetic-water/iid", *models, "--out", tmp_path / "curve")
    code, out, err = aptbench(*words, "--labels", 1, "--labels", 2)
    assert code == 0, err
    assert "| constant-charge | 1 |" in out
    assert "constant-charge, 2 labels" in err
    assert {p.suffix for p in (tmp_path / "curve").iterdir()} == {".json", ".csv", ".png", ".svg"}
    code, out, err = aptbench(*words, "--json")
    assert code == 0, err
    assert list(json.loads(out)["budgets"]) == ["1", "2", "4", "8"]
    code, _, err = aptbench(*words, "--labels", 99)
    assert code == 2
    assert "no such budget" in err


@needs_e3nn
def test_train_the_equivariant_model(
    project: Path, aptbench: Call, small_network: Callable[[int], Path]
) -> None:
    from aptbench.models import load_model
    from aptbench.tasks import load_task

    folder = small_network(10)
    code, out, err = aptbench(
        "train", folder, "--task", "synthetic-water/iid", "--threads", 1, "--json"
    )
    assert code == 0, err
    summary = json.loads(out)
    task = load_task("synthetic-water/iid")
    assert summary["train"] == list(task.train)
    assert not set(summary["train"] + summary["validation"]) & set(task.test)
    assert summary["validation_error"][0] > 0
    model = load_model(folder)
    assert model.provenance_["content_hash"] == task.content_hash
    assert sorted(p.name for p in folder.iterdir()) == ["model.yaml", "train.yaml", "weights.pt"]


def test_what_cannot_be_trained_says_so(project: Path, aptbench: Call) -> None:
    code, _, err = aptbench("train", "point-charges", "--task", "synthetic-water/iid")
    assert code == 2
    assert "cannot be trained" in err


def test_conform(project: Path, aptbench: Call, tmp_path: Path) -> None:
    from aptbench.data.readers.extended_xyz import write_extended_xyz

    path = tmp_path / "water.xyz"
    write_extended_xyz(path, synthetic_labels(project).frames)
    code, out, err = aptbench("conform", "point-charges", path)
    assert code == 0, err
    assert "pass   improper_rotation" in out
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.yaml").write_text("{name: broken, title: Broken, class: 'code:Model'}")
    (broken / "code.py").write_text(
        "import numpy as np\n\n\nclass Model:\n    def predict(self, frames):\n"
        "        return frames.positions[..., None] * np.eye(3)\n"
    )
    code, out, _ = aptbench("conform", broken, path)
    assert code == 1
    assert "FAIL   translation" in out


def test_published_water_reads_disp_pol(project: Path, aptbench: Call, tmp_path: Path) -> None:
    labels = synthetic_labels(project)
    path = write_columns(tmp_path / "water.xyz", labels)
    words = ("--train", path, "--test", path, "--model", "constant-charge", "--json")
    code, out, err = aptbench("published-water", *words)
    assert code == 0, err
    scores = json.loads(out)["scores"]
    mean = np.zeros_like(labels.apt)
    for z in (1, 8):
        kind = labels.frames.atomic_numbers == z
        mean[:, kind] = np.trace(labels.apt[:, kind], axis1=-2, axis2=-1).mean() / 3 * np.eye(3)
    expected = np.sqrt(np.mean((labels.apt - mean) ** 2))
    assert scores["rmse"]["value"] == pytest.approx(expected, rel=1e-3)
    code, out, _ = aptbench("published-water", *words[:-1], "--holdout", 1)
    assert "last 1 frames" in out
    code, _, err = aptbench("published-water", *words[:-1], "--holdout", 4)
    assert code == 2
    assert "holdout" in err


KEEPER = """
import numpy as np

class Keeper:
    def __init__(self, path):
        self.name, self.path = "keeper", path

    @classmethod
    def untrained(cls, folder, **parameters):
        return cls(**parameters)

    def fit(self, train, validation=None):
        np.save(self.path, train.apt)
        return self

    def save(self, folder, provenance=None):
        return folder

    def predict(self, frames):
        return np.zeros((len(frames), frames.n_atoms, 3, 3))
"""


def test_published_water_hands_its_tensors_over_in_the_right_order(
    project: Path, aptbench: Call, tmp_path: Path
) -> None:
    labels = synthetic_labels(project)
    path = write_columns(tmp_path / "water.xyz", labels)
    model = tmp_path / "keeper"
    model.mkdir()
    (model / "model.py").write_text(KEEPER)
    parameters = {"path": str(tmp_path / "seen.npy")}
    spec = {"name": "keeper", "title": "K", "class": "model:Keeper", "parameters": parameters}
    (model / "model.yaml").write_text(json.dumps(spec))
    words = ("--train", path, "--test", path, "--model", model, "--no-grid", "--json")
    code, _, err = aptbench("published-water", *words)
    assert code == 0, err
    seen = np.load(tmp_path / "seen.npy")
    assert np.abs(seen - labels.apt).max() < 1e-6
    assert np.abs(seen - labels.apt.swapaxes(-1, -2)).max() > 0.01


@pytest.mark.published
@pytest.mark.slow
@needs_e3nn
@pytest.mark.skipif(not PUBLISHED.is_dir(), reason=f"the published water is not at {PUBLISHED}")
def test_published_water_is_learned(aptbench: Call, small_network: Callable[[int], Path]) -> None:
    """A tiny network on five frames: far better than a constant (0.152 e), far from its best."""
    code, out, err = aptbench(
        "published-water",
        *("--train", PUBLISHED / "train_05.xyz", "--test", PUBLISHED / "test.xyz"),
        *("--model", small_network(40), "--holdout", 1, "--threads", 1, "--json"),
    )
    assert code == 0, err
    assert json.loads(out)["scores"]["rmse"]["value"] < 0.08
