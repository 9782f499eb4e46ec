"""`aptbench submit`, as a person types it."""

from __future__ import annotations

import pytest

from aptbench.board import submission_pack


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
