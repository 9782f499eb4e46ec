"""The public route: pack, check, accept; and every attack on it, refused with its reason."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from aptbench.board import build_site
from aptbench.board.accept import accept_submission
from aptbench.board.submission import read_submission
from aptbench.board.submission_check import check_submission
from aptbench.board.submission_pack import (
    current_of,
    file_facts,
    pack_submission,
    predictions_of,
    read_about,
)
from aptbench.cli.main import build_app
from aptbench.data import open_dataset
from aptbench.errors import AlignmentError, AptbenchError, InputError
from aptbench.evaluate import Predictions
from aptbench.evaluate.archive import archived_results
from aptbench.evaluate.current_audit import audit_frames
from aptbench.evaluate.current_record import CurrentRecord, current_path
from aptbench.evaluate.task_spectrum import task_spectrum
from aptbench.tasks import Task, load_task

PROJECT = Path(__file__).parents[2]
TASK, SYSTEM = "synthetic-water/iid", "bulk"
ABOUT: dict[str, Any] = {
    "name": "charged",
    "title": "Charges of somebody",
    "description": "For tests.",
    "authors": [{"name": "A. Nobody", "orcid": "0000-0002-1825-0097"}],
    "license": "CC-BY-4.0",
    "framework": "numpy",
    "training": [{"task": f"{TASK}@1", "parts": ["train"]}],
    "cost": {"parameters": 2, "training_seconds": 0.1},
}


@pytest.fixture(autouse=True)
def _root(synthetic_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))


@pytest.fixture
def task() -> Task:
    return load_task(TASK)


@pytest.fixture
def good(task: Task) -> Predictions:
    """What a decent model would predict: the labels with errors of a tenth of a charge."""
    dataset = open_dataset(task.dataset)
    labels = dataset.labelled(SYSTEM, np.array(task.test))
    noise = 0.05 * np.random.default_rng(0).normal(size=labels.apt.shape)
    at = dataset.label_frames(SYSTEM)[list(task.test)]
    return Predictions(labels.apt + noise, at, labels.frames.atomic_numbers, dataset.content_hash)


@pytest.fixture
def folder(good: Predictions, tmp_path: Path) -> Path:
    pack_submission(ABOUT, {TASK: {SYSTEM: good}}, tmp_path / "mine")
    return tmp_path / "mine"


def replaced(folder: Path, **changes: Any) -> Path:
    """Change ``submission.yaml``, whatever it makes of it."""
    path = folder / "submission.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))
    return folder


def with_predictions(folder: Path, write: Callable[[Path], object]) -> Path:
    """Put another file in the place of the predictions, and list its true hash."""
    path = folder / "predictions" / f"{TASK}.npz"
    write(path)
    content = yaml.safe_load((folder / "submission.yaml").read_text())
    content["predictions"][0] |= file_facts(path)
    (folder / "submission.yaml").write_text(yaml.safe_dump(content))
    return folder


def reason(folder: Path) -> str:
    report = check_submission(folder)
    assert not report.accepted
    assert report.results == ()
    return " ".join(one.words for one in report.findings if one.severity == "error")


def test_an_honest_submission_passes_and_is_scored(folder: Path) -> None:
    report = check_submission(folder)
    assert report.accepted
    (result,) = report.results
    assert result.metrics["rmse"].value == pytest.approx(0.05, rel=0.05)
    assert (result.model.name, result.model.title) == ("charged", "Charges of somebody")
    assert result.training is not None
    assert result.training.status == "matches the task"
    assert result.cost is not None
    assert result.cost.parameters == 2
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.*")) == [
        f"predictions/{TASK}.npz",
        "submission.yaml",
    ]


def test_packing_is_the_whole_folder_or_nothing(good: Predictions, tmp_path: Path) -> None:
    incomplete = {k: v for k, v in ABOUT.items() if k != "license"}
    with pytest.raises(InputError, match="license"):
        pack_submission(incomplete, {TASK: {SYSTEM: good}}, tmp_path / "a")
    fewer = Predictions(good.apt[1:], good.frame[1:], good.atomic_number)
    with pytest.raises(AlignmentError, match="missing frames"):
        pack_submission(ABOUT, {TASK: {SYSTEM: fewer}}, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
    pack_submission(ABOUT, {TASK: good.write(tmp_path / "p.npz")}, tmp_path / "a")
    with pytest.raises(InputError, match="already something"):
        pack_submission(ABOUT, {TASK: {SYSTEM: good}}, tmp_path / "a")
    with pytest.raises(InputError, match="needs predictions"):
        pack_submission(ABOUT, {}, tmp_path / "b")
    about = tmp_path / "about.yaml"
    about.write_text(yaml.safe_dump(ABOUT | {"predictions": []}))
    with pytest.raises(InputError, match="computed here"):
        read_about(about)


# ---- attacks on the predictions


def changed(good: Predictions, **fields: Any) -> Callable[[Path], object]:
    content = good.arrays() | fields
    return lambda path: np.savez(path, **{k: v for k, v in content.items() if v is not None})


def test_missing_atoms_frames_and_values(folder: Path, good: Predictions) -> None:
    attacks = {
        "23 atoms": changed(good, apt=good.apt[:, :-1], atomic_number=good.atomic_number[:-1]),
        "missing frames": changed(good, apt=good.apt[1:], frame=good.frame[1:]),
        "additional frames": changed(
            good, apt=good.apt[[*range(len(good.apt)), 0]], frame=np.append(good.frame, 3)
        ),
        "another order": changed(good, apt=good.apt[::-1], frame=good.frame[::-1]),
        "not finite": changed(good, apt=np.where(good.apt > 0.3, np.nan, good.apt)),
        "another version of the data": changed(good, content_hash=np.array("sha256:other")),
        "float16": changed(good, apt=good.apt.astype(np.float16)),
        "wrong shape": changed(good, apt=good.apt.reshape(2, -1, 9)),
        "lacks frame": changed(good, frame=None),
        "negative": changed(good, std=-np.ones_like(good.apt)),
    }
    for words, write in attacks.items():
        assert words in reason(with_predictions(folder, write)), words


def test_frames_permuted_in_secret(folder: Path, good: Predictions) -> None:
    moved = np.roll(good.apt, 1, axis=1)
    assert "another order" in reason(with_predictions(folder, changed(good, apt=moved)))


def test_transposed_scaled_and_of_the_other_sign(folder: Path, task: Task) -> None:
    labels = open_dataset(task.dataset).labelled(SYSTEM, np.array(task.test))
    at = open_dataset(task.dataset).label_frames(SYSTEM)[list(task.test)]
    numbers = labels.frames.atomic_numbers
    rng = np.random.default_rng(1)
    # tensors of the synthetic labels are almost isotropic: the scale and the sign can be told
    close = labels.apt + 0.02 * rng.normal(size=labels.apt.shape)
    for words, apt in (("opposite", -close), ("debye per angstrom", close / 0.20819434)):
        write = changed(Predictions(apt, at, numbers))
        assert words in reason(with_predictions(folder, write))


def test_transposed_tensors_of_the_liquid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    kept = PROJECT / "leaderboard" / "results" / "water" / "iid" / "linear-tensor.npz"
    real = Predictions.read(kept)
    task = load_task("water/iid")
    about = ABOUT | {"training": [{"task": task.identity, "parts": ["train", "validation"]}]}
    for apt, words in ((real.apt, ""), (real.apt.swapaxes(2, 3), "[disp, pol]")):
        given = Predictions(apt, real.frame, real.atomic_number)
        folder = tmp_path / f"mine-{bool(words)}"
        pack_submission(about, {task.name: {task.system: given}}, folder)
        if words:
            assert words in reason(folder)
        else:
            assert check_submission(folder).accepted


def test_copied_labels(folder: Path, task: Task, good: Predictions) -> None:
    labels = open_dataset(task.dataset).labelled(SYSTEM, np.array(task.test)).apt
    assert "contain labels of the test" in reason(
        with_predictions(folder, changed(good, apt=labels))
    )
    one = good.apt.copy()
    one[1] = labels[1].astype(np.float32)
    assert "contain labels of the test" in reason(with_predictions(folder, changed(good, apt=one)))
    # all atoms but one
    one = good.apt.copy()
    one[1, 1:] = labels[1, 1:].astype(np.float32)
    assert "contain labels of the test" in reason(with_predictions(folder, changed(good, apt=one)))


def test_labels_with_less_noise_than_they_have(
    folder: Path, task: Task, good: Predictions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aptbench.board.submission_check.noise_floor", lambda dataset: 0.5)
    assert "contain labels of the test" in reason(folder)
    # an error of 0.05 e is below half of the one and above half of the other
    monkeypatch.setattr("aptbench.board.submission_check.noise_floor", lambda dataset: 0.11)
    assert "nearer to the labels" in reason(folder)
    monkeypatch.setattr("aptbench.board.submission_check.noise_floor", lambda dataset: 0.09)
    assert check_submission(folder).accepted


def test_some_frames_with_less_noise_than_labels_have(
    folder: Path, task: Task, good: Predictions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of all frames together is that of a model; those but one are smeared copies."""
    monkeypatch.setattr("aptbench.board.submission_check.noise_floor", lambda dataset: 0.01)
    assert check_submission(folder).accepted
    labels = open_dataset(task.dataset).labelled(SYSTEM, np.array(task.test)).apt
    smeared = labels + 1e-4 * np.random.default_rng(1).normal(size=labels.shape)
    smeared[0] = good.apt[0]
    found = reason(with_predictions(folder, changed(good, apt=smeared.astype(np.float32))))
    assert "contain labels of the test" in found


