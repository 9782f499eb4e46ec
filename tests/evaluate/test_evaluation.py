"""From a model to a result: the numbers are those of the definition."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aptbench.data import Dataset, open_dataset
from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate import (
    Predictions,
    Result,
    evaluate_file,
    evaluate_model,
    read_result,
    score_predictions,
    write_report,
    write_result,
)
from aptbench.evaluate.archive import archive_evaluation, archived_results
from aptbench.evaluate.task_spectrum import task_spectrum
from aptbench.spectra import absorption
from aptbench.tasks import Task, load_task

BULK = "bulk"


@pytest.fixture(autouse=True)
def _root(synthetic_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))


@pytest.fixture
def task() -> Task:
    return load_task("synthetic-water/iid")


@pytest.fixture
def dataset(task: Task) -> Dataset:
    return open_dataset(task.dataset)


def truth(task: Task, dataset: Dataset) -> Predictions:
    labels = dataset.labelled(BULK, np.array(task.test))
    frame = dataset.label_frames(BULK)[list(task.test)]
    return Predictions(labels.apt, frame, labels.frames.atomic_numbers, dataset.content_hash)


def test_the_truth_scores_zero_and_an_offset_its_size(task: Task, dataset: Dataset) -> None:
    exact = truth(task, dataset)
    scores = score_predictions(task, dataset, {BULK: exact})
    assert scores["rmse"].value == 0
    assert scores["current_error"].value == 0
    shifted = Predictions(exact.apt + 0.1, exact.frame, exact.atomic_number)
    scores = score_predictions(task, dataset, {BULK: shifted})
    assert scores["rmse"].value == pytest.approx(0.1)
    assert scores["rmse[O]"].value == pytest.approx(0.1)
    # 0.1 everywhere: the sum over 24 atoms is 2.4 in every component
    assert scores["sum_rule_residual"].value == pytest.approx(2.4)
    assert scores["rmse"].unit == "e"


def test_only_the_test_labels_count(task: Task, dataset: Dataset) -> None:
    labels = dataset.labelled(BULK, np.array(task.train[: len(task.test)]))
    frame = dataset.label_frames(BULK)[list(task.train[: len(task.test)])]
    others = Predictions(labels.apt, frame, labels.frames.atomic_numbers)
    with pytest.raises(AlignmentError, match="test frames"):
        score_predictions(task, dataset, {BULK: others})


def test_a_model_is_scored_as_its_predictions_are(
    task: Task, dataset: Dataset, tmp_path: Path
) -> None:
    evaluation = evaluate_model(task, dataset, "constant-charge")
    result = evaluation.result
    labels = dataset.labelled(BULK, np.array(task.test))
    error = evaluation.predictions[BULK].apt - labels.apt
    assert result.metrics["rmse"].value == pytest.approx(np.sqrt(np.mean(error**2)))
    assert result.metrics["equivariance_error"].value < 1e-12
    assert result.timing is not None
    assert result.spectrum is None
    archived = archive_evaluation(evaluation, tmp_path)
    assert archived == tmp_path / "synthetic-water" / "iid" / "constant-charge.json"
    assert archived_results(tmp_path) == [result]
    again = evaluate_file(task, dataset, archived.with_suffix(".npz")).result
    for name, metric in again.metrics.items():
        assert metric == result.metrics[name]


def test_the_spectrum_has_the_area_of_the_sum_rule(task: Task, dataset: Dataset) -> None:
    part = task_spectrum(task, dataset)
    trajectory = part.trajectory
    evaluation = evaluate_model(task, dataset, "point-charges", spectrum=part)
    frames = trajectory.frames[:]
    assert evaluation.current is not None
    spectrum = absorption(evaluation.current.current, **trajectory.constants)
    velocities = frames.velocities
    assert velocities is not None
    charge = np.where(frames.atomic_numbers == 8, -0.82, 0.41)
    current = np.einsum("a,fax->fx", charge, velocities)
    current -= current.mean(0)
    square = np.mean(np.sum(current**2, 1)) * (1.602176634e-19 * 1e5) ** 2
    prefactor = np.pi / (
        6 * 8.8541878128e-12 * 299792458.0 * trajectory.volume * 1e-30 * 1.380649e-23
    )
    prefactor /= trajectory.temperature
    # integral over angular frequency in SI, to one over wavenumber in cm^-2
    area = prefactor * square / (2 * np.pi * 299792458.0) * 1e-4
    assert np.trapezoid(spectrum.absorption, spectrum.wavenumber) == pytest.approx(area, rel=0.02)
    summary = evaluation.result.spectrum
    assert summary is not None
    assert sum(band.integral for band in summary.bands.values()) < area


def test_results_survive_the_file_and_damage_is_named(
    task: Task, dataset: Dataset, tmp_path: Path
) -> None:
    result = evaluate_model(task, dataset, "point-charges").result
    path = write_result(result, tmp_path / "r.json")
    assert read_result(path) == result
    content = json.loads(path.read_text())
    for damage in ({"rank": 1}, {"metrics": {"rmse": {"value": "NaN", "unit": "e"}}}):
        path.write_text(json.dumps(content | damage))
        with pytest.raises(InputError, match=r"r\.json"):
            read_result(path)
    with pytest.raises(InputError, match="no such result"):
        read_result(tmp_path / "absent.json")


def test_results_of_the_first_schema_are_read(task: Task, dataset: Dataset, tmp_path: Path) -> None:
    path = write_result(evaluate_model(task, dataset, "point-charges").result, tmp_path / "r.json")
    content = json.loads(path.read_text())
    assert content["schema_version"] == 4
    for later in ("training", "cost", "systems"):
        del content[later]
    path.write_text(json.dumps(content | {"schema_version": 1}))
    old = read_result(path)
    assert (old.training, old.cost) == (None, None)
    path.write_text(json.dumps(content | {"schema_version": 5}))
    with pytest.raises(InputError, match="schema_version"):
        read_result(path)


MEMBERS = """
import numpy as np

