"""Spectra of models against dense and sparse references, on oscillators with exact labels."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from aptbench.data import Dataset, SystemData, write_dataset
from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate.prediction_run import PredictedTensors, predict_currents
from aptbench.evaluate.reference_currents import reference_currents
from aptbench.evaluate.spectral_files import (
    errors_of_channels,
    write_assignment,
    write_power,
    write_study,
)
from aptbench.evaluate.spectral_source import DenseLabelSource, open_source
from aptbench.evaluate.spectral_study import NOISE_FLOOR, REFERENCE, spectral_study
from aptbench.evaluate.task_spectrum import TaskSpectrum
from aptbench.evaluate.trajectory import (
    DenseTrajectory,
    dense_trajectory,
    molecular_currents,
    trajectory_of,
)
from aptbench.frames import Frames
from aptbench.oracle import ChargedOscillators
from aptbench.spectra import IR1, absorption, get_protocol
from aptbench.spectra.assignment import assign

SHORT = get_protocol("ir-short@1")
TIMES = 2.0 * np.arange(900)
OSCILLATORS = ChargedOscillators((0.8, -0.8, 0.5), (1.0, 16.0, 1.0), (3400.0, 1650.0, 600.0))


class Scaled:
    """The exact tensors times a number."""

    def __init__(self, factor: float, name: str) -> None:
        self.factor, self.name = factor, name

    def predict(self, frames: Frames) -> np.ndarray:
        return self.factor * OSCILLATORS.predict(frames)


@pytest.fixture(scope="module")
def frames() -> Frames:
    found = OSCILLATORS.trajectory(TIMES, 300.0, side=9.0)
    return found.replace(atomic_numbers=[1, 8, 1], molecule=[0, 1, 2])


def store(folder: Path, frames: Frames, labels: np.ndarray) -> Dataset:
    system = SystemData(
        frames,
        labels,
        OSCILLATORS.predict(frames[labels]),
        times=TIMES,
        dipole=np.einsum("fapd,fad->fp", OSCILLATORS.predict(frames), frames.positions)[labels],
        provenance={"labels": {"method": "closed form"}},
    )
    attrs = {"name": "synthetic", "version": "0.1.0", "title": "Synthetic", "license": "CC0-1.0"}
    attrs["infrared_bands"] = {"bend": [1500.0, 1800.0], "stretch": [3000.0, 3800.0]}
    return write_dataset(folder / "synthetic.zarr", {"a": system}, attrs)


@pytest.fixture(scope="module")
def dense(frames: Frames, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return store(tmp_path_factory.mktemp("dense"), frames, np.arange(len(frames)))


@pytest.fixture(scope="module")
def sparse(frames: Frames, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return store(tmp_path_factory.mktemp("sparse"), frames, np.arange(50, 850, 100))


def currents_of(trajectory: DenseTrajectory, *models: Scaled) -> dict[str, np.ndarray]:
    frames = trajectory.frames
    return {m.name: predict_currents(PredictedTensors(m, frames), frames).values for m in models}


def test_a_dense_reference_gives_every_score(dense: Dataset) -> None:
    trajectory = dense_trajectory(dense, "a", SHORT)
    models = currents_of(trajectory, Scaled(1.0, "exact"), Scaled(1.1, "strong"))
    study = spectral_study(trajectory, models, reference_currents(dense, "a"))
    scores = {(s.model, s.band, s.metric): s for s in study.scores}
    assert study.dense
    assert not study.debiased
    for band in ("all", "bend", "stretch"):
        assert scores["exact", band, "relative_l1"].value == pytest.approx(0, abs=1e-12)
        assert scores["exact", band, "current_error"].value == pytest.approx(0, abs=1e-6)
        strong = scores["strong", band, "band_integral_error"]
        assert strong.value == pytest.approx(0.21)
        # the pair shares all noise, so that nothing is left of it in a ratio
        assert (strong.low, strong.high) == pytest.approx((0.21, 0.21))
        assert scores["strong", band, "current_error"].value == pytest.approx(0.1)
        assert scores["strong", band, "wasserstein1"].value == pytest.approx(0, abs=1e-6)
        assert np.isfinite(scores[NOISE_FLOOR, band, "relative_l1"].value)


def test_the_reference_spectrum_is_that_of_the_labels(dense: Dataset, frames: Frames) -> None:
    trajectory = dense_trajectory(dense, "a", SHORT)
    study = spectral_study(
        trajectory,
        {},
        reference_currents(dense, "a"),
        dipole=DenseLabelSource(dense, "a", np.arange(dense.n_labels("a"))).dipoles(),
    )
    found = study.reference_spectrum()
    assert found is not None
    stored = trajectory.frames[:]
    assert stored.velocities is not None
    rates = np.einsum("fapd,fad->fp", OSCILLATORS.predict(frames), stored.velocities)
    expected = absorption(rates, **trajectory.constants).absorption
    assert np.abs(found[0].absorption - expected).max() < 1e-9 * expected.max()
    assert study.from_dipole is not None
    # the positions, and so the dipoles of the store, are rounded
    difference = study.from_dipole.absorption - expected
    assert np.abs(difference).max() < 0.02 * expected.max()


def test_sparse_labels_correct_a_model(sparse: Dataset, frames: Frames) -> None:
    trajectory = dense_trajectory(sparse, "a", SHORT)
    models = currents_of(trajectory, Scaled(1.0, "exact"), Scaled(1.3, "strong"))
    reference = reference_currents(sparse, "a")
    assert reference is not None
    assert not reference.dense
    study = spectral_study(trajectory, models, reference)
    truth = study.spectra.spectrum("exact").absorption
    corrected = study.debiased["strong"].spectrum.absorption
    assert study.best_debiased == "exact"
    # a model that is wrong by a factor is corrected
    assert np.abs(corrected - truth).max() < 1e-4 * truth.max()
    scores = {(s.model, s.band, s.metric): s.value for s in study.scores}
    assert scores["strong", "stretch", "band_integral_error"] == pytest.approx(0.69, abs=1e-3)


def test_fitted_labels_are_left_out(sparse: Dataset) -> None:
    reference = reference_currents(sparse, "a", {0, 1, 2})
    assert reference is not None
    assert reference.label_frames.tolist() == [350, 450, 550, 650, 750]
    assert reference.left_out == 3
    assert reference_currents(sparse, "a", range(8)) is None


def test_nothing_is_left_out_where_every_frame_is_labelled(dense: Dataset) -> None:
    reference = reference_currents(dense, "a", {0, 1, 2})
    assert reference is not None
    assert (reference.dense, reference.left_out) == (True, 0)


def test_two_labels_are_too_few_for_a_reference(sparse: Dataset) -> None:
    trajectory = dense_trajectory(sparse, "a", SHORT)
    reference = reference_currents(sparse, "a")
    assert reference is not None
    few = replace(reference, label_frames=reference.label_frames[:2], values=reference.values[:2])
    study = spectral_study(trajectory, currents_of(trajectory, Scaled(1.0, "exact")), few)
    assert study.reference_spectrum() is None
    assert study.scores == ()


def test_a_burst_is_one_label_and_too_few(sparse: Dataset) -> None:
    trajectory = dense_trajectory(sparse, "a", SHORT)
    reference = reference_currents(sparse, "a")
    assert reference is not None
    burst = replace(reference, label_frames=np.array([50, 51, 52, 53]), values=reference.values[:4])
    assert burst.n_clusters == 1
    study = spectral_study(trajectory, currents_of(trajectory, Scaled(1.0, "exact")), burst)
    assert study.reference_spectrum() is None


def test_whatever_a_model_sees_identifies_a_trajectory(frames: Frames) -> None:
    others = (
        frames,
        frames.replace(molecule=[0, 1, 1]),
        frames.replace(total_charge=0.0),
        frames.replace(positions=frames.positions + 0.1),
        frames.replace(cell=[9.5] * 3),
    )
    assert len({trajectory_of(other, 2.0, SHORT).identity for other in others}) == len(others)


def test_every_file_says_the_same(dense: Dataset, tmp_path: Path) -> None:
    trajectory = dense_trajectory(dense, "a", SHORT)
    study = spectral_study(
        trajectory,
        currents_of(trajectory, Scaled(1.1, "strong")),
        reference_currents(dense, "a"),
    )
    summary = write_study(study, tmp_path)
    assert json.loads((tmp_path / "spectrum.json").read_text()) == summary
    rows = np.genfromtxt(tmp_path / "spectrum.csv", delimiter=",", names=True)
    values = study.spectra.spectrum("strong").absorption
    np.testing.assert_allclose(rows["strong_nalpha_cm1"], values, rtol=1e-5, atol=1e-3)
    with xr.open_zarr(tmp_path / "spectrum.zarr", consolidated=False) as opened:
        np.testing.assert_array_equal(opened.absorption.sel(spectrum="strong"), values)
        assert opened.attrs["protocol"] == "ir-short@1"
        assert opened.absorption.attrs["units"] == "cm-1"
    for suffix in ("png", "svg"):
        assert (tmp_path / f"spectrum.{suffix}").stat().st_size > 5000
    stretch = summary["band_integrals_cm-2"]["stretch"]
    assert stretch["models"]["strong"][0] == pytest.approx(1.21 * stretch[REFERENCE][0])
    write_power(trajectory, tmp_path)
    power = np.genfromtxt(tmp_path / "power.csv", delimiter=",", names=True)
    np.testing.assert_allclose(
        power["O_modes_per_cm1"] + power["H_modes_per_cm1"],
        power["total_modes_per_cm1"],
        rtol=1e-4,
        atol=1e-7,
    )


def test_the_channels_of_a_model_are_compared_with_the_reference(
    dense: Dataset, tmp_path: Path
) -> None:
    trajectory = dense_trajectory(dense, "a", SHORT)
    tensors = {
        REFERENCE: DenseLabelSource(dense, "a", np.arange(dense.n_labels("a"))),
        "strong": PredictedTensors(Scaled(1.1, "strong"), trajectory.frames),
    }
    assignments = {
        name: assign(molecular_currents(source, trajectory), **trajectory.constants)
        for name, source in tensors.items()
    }
    errors = errors_of_channels(assignments, trajectory)
    assert set(errors) == {"strong"}
    species = errors["strong"]["species"]
    assert species.relative_l1 == pytest.approx(0.21, rel=1e-3)
    result = write_assignment(assignments, trajectory, tmp_path)
    model = result["models"]["strong"]
    assert model["additivity"] < 1e-10
    for channels in model["channels_cm-2"].values():
        total = sum(channel["stretch"] for channel in channels.values())
        assert total == pytest.approx(model["total_cm-2"]["stretch"], rel=1e-9)
    assert (tmp_path / "channels-strong.png").exists()
    # single ions have one mode, which needs no picture of its own
    assert not (tmp_path / "modes-strong.png").exists()


def test_what_does_not_fit_is_refused(dense: Dataset, frames: Frames) -> None:
    trajectory = dense_trajectory(dense, "a", SHORT)
    reference = reference_currents(dense, "a")
    assert reference is not None
    good = np.zeros((len(frames), 3))
    with pytest.raises(InputError, match="nothing to make a spectrum of"):
        spectral_study(trajectory, {}, None)
    with pytest.raises(InputError, match="cannot have the name"):
        spectral_study(trajectory, {REFERENCE: good})
    with pytest.raises(AlignmentError, match="not of all frames"):
        spectral_study(trajectory, {"a": good[1:]})
    with pytest.raises(AlignmentError, match="not of this trajectory"):
        spectral_study(trajectory, {"a": good}, replace(reference, n_frames=7))


def test_a_source_is_a_data_set_a_store_or_a_file(dense: Dataset, tmp_path: Path) -> None:
    from aptbench.data.readers.extended_xyz import write_extended_xyz

    opened = open_source(str(dense.path), protocol=SHORT, bands={"mine": (100.0, 200.0)})
    assert opened.trajectory.bands == {"mine": (100.0, 200.0)}
    assert opened.name == "synthetic-a"
    path = tmp_path / "md.extxyz"
    write_extended_xyz(path, opened.trajectory.frames[:])
    again = open_source(
        str(path), protocol=SHORT, time_step=2.0, velocity_unit="angstrom/fs", temperature=310.0
    )
    assert again.trajectory.temperature == 310.0
    assert again.trajectory.volume == pytest.approx(729.0)
    assert again.reference() is None
    np.testing.assert_array_equal(
        again.trajectory.frames[5:9].positions, opened.trajectory.frames[5:9].positions
    )
    with pytest.raises(InputError, match="time between its frames"):
        open_source(str(path), protocol=SHORT, velocity_unit="angstrom/fs")
    with pytest.raises(InputError, match="must be positive"):
        open_source(str(dense.path), protocol=SHORT, volume=-1.0)
    with pytest.raises(InputError, match="Not every frame"):
        again.dense_labels()
    file: dict[str, Any] = {"time_step": 2.0, "velocity_unit": "angstrom/fs", "protocol": SHORT}
    with pytest.raises(InputError, match="states its cell"):
        open_source(str(path), **file, cell=(9.0, 9.0, 9.0))
    write_extended_xyz(path, opened.trajectory.frames[:].replace(cell=None))
    given = open_source(str(path), **file, cell=(9.0, 9.0, 9.0))
    assert given.trajectory.volume == pytest.approx(729.0)
    with pytest.raises(InputError, match="takes no --system"):
        open_source(str(path), **file, system="a")
    with pytest.raises(InputError, match="takes no --time-step and no --cell"):
        open_source(str(dense.path), protocol=SHORT, time_step=1.0, cell=(9.0, 9.0, 9.0))


def test_labels_of_a_stretch_are_those_of_its_frames(dense: Dataset) -> None:
    whole = open_source(str(dense.path), protocol=SHORT)
    stretch = dense_trajectory(dense, "a", SHORT, frames=range(100, 700))
    reference = reference_currents(dense, "a")
    assert reference is not None
    part = TaskSpectrum("synthetic/a@1", stretch, 100, reference)
    labels = replace(whole, trajectory=stretch, task=part).dense_labels()
    every = whole.dense_labels()
    assert labels.shape == (600, *every.shape[1:])
    np.testing.assert_array_equal(labels[5:9], every[105:109])
    np.testing.assert_array_equal(labels.dipoles(), every.dipoles()[100:700])


def test_a_single_block_has_no_floor(dense: Dataset) -> None:
    trajectory = dense_trajectory(dense, "a", SHORT)
    models = currents_of(trajectory, Scaled(1.1, "strong"))
    study = spectral_study(trajectory, models, reference_currents(dense, "a"), block=1e6)
    assert {score.model for score in study.scores} == {"strong"}


def test_a_drifting_ion_changes_nothing(frames: Frames) -> None:
    """A charged cell: the steady current of its net charge is taken away with the mean."""
    tensors = OSCILLATORS.predict(frames)
    assert frames.velocities is not None
    rates = np.einsum("fapd,fad->fp", tensors, frames.velocities)
    drift = np.einsum("fapd,d->fp", tensors, [1e-3, 2e-3, 0.0])
    constants = {"time_step": 2.0, "volume": 729.0, "temperature": 300.0, "protocol": SHORT}
    assert OSCILLATORS.predict(frames)[0].sum(0)[0, 0] == pytest.approx(0.5)
    still, moving = (absorption(r, **constants).absorption for r in (rates, rates + drift))
    assert np.abs(moving - still).max() < 1e-9 * still.max()


def test_protocols_differ_in_what_they_ask_for(dense: Dataset) -> None:
    with pytest.raises(InputError, match="too short"):
        dense_trajectory(dense, "a", IR1)