def test_absurd_numbers(folder: Path, good: Predictions) -> None:
    apt = good.apt.astype(np.float64)
    apt[0, 0, 0, 0] = 1e200
    assert "beyond 1e+06 e" in reason(with_predictions(folder, changed(good, apt=apt)))


def test_pickles_and_bombs(folder: Path, good: Predictions, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "executed",)

    assert "plain" in reason(with_predictions(folder, changed(good, std=np.array([Bomb()]))))
    assert not (tmp_path / "executed").exists()
    assert "not a readable archive" in reason(
        with_predictions(folder, lambda path: path.write_bytes(b"PK" + bytes(100)))
    )


# ---- attacks on the folder and on what is said


def test_hashes_links_and_foreign_files(folder: Path, good: Predictions, tmp_path: Path) -> None:
    path = folder / "predictions" / f"{TASK}.npz"
    content = path.read_bytes()
    good.write(path)
    path.write_bytes(path.read_bytes() + b"\0")
    assert "not the one that was packed" in reason(folder)
    path.write_bytes(content)
    (folder / "run.py").write_text("print()")
    assert "does not belong" in reason(folder)
    (folder / "run.py").unlink()
    path.unlink()
    (tmp_path / "elsewhere.npz").write_bytes(content)
    path.symlink_to(tmp_path / "elsewhere.npz")
    assert "links" in reason(folder)
    path.unlink()
    assert "is missing" in reason(folder)
    os.symlink(folder / "predictions", folder / "more")
    assert "links" in reason(folder)


