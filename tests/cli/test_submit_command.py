"""`aptbench submit`, as a person types it."""

from __future__ import annotations

import json

import pytest
import yaml

from aptbench.board import submission_pack
from aptbench.data import open_dataset
from aptbench.evaluate.current_record import CurrentRecord
from aptbench.evaluate.task_spectrum import task_spectrum
from aptbench.tasks import load_task


def test_a_folder_that_exists_is_refused_before_anything_is_predicted(
    tmp_path, monkeypatch, aptbench
):
    predicted = []
    monkeypatch.setattr(submission_pack, "predictions_of", lambda *words: predicted.append(words))
    about, out = tmp_path / "about.yaml", tmp_path / "mine"
    about.write_text("name: mine\n")
    out.mkdir()
    words = ["submit", "pack", about, "--out", out, "--model", "m", "--task", "water/iid"]
    code, _, err = aptbench(*words)
    assert code == 2
    assert "already something" in err
    assert "--overwrite" in err
    assert predicted == []


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_only_a_submission_is_replaced(kind, tmp_path, aptbench):
    about, out = tmp_path / "about.yaml", tmp_path / "keep"
    about.write_text("name: mine\n")
    kept = out
    if kind == "folder":
        out.mkdir()
        kept = out / "thesis.tex"
    kept.write_text("years")
    code, _, err = aptbench("submit", "pack", about, "--out", out, "--overwrite")
    assert code == 2
    assert "is no submission, so it is not replaced" in err
    assert kept.read_text() == "years"


@pytest.mark.parametrize(
    "words",
    [
        ["--predictions", "water/iid=a.npz", "--predictions", "water/iid@3=b.npz"],
        ["--predictions", "water/iid=a.npz", "--model", "m", "--task", "water/iid"],
    ],
)
def test_a_task_has_predictions_once(words, tmp_path, aptbench):
    about = tmp_path / "about.yaml"
    about.write_text("name: mine\n")
    code, _, err = aptbench("submit", "pack", about, "--out", tmp_path / "mine", *words)
    assert code == 2
    assert "A task has predictions twice" in err


def test_the_trajectory_is_predicted_if_that_is_asked_for(
    synthetic_project, monkeypatch, tmp_path, aptbench
):
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))
    about, name = tmp_path / "about.yaml", "synthetic-water/iid"
    said = {
        "name": "mine",
        "title": "Mine",
        "description": "For tests.",
        "authors": [{"name": "A. Nobody"}],
        "license": "CC-BY-4.0",
        "framework": "numpy",
        "training": [],
    }
    about.write_text(yaml.safe_dump(said))
    words = ["submit", "pack", about, "--model", "point-charges", "--task", name, "--json"]
    code, out, err = aptbench(*words, "--out", tmp_path / "plain")
    assert code == 0, err
    assert json.loads(out)["currents"] == []
    assert not list((tmp_path / "plain").glob("currents/**/*.npz"))
    code, out, err = aptbench(*words, "--out", tmp_path / "moving", "--spectrum")
    assert code == 0, err
    (one,) = json.loads(out)["currents"]
    assert one["task"] == "synthetic-water/iid@1"
    record = CurrentRecord.read(tmp_path / "moving" / one["file"])
    task = load_task(name)
    stretch = task_spectrum(task, open_dataset(task.dataset)).trajectory
    assert record.current.shape == (len(stretch.frames), 3)
    assert record.check(stretch) < 1e-4
    code, out, err = aptbench("submit", "check", tmp_path / "moving", "--json")
    assert code == 0, err
    (result,) = json.loads(out)["results"]
    assert result["spectrum"]["protocol"] == "ir@1"
