"""Learning curves: budgets, bands, horizontal lines, and runs that are kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from aptbench.board.learning import band_table, learning_blocks, learning_table
from aptbench.cli.main import build_app
from aptbench.data import Dataset, open_dataset
from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate import learning_run
from aptbench.evaluate.learning_curve import (
    LearningCurve,
    read_learning_curve,
    write_learning_curve,
)
from aptbench.evaluate.learning_figure import learning_figure
from aptbench.evaluate.learning_files import learning_csv
from aptbench.evaluate.learning_run import measure_learning_curve, settings_hash
from aptbench.metrics import score
from aptbench.models.constant import ConstantCharge
from aptbench.spectra.band_filter import BandFilter
from aptbench.tasks import load_task
from aptbench.tasks.data_selection import DataSelection, read_selection, write_selection
from aptbench.tasks.task import split_path
from tests.conftest import synthetic_positions, synthetic_tensors

TASK = "synthetic-water/iid"
NOISY = """
from dataclasses import dataclass

import numpy as np

from aptbench.models.constant import ConstantCharge


@dataclass(frozen=True)
class Settings:
    seed: int = 5


class Noisy(ConstantCharge):
    def __init__(self, charges=None):
        super().__init__(charges)
        self.training = Settings()

    def predict(self, frames):
        shift = 0.01 * np.random.default_rng(self.training.seed).normal()
        return super().predict(frames) + shift * np.eye(3)