@pytest.mark.parametrize(
    "name", ["../../secret.npz", "/etc/passwd", "a//b.npz", "a/../b.npz", "", ".hidden", "a\nb"]
)
def test_paths_that_lead_out(name: str, folder: Path) -> None:
    content = yaml.safe_load((folder / "submission.yaml").read_text())
    content["predictions"][0]["file"] = name
    assert "predictions.0.file" in reason(replaced(folder, predictions=content["predictions"]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scores": {"rmse": 0.0}}, "scores"),
        ({"name": "../up"}, "name"),
        ({"name": "<script>"}, "name"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"title": "two\nlines"}, "title"),
        ({"authors": []}, "authors"),
        ({"training": [{"task": f"{TASK}@1", "parts": ["test"]}]}, "training"),
        ({"format": "submission@2"}, "format"),
    ],
)
def test_what_may_not_be_said(changes: dict[str, Any], words: str, folder: Path) -> None:
    found = reason(replaced(folder, **changes))
    assert f"{folder / 'submission.yaml'} does not describe a submission" in found
    assert words in found


def test_yaml_is_data(folder: Path) -> None:
    path = folder / "submission.yaml"
    good = path.read_text()
    for text, words in (
        ("a: &a [1, 1]\nb: [*a, *a, *a]\n", "aliases"),
        (good + "name: other\n", "twice"),
        ("!!python/object/apply:os.system [ls]", "not plain YAML"),
        ("[" * 5000, "not plain YAML"),
        ("\0", f"{path} is not plain YAML"),
        ("x: " + "y" * 200_000, "too large"),
        ("- a list", "does not describe"),
        ("version: 2024-13-45", "not plain YAML"),
        ("version: !!int x", "not plain YAML"),
    ):
        path.write_text(text)
        assert words in reason(folder), words
    path.unlink()
    assert "no submission" in reason(folder)