class Pair:
    def predict(self, frames):
        return np.zeros((len(frames), frames.n_atoms, 3, 3))

    def predict_std(self, frames):
        return np.full((len(frames), frames.n_atoms, 3, 3), 0.2)
"""


def test_predicted_deviations_are_scored_archived_and_drawn(
    task: Task, dataset: Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "pair"
    folder.mkdir()
    (folder / "model.py").write_text(MEMBERS)
    (folder / "model.yaml").write_text("name: pair\ntitle: Pair\nclass: model:Pair\n")
    evaluation = evaluate_model(task, dataset, folder)
    labels = dataset.labelled(BULK, np.array(task.test)).apt
    metrics = evaluation.result.metrics
    assert metrics["z_score"].value == pytest.approx(np.sqrt(np.mean(labels**2)) / 0.2)
    inside = np.mean(np.abs(labels) < 1.96 * 0.2)
    assert metrics["coverage_95"].value == pytest.approx(inside, abs=0.01)
    # all deviations are the same: there is no order to correlate with
    assert "error_rank_correlation" not in metrics
    again = evaluate_file(
        task, dataset, archive_evaluation(evaluation, tmp_path / "a").with_suffix(".npz")
    )
    assert again.result.metrics["z_score"] == metrics["z_score"]
    both = [evaluation, evaluate_model(task, dataset, "constant-charge")]
    page = write_report(task, dataset, both, tmp_path / "report").read_text()
    assert "Predicted uncertainties" in page
    assert (tmp_path / "report" / "uncertainty.png").is_file()
    plain = write_report(task, dataset, both[1:], tmp_path / "plain").read_text()
    assert "Predicted uncertainties" not in plain


def test_cost_is_measured_when_it_is_asked_for(task: Task, dataset: Dataset) -> None:
    without = evaluate_model(task, dataset, "constant-charge").result
    assert without.cost is not None
    assert without.cost.inference is None
    measured = evaluate_model(task, dataset, "constant-charge", cost=True).result.cost
    assert measured is not None
    assert measured.inference is not None
    assert measured.inference.frames == min(8, len(task.test))
    # what does not depend on the machine is the same in both
    assert measured.model_copy(update={"inference": None}) == without.cost


def test_the_report_is_one_file_that_holds_everything(
    task: Task, dataset: Dataset, tmp_path: Path
) -> None:
    part = task_spectrum(task, dataset)
    names = ("constant-charge", "point-charges")
    evaluations = [evaluate_model(task, dataset, n, spectrum=part) for n in names]
    study = part.study({e.result.model.name: e.current.current for e in evaluations})
    page = write_report(task, dataset, evaluations, tmp_path, study=study).read_text()
    assert not re.search(r'(src|href)="(?!data:|spectrum\.|channels\.json)', page)
    for text in (
        dataset.content_hash,
        task.split.hash,
        "labels that no model was fitted to",
        *names,
        "aptbench run synthetic-water/iid --model constant-charge --model point-charges",
        "ir@1",
    ):
        assert text in page
    assert "come from the archive" not in page
    assert "integral / 10⁶ cm⁻²" in page
    assert "Absorption n(ω)α(ω)" in page
    partly = [replace(evaluations[0], assignment=None), evaluations[1]]
    page = write_report(task, dataset, partly, tmp_path / "partly", study=study).read_text()
    assert "The currents of constant-charge come from the archive" in page
    for stem in ("spectrum", "errors", "parity-constant-charge"):
        assert (tmp_path / f"{stem}.png").read_bytes()[:4] == b"\x89PNG"
        assert b"<svg" in (tmp_path / f"{stem}.svg").read_bytes()
    rows = list(csv.reader((tmp_path / "spectrum.csv").read_text().splitlines()))
    assert rows[0][0] == "wavenumber_cm-1"
    column = np.array([float(row[1]) for row in rows[1:]])
    drawn = absorption(evaluations[0].current.current, **part.trajectory.constants)
    np.testing.assert_allclose(column, drawn.absorption, rtol=1e-5, atol=1e-8)
    assert isinstance(read_result(tmp_path / "constant-charge.json"), Result)


def test_the_integrals_of_an_isolated_system_are_molar(
    task: Task, dataset: Dataset, tmp_path: Path
) -> None:
    part = task_spectrum(task, dataset)
    # 1000 angstrom^3 a system are 602.214 cm^3 a mole, and a km is 10^5 cm
    part = replace(part, trajectory=replace(part.trajectory, isolated=True, volume=1000.0))
    evaluations = [evaluate_model(task, dataset, "constant-charge", spectrum=part)]
    study = part.study({e.result.model.name: e.current.current for e in evaluations})
    page = write_report(task, dataset, evaluations, tmp_path, study=study).read_text()
    assert "integral / 10³ km/mol" in page
    assert "10⁶ cm⁻²" not in page
    assert "Absorption n(ω)α(ω)" not in page
    assert "Molar absorption" in page
    row = json.loads((tmp_path / "spectrum.json").read_text())["band_integrals_cm-2"]["stretch"]
    molar = 6.02214076e-6 * row["models"]["constant-charge"][0]
    assert f"<td>{molar:.3f}<br>" in page
    assert f"<td>{6.02214076e-6 * row['reference'][0]:.3g} [" in page
