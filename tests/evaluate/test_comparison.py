"""Comparisons of archived predictions: groups, noise floor, file and command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from aptbench.cli.main import build_app
from aptbench.data import open_dataset
from aptbench.errors import AptbenchError, InputError, UnknownNameError
from aptbench.evaluate import Predictions
from aptbench.evaluate.comparison import (
    archived_means,
    compare_models,
    noise_by_element,
    noise_floor,
    read_comparison,
    write_comparison,
)
from aptbench.evaluate.spectral_comparison import compare_spectra
from aptbench.metrics.mean import Mean
from aptbench.tasks import Task, load_task

PROJECT = Path(__file__).parents[2]
TASK, BULK = "synthetic-water/iid", "bulk"


@pytest.fixture
def results(synthetic_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Predictions with errors of 0.05, 0.0501 and 0.2 e, and the mean charges."""
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))
    task = load_task(TASK)
    dataset = open_dataset(task.dataset)
    labels = dataset.labelled(BULK, np.array(task.test))
    at = dataset.label_frames(BULK)[list(task.test)]
    rng = np.random.default_rng(0)
    errors = {
        name: size * rng.normal(size=labels.apt.shape)
        for name, size in (("good", 0.05), ("also-good", 0.0501), ("bad", 0.2))
    }
    for name, error in errors.items():
        path = tmp_path / TASK / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        Predictions(labels.apt + error, at, labels.frames.atomic_numbers).write(path)
    return tmp_path


@pytest.fixture
def task(results: Path) -> Task:
    return load_task(TASK)


def test_models_are_grouped_and_trivial_ones_marked(results: Path, task: Task) -> None:
    dataset = open_dataset(task.dataset)
    means = archived_means(task, dataset, results, ("rmse", "normalized_rmse"))
    # two test frames: a t distribution of one degree of freedom
    found = compare_models(task, dataset, means, level=0.2)
    places = {place.model: place for place in found.places}
    assert places["good"].group == places["also-good"].group == 1
    assert found.places[-1].model == "bad"
    assert places["bad"].to_best is not None
    assert places["bad"].to_best.value == pytest.approx(0.15, rel=0.1)
    assert [p.model for group in found.groups for p in group] == [p.model for p in found.places]
    assert found.noise_floor is None
    # the synthetic tensors are almost the charges of their elements
    assert all(place.trivial for place in found.places)
    path = write_comparison(found, results / "comparisons")
    assert path == results / "comparisons" / f"{TASK}.json"
    assert read_comparison(path) == found
    path.write_text("{}")
    with pytest.raises(InputError, match=r"iid\.json is not valid"):
        read_comparison(path)
    with pytest.raises(InputError, match="aptbench compare"):
        read_comparison(results / "absent.json")


def test_a_metric_that_is_no_number_is_refused(results: Path, task: Task) -> None:
    means = archived_means(task, open_dataset(task.dataset), results, ("rmse",))
    means["good"] = {
        key: Mean(mean.bins, mean.sums, 0 * mean.weights) for key, mean in means["good"].items()
    }
    with pytest.raises(InputError, match="'rmse' is not a number") as caught:
        compare_models(task, open_dataset(task.dataset), means)
    assert "no value for good" in str(caught.value)


def test_the_noise_of_real_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    floor = noise_floor(open_dataset("water"))
    assert floor is not None
    assert 1e-4 < floor < 5e-3
    # sodium has electrons that are hard for the grid
    noise = noise_by_element(open_dataset("nacl-water"))
    assert noise["Na"] > 5 * max(noise[other] for other in ("Cl", "O", "H", "all"))


def test_the_kept_comparisons_are_those_of_the_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    kept = sorted((PROJECT / "leaderboard" / "comparisons").glob("*/*.json"))
    assert kept
    for path in kept:
        old = read_comparison(path)
        task = load_task(old.task)
        dataset = open_dataset(task.dataset)
        results = PROJECT / "leaderboard" / "results"
        if old.of == "spectrum":
            new = compare_spectra(task, dataset, results)
            assert new is not None
        else:
            means = archived_means(task, dataset, results, ("rmse", "normalized_rmse"))
            new = compare_models(task, dataset, means)
        assert [(p.model, p.group) for p in new.places] == [(p.model, p.group) for p in old.places]
        values = [p.value for p in new.places]
        assert values == pytest.approx([p.value for p in old.places], rel=1e-9)


def test_the_command(results: Path) -> None:
    def run(*words: str) -> str:
        result = CliRunner().invoke(build_app(), ["compare", *words, "--results", str(results)])
        if isinstance(result.exception, AptbenchError):
            raise result.exception
        assert result.exit_code == 0
        return result.stdout

    found = json.loads(run("--json"))
    assert [one["task"] for one in found] == [f"{TASK}@1"]
    assert len(found[0]["places"]) == 3
    assert "also-good" in run(TASK)
    only = json.loads(run(TASK, "--model", "bad", "--metric", "mae", "--json"))
    assert [p["model"] for p in only[0]["places"]] == ["bad"]
    assert only[0]["places"][0]["value"] == pytest.approx(0.2 * np.sqrt(2 / np.pi), rel=0.1)
    with pytest.raises(UnknownNameError, match="good"):
        run(TASK, "--model", "goood")
    with pytest.raises(InputError, match="all models"):
        run(TASK, "--write", "--model", "bad")