def test_tasks_that_are_not_there(folder: Path) -> None:
    content = yaml.safe_load((folder / "submission.yaml").read_text())
    for name, words in ((f"{TASK}@9", "no version"), ("synthetic-water/idd@1", "synthetic-water")):
        content["predictions"][0]["task"] = name
        assert words in reason(replaced(folder, predictions=content["predictions"]))
    twice = [content["predictions"][0], dict(content["predictions"][0])]
    assert "listed twice" in reason(replaced(folder, predictions=twice))


def test_training_frames_that_are_test_frames(
    task: Task, good: Predictions, tmp_path: Path
) -> None:
    dataset = open_dataset(task.dataset)
    frames = dataset.trajectory(SYSTEM)[dataset.label_frames(SYSTEM)[list(task.test)]]
    other = dataset.trajectory(SYSTEM)[np.array([3, 700])]
    said = {
        "source": "my own set 1.0",
        "content": "liquid water, RPBE",
        "labels": 2,
        "frames": "frames.npz",
    }
    for positions, cell, accepted in (
        (other.positions, other.cell, True),
        (frames.positions[:1] + 0.7, frames.cell[:1], False),  # moved as a whole
    ):
        path = tmp_path / "frames.npz"
        np.savez(path, positions=positions, cell=cell, atomic_number=frames.atomic_numbers)
        folder = tmp_path / f"mine-{accepted}"
        pack_submission(ABOUT | {"training": [said]}, {TASK: {SYSTEM: good}}, folder, extra=[path])
        report = check_submission(folder)
        assert report.accepted is accepted
        if accepted:
            assert report.results[0].training is not None
            assert report.results[0].training.status == "other data"
        else:
            assert "trained on frames of the test" in reason(folder)


# ---- currents of the trajectory


def test_a_current_is_believed_after_samples(task: Task, good: Predictions, tmp_path: Path) -> None:
    record = current_of(task, "point-charges")
    given = {TASK: predictions_of(task, "point-charges")}

    def packed(name: str, **changes: Any) -> Path:
        changed = {TASK: replace(record, **changes)}
        pack_submission(ABOUT, given, tmp_path / name, currents=changed)
        return tmp_path / name

    report = check_submission(packed("good"))
    assert report.accepted
    assert any("audit frames" in finding.words for finding in report.findings)
    spectrum = report.results[0].spectrum
    assert spectrum is not None
    assert "current_error[all]" in spectrum.metrics
    bent = 1.01 * record.current
    assert "not those of its audit frames" in reason(packed("chosen", current=bent))
    at = audit_frames(bent)
    tensors = {int(k): t for k, t in zip(record.frame, record.apt, strict=True)}
    known = [tensors.get(int(k), record.apt[0]) for k in at]
    found = reason(packed("bent", current=bent, frame=at, apt=np.array(known)))
    assert "not that of its tensors" in found
    assert "not of all frames" in reason(packed("short", current=record.current[:-1]))
    for name, value in (("current", np.full((3, 3), "x")), ("frame", np.int64(0))):
        assert "does not hold a current" in reason(packed(name, **{name: value}))


def forged(task: Task, wanted: np.ndarray) -> CurrentRecord:
    """A current of choice, with tensors that give it: those of point charges, and v over v^2."""
    stretch = task_spectrum(task, open_dataset(task.dataset)).trajectory
    current = np.asarray(wanted, np.float32)
    at = audit_frames(current)
    velocities = np.stack([stretch.frames[int(k) : int(k) + 1].velocities[0] for k in at])
    apt = np.zeros((*velocities.shape, 3)).swapaxes(2, 3)
    apt += np.einsum("fp,fad->fapd", current[at], velocities) / (velocities**2).sum(
        (1, 2), keepdims=True
    ).reshape(-1, 1, 1, 1)
    return CurrentRecord(current, at, apt)


def test_a_current_of_choice_is_refused(task: Task, tmp_path: Path) -> None:
    given = {TASK: predictions_of(task, "point-charges")}
    chosen = forged(task, 0.9 * current_of(task, "point-charges").current)
    pack_submission(ABOUT, given, tmp_path / "chosen", currents={TASK: chosen})
    # its own tensors give it, those of the test frames do not
    assert "not that of the predictions of the test frames" in reason(tmp_path / "chosen")


