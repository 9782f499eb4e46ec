"""The data-selection track: what is fixed, what is compared, and what is shown."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from aptbench.board import build_site
from aptbench.board.selection_table import selection_table
from aptbench.data import open_dataset
from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate.learning_curve import LearningCurve, write_learning_curve
from aptbench.evaluate.result import Metric
from aptbench.evaluate.selection_standings import Standings
from aptbench.evaluate.selection_track import (
    ENTRIES,
    PICTURE,
    SCORES,
    SelectionTrack,
    read_entries,
    read_scores,
    read_track,
    write_track,
)
from aptbench.tasks import load_task
from aptbench.tasks.data_selection import select, write_selection
from tests.conftest import Call

TASK = "synthetic-water/iid"
BUDGETS = (1, 2, 3)


@pytest.fixture
def project(synthetic_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    shutil.copytree(synthetic_project, root)
    monkeypatch.setenv("APTBENCH_ROOT", str(root))
    return root


@pytest.fixture
def folder(project: Path) -> Path:
    """A track with two draws and two methods as entries, without scores."""
    task, folder = load_task(TASK), project / "leaderboard" / "selections" / TASK
    data = open_dataset(task.dataset)
    at = data.label_frames(task.system)[list(task.train)]
    pool = data.trajectory(task.system)[at], data.times(task.system)[at]
    for method, seed in (("in-time", 0), ("chronological", 0), ("random", 0), ("random", 1)):
        found = select(task, *pool, method, seed=seed)
        write_selection(found, folder / ENTRIES / f"{found.name}.json")
    write_track(
        SelectionTrack.of(task, "constant-charge", BUDGETS, ("random-0", "random-1")), folder
    )
    return folder


def with_errors(curve: LearningCurve, *errors: float) -> LearningCurve:
    points = [
        point.model_copy(update={"metrics": {"rmse": Metric(value=error, unit="e")}})
        for point, error in zip(curve.points, errors, strict=True)
    ]
    return curve.model_copy(update={"points": points})


def test_a_score_is_the_learning_curve_of_the_selection(folder: Path) -> None:
    task = load_task(TASK)
    track, entries = read_track(folder), read_entries(folder)
    curve = track.score(task, open_dataset(task.dataset), entries["chronological"])
    assert [point.labels for point in curve.points] == list(BUDGETS)
    assert curve.budgets[2] == list(entries["chronological"].first(2))
    assert curve.selection == "chronological"


def test_nothing_but_the_selection_may_differ(folder: Path, project: Path) -> None:
    task = load_task(TASK)
    data, chosen = open_dataset(task.dataset), read_entries(folder)["in-time"]
    track = read_track(folder)
    short = chosen.model_copy(update={"labels": chosen.labels[:2]})
    with pytest.raises(InputError, match="too short") as error:
        track.score(task, data, short)
    assert "at least 3" in str(error.value)
    other = chosen.model_copy(update={"labels": (*chosen.labels[:2], task.test[0])})
    with pytest.raises(AlignmentError, match="not taken from the pool"):
        track.score(task, data, other)
    wrong = track.model_copy(update={"split_hash": "0" * 64})
    with pytest.raises(AlignmentError, match="another split_hash"):
        wrong.score(task, data, chosen)
    settings = project / "baselines" / "constant-charge" / "model.yaml"
    settings.write_text(settings.read_text() + "\n# tuned\n")
    with pytest.raises(AlignmentError, match="another recipe"):
        track.score(task, data, chosen)


def test_standings_count_the_draws_that_were_better(folder: Path) -> None:
    task = load_task(TASK)
    track = read_track(folder)
    curve = track.score(task, open_dataset(task.dataset), read_entries(folder)["in-time"])
    curves = {
        "random-0": with_errors(curve, 0.3, 0.2, 0.1),
        "random-1": with_errors(curve, 0.4, 0.1, 0.2),
        "b": with_errors(curve, 0.35, 0.3, 0.05),
        "a": with_errors(curve, 0.2, 0.1, 0.15),
    }
    found = Standings(track, curves)
    assert found.chosen == ["b", "a"]
    assert [found.luckier("b", n) for n in BUDGETS] == [1, 2, 0]
    assert [found.luckier("a", n) for n in BUDGETS] == [0, 0, 1]
    rows = selection_table(found).splitlines()[4:]
    assert rows[0] == "| `b` | 0.3500 (1/2) | 0.3000 (2/2) | 0.0500 (0/2) |"
    assert rows[2].startswith("| drawn at random, 2 times | 0.3500 [0.3000–0.4000] |")
    nearly = {**curves, "a": with_errors(curve, 0.2, 0.1, 0.15 * (1 + 1e-8))}
    assert Standings(track, nearly).differences(found) == []
    changed = {**curves, "a": with_errors(curve, 0.2, 0.1, 0.151), "c": curves["b"]}
    assert Standings(track, changed).differences(found) == ["a", "c"]
    with pytest.raises(InputError, match="not those of its track"):
        Standings(track.model_copy(update={"budgets": (1, 2, 3, 4)}), curves)


def test_the_command_archives_compares_and_shows(
    folder: Path, project: Path, tmp_path: Path, aptbench: Call
) -> None:
    code, _, err = aptbench("selections", TASK)
    assert (code, "no scores yet" in err) == (2, True)
    code, out, err = aptbench("selections", TASK, "--write")
    assert code == 0, err
    assert "| `chronological` |" in out
    assert err.count("Archived") == 4
    assert aptbench("selections", TASK, "--write")[2].count("Archived") == 0
    assert aptbench("selections", TASK, "--check")[0] == 0
    before = sorted(path.name for path in (folder / SCORES).iterdir())

    mine = read_entries(folder)["in-time"].model_copy(update={"name": "mine"})
    code, out, err = aptbench(
        "selections", TASK, "--selection", write_selection(mine, tmp_path / "m")
    )
    assert code == 0, err
    assert "| `mine` |" in out
    code, out, _ = aptbench("selections", TASK, "--json")
    assert set(json.loads(out)["in-time"]) == {"1", "2", "3"}
    assert sorted(path.name for path in (folder / SCORES).iterdir()) == before
    for words in (("--write", "--check"), ("--write", "--selection", tmp_path / "m")):
        assert aptbench("selections", TASK, *words)[0] == 2

    path = folder / SCORES / "in-time.json"
    write_learning_curve(with_errors(read_scores(folder)["in-time"], 0.1, 0.1, 0.1), path)
    code, _, err = aptbench("selections", TASK, "--check")
    assert (code, "Not as archived: in-time" in err) == (1, True)

    index = build_site(
        project / "leaderboard" / "results",
        tmp_path / "site",
        selections=project / "leaderboard" / "selections",
    )
    assert 'href="tasks/selection-synthetic-water-iid-1.html"' in index.read_text()
    page = (index.parent / "tasks" / "selection-synthetic-water-iid-1.html").read_text()
    assert "drawn at random, 2 times" in page
    assert (index.parent / "pictures" / "selection-synthetic-water-iid-1.png").stat().st_size > 1000


def test_scores_without_an_entry_are_found_and_removed(folder: Path, aptbench: Call) -> None:
    assert aptbench("selections", TASK, "--write")[0] == 0
    (folder / ENTRIES / "chronological.json").unlink()
    code, out, err = aptbench("selections", TASK, "--check")
    assert (code, "Archived without an entry" in err) == (1, True)
    assert "chronological" not in out
    assert (folder / SCORES / "chronological.json").is_file()
    code, _, err = aptbench("selections", TASK, "--write")
    assert (code, "Removed without an entry" in err) == (0, True)
    assert sorted(read_scores(folder)) == sorted(read_entries(folder))
    assert aptbench("selections", TASK, "--check")[0] == 0


def test_an_entry_has_its_name(folder: Path) -> None:
    (folder / ENTRIES / "in-time.json").rename(folder / ENTRIES / "mine.json")
    with pytest.raises(InputError, match="has another name"):
        read_entries(folder)


def test_a_track_without_draws_has_no_picture(folder: Path, aptbench: Call) -> None:
    write_track(read_track(folder).model_copy(update={"chance": ()}), folder)
    code, out, err = aptbench("selections", TASK, "--write")
    assert code == 0, err
    assert "drawn at random" not in out
    assert not (folder / PICTURE).exists()