"""


@pytest.fixture(scope="module")
def project(synthetic_project: Path) -> Path:
    return synthetic_project


@pytest.fixture(autouse=True)
def _root(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(project))


def measure(models=("constant-charge", "point-charges"), budgets=(1, 3), **options):
    task = load_task(TASK)
    return measure_learning_curve(task, open_dataset(task.dataset), models, budgets, **options)


@pytest.fixture
def curve() -> LearningCurve:
    return measure()


def test_points_are_scores_of_models_trained_on_the_budget(curve: LearningCurve) -> None:
    task = load_task(TASK)
    data = open_dataset(task.dataset)
    assert set(curve.budgets[1]) < set(curve.budgets[3]) < set(task.train)
    test = data.labelled("bulk", np.array(task.test))
    for n, labels in curve.budgets.items():
        model = ConstantCharge().fit(data.labelled("bulk", np.array(labels)))
        expected = score(model.predict(test.frames), test.apt, test.frames)
        (point,) = curve.of("constant-charge", n)
        for name in ("rmse", "rmse[O]", "rmse[L=2]", "current_error"):
            assert point.metrics[name].value == pytest.approx(expected[name].value)
        assert point.n_parameters == 2
    assert curve.of("point-charges", 1) == []
    (fixed,) = curve.of("point-charges", None)
    assert fixed.labels is None
    assert fixed.seconds is None
    assert curve.species == ["O", "H"]


def test_bands_are_those_of_the_dense_motion(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = {"libration": (400.0, 900.0), "stretch": (3200.0, 3700.0), "line": (500.0, 505.0)}
    monkeypatch.setattr(Dataset, "infrared_bands", lambda self, system: ends)
    found = measure()
    # a band narrower than the filter has no number
    assert set(found.bands) == {"libration", "stretch"}
    assert all(0.5 <= band.coverage <= 1 for band in found.bands.values())
    task = load_task(TASK)
    data = open_dataset(task.dataset)
    frames = data.label_frames("bulk")[list(task.test)]
    times = data.times("bulk")
    point = found.of("constant-charge", 3)[0]
    model = ConstantCharge().fit(data.labelled("bulk", np.array(found.budgets[3])))
    dense = data.trajectory("bulk")
    error = model.predict(dense) - synthetic_tensors(synthetic_positions(times))
    for band in found.bands:
        motion = BandFilter(ends[band], 2.0).apply(dense.velocities)[frames]
        exact = synthetic_tensors(synthetic_positions(times[frames]))
        top = np.einsum("fapd,fad->fp", error[frames], motion)
        bottom = np.einsum("fapd,fad->fp", exact, motion)
        expected = np.sqrt((top**2).sum() / (bottom**2).sum())
        assert point.metrics[f"current_error[{band}]"].value == pytest.approx(expected, rel=1e-3)


def test_finished_runs_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = measure(("constant-charge",), (1, 2), cache=tmp_path)
    kept = sorted(tmp_path.glob("constant-charge-*"))
    assert len(kept) == 2
    assert all((folder / "charges.json").is_file() for folder in kept)
    provenance = json.loads((kept[0] / "charges.json").read_text())["provenance"]
    assert {"content_hash", "split_hash", "train", "train_frames", "versions"} <= set(provenance)
    trained = []
    original = learning_run.fit_model

    def counted(model, train, *arguments, **keywords):
        trained.append(len(train))
        return original(model, train, *arguments, **keywords)

    monkeypatch.setattr(learning_run, "fit_model", counted)
    again = measure(("constant-charge",), (1, 2, 3), cache=tmp_path)
    assert trained == [3]
    assert again.points[:2] == first.points
    (kept[0] / "run.npz").write_bytes(b"half a file")
    measure(("constant-charge",), (1, 2, 3), cache=tmp_path)
    assert len(trained) == 2


def test_repeats_are_for_models_with_a_seed(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_text("{name: noisy, title: Noisy, class: 'code:Noisy'}")
    (tmp_path / "code.py").write_text(NOISY)
    curve = measure((tmp_path, "constant-charge"), (2,), repeats=3)
    assert [p.seed for p in curve.of("noisy", 2)] == [5, 1005, 2005]
    assert [p.seed for p in curve.of("constant-charge", 2)] == [None]
    values = {p.metrics["rmse"].value for p in curve.of("noisy", 2)}
    assert len(values) == 3
    assert "3 seeds" in learning_table(curve)


def test_a_committee_can_be_made_smaller(tmp_path: Path) -> None:
    pytest.importorskip("e3nn")
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "model.yaml").write_text(
        "{name: small, title: Small, class: 'aptbench.models.equivariant:EquivariantModel'}"
    )
    (folder / "train.yaml").write_text(
        "graph: {cutoff: 3.0, message_cutoff: 3.0, radial: 4, message_radial: 3}\n"
        "network: {channels: 2, message_channels: 2}\ntraining: {steps: 2}\ncommittee: 2\n"
    )
    both, one = (measure((folder,), (1,), committee=n, cache=tmp_path) for n in (None, 1))
    assert both.points[0].n_parameters == 2 * one.points[0].n_parameters
    assert both.points[0].metrics["rmse"] != one.points[0].metrics["rmse"]
    assert (both.committee, one.committee) == (None, 1)


def test_what_makes_another_training(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(project / "baselines" / "constant-charge", folder)
    before = settings_hash(folder)
    (folder / "charges.json").write_text("{}")
    (folder / ".checkpoint.0").write_text("")
    (folder / "card.md").write_text("Another card.")
    assert settings_hash(folder) == before
    (folder / "train.yaml").write_text("steps: 3")
    assert settings_hash(folder) != before
    assert settings_hash(None) is None


def test_files_and_tables(curve: LearningCurve, tmp_path: Path) -> None:
    results = tmp_path / "benchmarks" / "results"
    path = write_learning_curve(curve, results / "learning-curves.json")
    assert read_learning_curve(path) == curve
    table = learning_blocks(tmp_path)["learning-curves"]
    assert table.count("\n| constant-charge |") == 2
    assert "| point-charges | – |" in table
    rows = learning_csv(curve).splitlines()
    assert rows[0].startswith("model,labels,seed,metric,value")
    assert len(rows) == 1 + sum(len(point.metrics) for point in curve.points)
    row = {"system": "a", "band": "b", "model": "m", "true": 0.1, "all_labels": 0.2, "few": 10}
    bands = band_table([row | {"few_labels_low": 0.1, "few_labels_high": 0.3}])
    assert "0.100 | 0.200 | 0.100–0.300" in bands
    assert "*m* 2.00 (2.00–2.00)" in bands
    assert "Not measured yet" in learning_blocks(tmp_path)["band-current"]
    path.write_text("{}")
    with pytest.raises(InputError, match="not valid"):
        read_learning_curve(path)
    with pytest.raises(InputError, match="no such learning curve"):
        read_learning_curve(tmp_path / "none.json")


def test_the_figure_has_a_line_for_every_model(curve: LearningCurve) -> None:
    figure = learning_figure(curve.model_copy(update={"label_noise": 0.001}))
    total = figure.axes[0]
    assert total.get_xscale() == total.get_yscale() == "log"
    flat = [line for line in total.lines if len(set(np.ravel(line.get_ydata()))) == 1]
    assert len(flat) >= 2  # point charges, and the noise
    assert [text.get_text() for text in figure.legends[0].get_texts()] == curve.models
    shown = [axes.get_title(loc="left") for axes in figure.axes if axes.get_visible()]
    assert shown == ["all atoms", "O", "H", "L = 0", "L = 1", "L = 2"]


def test_budgets_that_are_close_do_not_write_over_each_other(curve: LearningCurve) -> None:
    close = [curve.points[0].model_copy(update={"labels": n}) for n in (1, 2, 16, 19)]
    budgets = {point.labels: () for point in close}
    figure = learning_figure(curve.model_copy(update={"points": close, "budgets": budgets}))
    ticks = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert ticks == ["1", "2", "", "19"]


@pytest.mark.parametrize("wrong", [{"budgets": ()}, {"models": ()}, {"repeats": 0}])
def test_nothing_to_measure(wrong) -> None:
    with pytest.raises(InputError, match="needs a model"):
        measure(**wrong)


def test_an_impossible_budget() -> None:
    with pytest.raises(InputError, match="no such budget"):
        measure(budgets=(1, 99))


def test_two_models_of_one_name_are_refused(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project / "baselines" / "constant-charge", copy)
    with pytest.raises(InputError, match="Two models are called 'constant-charge'"):
        measure(("constant-charge", copy))


def test_budgets_are_those_of_the_split_file(
    synthetic_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    shutil.copytree(synthetic_project, root)
    monkeypatch.setenv("APTBENCH_ROOT", str(root))
    task = load_task(TASK)
    path = split_path("synthetic-water", "iid")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"budgets": [1, 3, 5]}))

    def budgets(*words: str) -> list[str]:
        words = ("learn", TASK, "--model", "constant-charge", "--no-cache", "--json", *words)
        result = CliRunner().invoke(build_app(), [*words, "--out", str(tmp_path / "out")])
        assert result.exit_code == 0, result.output
        return list(json.loads(result.stdout)["budgets"])

    assert budgets() == ["1", "3", "5"]
    assert budgets("--labels", "2") == ["2"]
    short = DataSelection.of(task, np.array([4, 0, 2, 1]), name="mine", method="by hand")
    write_selection(short, tmp_path / "mine.json")
    assert budgets("--selection", str(tmp_path / "mine.json")) == ["1", "3"]


def test_a_selection_spends_the_budget(
    synthetic_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))
    task = load_task("synthetic-water/iid")
    dataset = open_dataset(task.dataset)
    order = np.array([4, 0, 2])
    selection = DataSelection.of(task, order, name="mine", method="by hand")
    curve = measure_learning_curve(task, dataset, ["constant-charge"], [1, 3], selection=selection)
    train = [task.train[k] for k in order]
    assert curve.budgets == {1: train[:1], 3: sorted(train)}
    assert curve.selection == "mine"
    leak = selection.model_copy(update={"labels": (task.test[0],)})
    with pytest.raises(AlignmentError, match="not taken from the pool"):
        measure_learning_curve(task, dataset, ["constant-charge"], [1], selection=leak)
    out = tmp_path / "selection.json"
    words = ["select", "synthetic-water/iid", "--method", "farthest", "--out", str(out)]
    assert CliRunner().invoke(build_app(), words).exit_code == 0
    assert sorted(read_selection(out).labels) == list(task.train)