def test_a_current_from_the_labels_between_test_frames_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    task = load_task("molecules/water-8")
    spectrum = task_spectrum(task, open_dataset(task.dataset))
    given = {task.name: predictions_of(task, "point-charges")}
    mixed = 1.001 * spectrum.reference.values
    tested = given[task.name][task.system].frame - spectrum.start
    mixed[tested] = current_of(task, "point-charges").current[tested]
    currents = {task.name: forged(task, mixed)}
    pack_submission(ABOUT | {"training": []}, given, tmp_path / "mixed", currents=currents)
    assert "better between the test frames" in reason(tmp_path / "mixed")


def test_audit_frames_follow_from_the_current() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(1000, 3))
    first = audit_frames(values)
    assert np.array_equal(first, audit_frames(values.copy()))
    assert np.all(np.diff(first) > 0)
    values[17, 0] += 1e-9
    assert not np.array_equal(first, audit_frames(values))
    assert audit_frames(values[:5]).tolist() == [0, 1, 2, 3, 4]


# ---- acceptance


def test_it_appears_on_the_board(folder: Path, tmp_path: Path, good: Predictions) -> None:
    board = tmp_path / "leaderboard"
    assert accept_submission(folder, board).accepted
    (result,) = archived_results(board / "results")
    assert result.model.name == "charged"
    index = build_site(board / "results", tmp_path / "site")
    page = (index.parent / "tasks" / "synthetic-water-iid-1.html").read_text()
    assert "charged" in index.read_text()
    assert "Charges of somebody" in page
    kept = read_submission(board / "submissions" / "charged")
    assert kept.authors[0].name == "A. Nobody"
    # one that was broken off is given again; another of the same version is not the same
    assert accept_submission(folder, board).accepted
    pack_submission(ABOUT | {"title": "Another"}, {TASK: {SYSTEM: good}}, tmp_path / "same")
    with pytest.raises(InputError, match="already in this version"):
        accept_submission(tmp_path / "same", board)
    stranger = ABOUT | {"authors": [{"name": "B. Other"}], "version": 2}
    pack_submission(stranger, {TASK: {SYSTEM: good}}, tmp_path / "stranger")
    with pytest.raises(InputError, match="somebody else"):
        accept_submission(tmp_path / "stranger", board)
    pack_submission(ABOUT | {"version": 2}, {TASK: {SYSTEM: good}}, tmp_path / "newer")
    left_out = board / "results" / "a" / "b" / "charged.json"
    for path in (left_out, left_out.with_suffix(".npz"), current_path(left_out)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert accept_submission(tmp_path / "newer", board).accepted
    assert not any(path.is_file() for path in (board / "results" / "a").rglob("*"))
    # nothing that is refused leaves a trace
    replaced(tmp_path / "stranger", name="other", scores={})
    assert not accept_submission(tmp_path / "stranger", board).accepted
    assert not (board / "submissions" / "other").exists()


def test_a_name_of_a_baseline_is_taken(folder: Path, tmp_path: Path) -> None:
    taken = tmp_path / "leaderboard" / "results" / "a" / "b" / "charged.json"
    taken.parent.mkdir(parents=True)
    taken.write_text("{}")
    with pytest.raises(InputError, match="no submission"):
        accept_submission(folder, tmp_path / "leaderboard")


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "about.yaml").write_text(yaml.safe_dump(ABOUT | {"training": []}))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(build_app(), ["submit", *words])
        if isinstance(result.exception, AptbenchError):
            raise result.exception
        return result.exit_code, result.output

    code, text = run("pack", "about.yaml", "--out", "s", "--model", "point-charges", "--task", TASK)
    assert code == 0
    assert "aptbench submit check s" in text
    code, text = run("check", "s", "--json")
    assert code == 0
    assert json.loads(text)["accepted"] is True
    replaced(Path("s"), scores={})
    code, text = run("check", "s")
    assert code == 1
    assert "REFUSED" in text
    with pytest.raises(InputError, match="needs tasks"):
        run("pack", "about.yaml", "--out", "t", "--model", "point-charges")
    with pytest.raises(InputError, match=r"TASK=FILE"):
        run("pack", "about.yaml", "--out", "t", "--predictions", "p.npz")
    with pytest.raises(InputError, match="no trajectory to predict"):
        run("pack", "about.yaml", "--out", "t", "--predictions", f"{TASK}=p.npz", "--spectrum")
