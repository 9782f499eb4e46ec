"""docs/outside-model.md: its scripts keep frames, atoms, order and unit; its submission passes."""

from __future__ import annotations

import importlib.util
import re
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aptbench.board.submission import read_submission
from aptbench.data import open_dataset
from aptbench.data.hdf5_export import export_hdf5
from aptbench.data.selection import Selection
from aptbench.evaluate.predictions import read_task_predictions
from aptbench.evaluate.scoring import check_predictions
from aptbench.tasks import load_task

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"
EXAMPLE = DOCS / "examples" / "mace-dipole"
TASK = "molecules-dft/known-groups"


def script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"mace_{name}", EXAMPLE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    task = load_task(TASK)
    labels = {system: np.array(chosen) for system, chosen in task.test_labels.items()}
    dataset = open_dataset(task.dataset)
    selection = Selection.of(dataset, task.systems, labelled_only=True, labels=labels)
    export_hdf5(dataset, tmp_path / "test.h5", selection)
    return tmp_path / "test.h5"


def test_frames_and_dipoles_arrive_in_the_xyz_file(exported: Path) -> None:
    task, dataset = load_task(TASK), open_dataset("molecules-dft")
    frames = list(script("convert").frames(exported))
    assert [atoms.info["config_type"] for atoms in frames] == [
        system for system in sorted(task.systems) for _ in task.test_labels[system]
    ]
    for system, chosen in task.test_labels.items():
        labels = dataset.labelled(system, np.array(chosen))
        assert labels.dipole is not None
        ours = [atoms for atoms in frames if atoms.info["config_type"] == system]
        assert len(ours) == len(labels) > 1
        for k, atoms in enumerate(ours):
            assert np.array_equal(atoms.numbers, labels.frames.atomic_numbers)
            assert np.allclose(atoms.positions, labels.frames.positions[k], atol=1e-5)
            assert np.allclose(atoms.info["REF_dipole"], labels.dipole[k], atol=1e-6)


def test_predictions_are_of_the_frames_and_in_the_order_of_the_task(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mace", "mace.tools"):
        stand_in = types.ModuleType(name)
        stand_in.data = stand_in.AtomicNumberTable = stand_in.torch_geometric = None  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, stand_in)
    predict = script("predict")
    model = types.SimpleNamespace(double=lambda: model, eval=lambda: model)
    monkeypatch.setattr(predict.torch, "load", lambda *a, **k: model)
    monkeypatch.setattr(predict.torch, "set_default_dtype", lambda dtype: None)
    monkeypatch.setattr(
        predict, "tensors", lambda model, numbers, x: x[:, :, None] * np.ones((len(numbers), 3, 3))
    )
    predict.main("model", exported, tmp_path / "p.npz")
    task = load_task(TASK)
    dataset = open_dataset(task.dataset)
    predictions = read_task_predictions(tmp_path / "p.npz", task.systems)
    check_predictions(task, dataset, predictions)
    for system, one in predictions.items():
        positions = dataset.trajectory(system)[one.frame].positions
        assert np.allclose(one.apt[..., 0], positions, atol=1e-5), "tensors of other frames"


def test_the_derivative_has_pol_before_disp(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    for name in ("mace", "mace.tools"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    batch = {"positions": torch.zeros((2, 3), dtype=torch.float64)}
    factor = torch.tensor(np.random.default_rng(0).normal(size=(2, 3, 3)))
    data = types.SimpleNamespace(
        config_from_atoms=lambda atoms: None,
        AtomicData=types.SimpleNamespace(from_config=lambda *a, **k: None),
    )
    loader = types.SimpleNamespace(
        DataLoader=lambda *a, **k: iter([types.SimpleNamespace(to_dict=lambda: batch)])
    )
    sys.modules["mace"].data = data  # type: ignore[attr-defined]
    sys.modules["mace.tools"].AtomicNumberTable = list  # type: ignore[attr-defined]
    sys.modules["mace.tools"].torch_geometric = types.SimpleNamespace(dataloader=loader)  # type: ignore[attr-defined]

    class Linear:
        """A dipole that is linear in the positions: M_i = sum factor[a, i, j] R[a, j]."""

        atomic_numbers, r_max = (1,), 5.0

        def __call__(self, batch: Any, compute_force: bool) -> dict[str, Any]:
            return {"dipole": torch.einsum("aij,aj->i", factor, batch["positions"])[None]}

    assert np.allclose(script("predict").tensors(Linear(), [1, 1], np.zeros((2, 3))), factor)


def test_what_was_submitted_is_the_example() -> None:
    kept = read_submission(PROJECT / "leaderboard" / "submissions" / "mace-dipole")
    about = (EXAMPLE / "about.yaml").read_text(encoding="utf-8")
    assert kept.title in about
    assert str(kept.cost.parameters if kept.cost else None) in about
    kept_file = PROJECT / "leaderboard" / "results" / TASK / "mace-dipole.npz"
    assert kept_file.stat().st_size == kept.predictions[0].bytes


def test_links_lead_somewhere() -> None:
    text = (DOCS / "outside-model.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (DOCS / target).exists(), target
    for name in re.findall(r"(?:python|bash) (\w+\.\w+)", text):
        assert (EXAMPLE / name).is_file(), name
