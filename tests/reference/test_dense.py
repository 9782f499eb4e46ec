"""Dense labels in segments, the dynamics under them, recipes, and the command."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import socket
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from aptbench import Frames
from aptbench.cli.main import build_app
from aptbench.data import Dataset, verify
from aptbench.data.quantization import TENSOR_STEP, round_positions, round_tensors
from aptbench.errors import AlignmentError, EngineError, InputError, StoreError
from aptbench.reference.dense import DenseLabels, dense_data, label_dense, taken
from aptbench.reference.dense_recipe import (
    DenseRecipe,
    Dynamics,
    read_molecules,
    sample_dense,
    total_energies,
)
from aptbench.reference.inputs import xyz_text
from tests.reference.conftest import WATER

CHARGES = np.array([-0.8, 0.4, 0.4])
PROJECT = Path(__file__).parents[2]


class PointCharges:
    """Exact labels at once, or after a while, or an error in the middle; it counts its frames."""

    name = "point charges"

    def __init__(self, version: str = "1", stop_at: int | None = None, log: Path | None = None):
        self.version, self.stop_at, self.log, self.labelled = version, stop_at, log, 0

    def label(self, frames: Frames) -> DenseLabels:
        if self.stop_at is not None and self.labelled >= self.stop_at:
            raise KeyboardInterrupt
        self.labelled += len(frames)
        if self.log is not None:
            time.sleep(0.05)
            with self.log.open("a") as file:
                file.write(f"{frames.positions[0, 0, 0]!r}\n")
        apt = np.tile(CHARGES[:, None, None] * np.eye(3), (len(frames), 1, 1, 1))
        dipole = np.einsum("a,fax->fx", CHARGES, frames.positions)
        return DenseLabels(apt, dipole, {"number": frames.positions[:, 0, 0]})

    def provenance(self):
        return {"code": "none", "version": self.version}


class Spring:
    """Two atoms on a spring of 20 eV/angstrom^2 and 1 angstrom; the third of water is free."""

    def forces(self, frames: Frames) -> np.ndarray:
        bond = frames.positions[:, 1] - frames.positions[:, 0]
        length = np.linalg.norm(bond, axis=-1, keepdims=True)
        pull = 20.0 * (length - 1.0) * bond / length
        forces = np.zeros(frames.positions.shape)
        forces[:, 0], forces[:, 1] = pull, -pull
        return forces

    def energies(self, frames: Frames) -> np.ndarray:
        bond = frames.positions[:, 1] - frames.positions[:, 0]
        return 10.0 * (np.linalg.norm(bond, axis=-1) - 1.0) ** 2


@pytest.fixture
def frames() -> Frames:
    shift = 0.01 * np.arange(25)[:, None, None]
    return Frames([8, 1, 1], np.add(WATER, shift), velocities=np.full((25, 3, 3), 1e-3))


@pytest.fixture
def dynamics() -> Dynamics:
    return Dynamics(
        start="start.xyz", temperature=300.0, equilibration_ps=0.4, length_ps=0.9, seed=1
    )


@pytest.fixture
def dumbbell() -> Frames:
    return Frames([8, 1], [[0.0, 0, 0], [1.0, 0, 0]])


def test_all_frames_get_their_own_labels_in_order(frames, tmp_path):
    told = []
    labels = label_dense(frames, PointCharges(), tmp_path, 10, lambda *a: told.append(a))
    assert np.array_equal(labels.dipole, np.einsum("a,fax->fx", CHARGES, frames.positions))
    assert np.array_equal(labels.quality["number"], frames.positions[:, 0, 0])
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        f"segment_{start:06d}.npz" for start in (0, 10, 20)
    ]
    assert told == [(10, 25), (20, 25), (25, 25)]


def test_a_killed_run_loses_one_segment(frames, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        label_dense(frames, PointCharges(stop_at=20), tmp_path, 10)
    assert len(list(tmp_path.glob("*.npz"))) == 2
    assert not list(tmp_path.glob("*.lock"))
    again = PointCharges()
    assert len(label_dense(frames, again, tmp_path, 10)) == 25
    assert again.labelled == 5


def test_a_longer_trajectory_needs_only_its_new_frames(frames, tmp_path):
    label_dense(frames[:13], PointCharges(), tmp_path, 10)
    again = PointCharges()
    labels = label_dense(frames, again, tmp_path, 10)
    assert again.labelled == 15, "the first, full segment is kept"
    assert np.array_equal(labels.quality["number"], frames.positions[:, 0, 0])


def test_segments_of_other_frames_are_refused(frames, tmp_path):
    label_dense(frames, PointCharges(), tmp_path, 10)
    with pytest.raises(AlignmentError, match=r"segment_000000.*other frames[\s\S]*remove"):
        label_dense(frames.translated([1e-9, 0, 0]), PointCharges(), tmp_path, 10)
    with pytest.raises(AlignmentError, match="other frames"):
        label_dense(frames, PointCharges(), tmp_path, 5)


def test_segments_of_another_labeller_are_refused(frames, tmp_path):
    label_dense(frames, PointCharges(), tmp_path, 10)
    with pytest.raises(InputError, match="another labeller"):
        label_dense(frames, PointCharges("2"), tmp_path, 10)


def test_a_damaged_segment_is_named(frames, tmp_path):
    label_dense(frames, PointCharges(), tmp_path, 10)
    path = tmp_path / "segment_000010.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StoreError, match="segment_000010"):
        label_dense(frames, PointCharges(), tmp_path, 10)


def test_two_processes_share_the_work(frames, tmp_path):
    log, folder = tmp_path / "log", tmp_path / "labels"
    context = multiprocessing.get_context("fork")
    other = context.Process(
        target=label_dense, args=(frames, PointCharges(log=log), folder), kwargs={"segment": 1}
    )
    other.start()
    labels = label_dense(frames, PointCharges(log=log), folder, 1)
    other.join()
    assert other.exitcode == 0
    assert np.array_equal(labels.quality["number"], frames.positions[:, 0, 0])
    made = log.read_text().splitlines()
    assert len(made) == len(set(made)) == 25, "a segment was computed twice"


def test_the_lock_of_a_dead_process_does_not_hold(frames, tmp_path):
    process = multiprocessing.get_context("fork").Process(target=int)
    process.start()
    process.join()
    lock = tmp_path / "segment_000000.lock"
    lock.write_text(f"{socket.gethostname()} {process.pid}")
    assert len(label_dense(frames, PointCharges(), tmp_path, 10)) == 25
    lock.write_text(f"{socket.gethostname()} {os.getpid()}")
    with taken(lock) as mine:
        assert not mine
    # a process of this number that was started at another time
    lock.write_text(f"{socket.gethostname()} {os.getpid()} 1")
    with taken(lock) as mine:
        assert mine
    lock.write_text(f"{socket.gethostname()} {os.getpid()}")
    assert lock.exists(), "the lock of another process was removed"
    lock.write_text("another-computer 1")
    with taken(lock) as mine:
        assert not mine


def test_shapes_of_labels_are_checked(frames, tmp_path):
    with pytest.raises(InputError, match="wrong shapes"):
        DenseLabels(np.zeros((2, 3, 3, 3)), np.zeros((1, 3)))
    with pytest.raises(InputError, match="not finite"):
        DenseLabels(np.zeros((1, 3, 3, 3)), np.full((1, 3), np.nan))
    with pytest.raises(InputError, match="no dense labels"):
        DenseLabels.joined([])
    few = PointCharges()
    few.label = lambda frames: DenseLabels(np.zeros((1, 3, 3, 3)), np.zeros((1, 3)))
    with pytest.raises(AlignmentError, match="one label a frame"):
        label_dense(frames, few, tmp_path, 10)
    with pytest.raises(InputError, match="not positive"):
        label_dense(frames, few, tmp_path, 0)


def test_rounding_is_far_below_the_noise_and_the_residuals_are_of_the_labels(frames):
    rng = np.random.default_rng(0)
    labels = DenseLabels(rng.normal(size=(25, 3, 3, 3)), rng.normal(size=(25, 3)))
    data = dense_data(frames, labels, 2.0 * np.arange(25), {})
    assert 0 < np.abs(data.apt - labels.apt).max() <= TENSOR_STEP / 2
    assert np.array_equal(round_tensors(data.apt), data.apt)
    expected = np.sqrt(np.mean(labels.apt.sum(1) ** 2, axis=(1, 2)))
    assert data.quality["acoustic_sum_unrounded"] == pytest.approx(expected, rel=1e-12)
    exact = PointCharges().label(frames)
    assert np.abs(
        dense_data(frames, exact, np.arange(25.0), {}).quality["rotational_sum"]
    ).max() < (1e-12)


def test_dynamics_keep_energy_and_momentum(dynamics, dumbbell, tmp_path):
    times, frames, potential = sample_dense(dynamics, dumbbell, Spring(), tmp_path)
    assert times == pytest.approx(2.0 * np.arange(451))
    total = total_energies(frames, potential)
    assert np.ptp(total) < 0.02 * total.mean()
    momentum = np.einsum("a,fax->fx", frames.masses, frames.velocities)
    assert np.abs(momentum).max() < 1e-12
    spring = np.sqrt(20.0 * 9.648533e-3 / (15.999 * 1.008 / 17.007))  # rad/fs
    stretch = np.linalg.norm(frames.positions[:, 1] - frames.positions[:, 0], axis=1)
    power = np.abs(np.fft.rfft(stretch - stretch.mean(), 8192))
    assert 2 * np.pi * power.argmax() / (8192 * 2.0) == pytest.approx(spring, rel=0.02)


def test_the_energy_is_that_of_the_thermostat(dynamics, tmp_path):
    """Harmonic and free atoms: the mean energy is known."""
    long = dynamics.model_copy(update={"equilibration_ps": 12.0, "length_ps": 0.4})
    pairs = Frames([8, 1], [[0.0, 0, 0], [1.0, 0, 0]])
    _, frames, potential = sample_dense(long, pairs, Spring(), tmp_path)
    # Six degrees of freedom less three of the whole, and one spring.
    expected = (3 + 1) / 2 * 8.617333e-5 * 300.0
    assert total_energies(frames, potential).mean() == pytest.approx(expected, rel=0.35)
    assert 100 < frames.temperatures.mean() < 600


def test_stopped_dynamics_go_on_and_grow(dynamics, dumbbell, tmp_path):
    whole = sample_dense(dynamics, dumbbell, Spring(), tmp_path / "whole")[1]

    def stop(stage: str, done: int, _: int) -> None:
        if stage == "production" and done >= 200:
            raise KeyboardInterrupt

    part = tmp_path / "part"
    with pytest.raises(KeyboardInterrupt):
        sample_dense(dynamics, dumbbell, Spring(), part, stop)
    assert not (part / "production_000200.npz").exists()
    assert np.array_equal(
        sample_dense(dynamics, dumbbell, Spring(), part)[1].positions, whole.positions
    )
    longer = dynamics.model_copy(update={"length_ps": 1.4})
    grown = sample_dense(longer, dumbbell, Spring(), part)[1]
    assert len(grown) == 701
    assert np.array_equal(grown.positions[:451], whole.positions)


def test_dynamics_of_other_settings_are_refused(dynamics, dumbbell, tmp_path):
    sample_dense(dynamics, dumbbell, Spring(), tmp_path)
    hotter = dynamics.model_copy(update={"temperature": 400.0})
    with pytest.raises(InputError, match="other settings"):
        sample_dense(hotter, dumbbell, Spring(), tmp_path)


def test_a_system_that_flies_apart_is_an_error(dynamics, tmp_path):
    free = Frames([1, 1, 1], np.eye(3))
    hot = dynamics.model_copy(update={"temperature": 3000.0, "length_ps": 2.0})
    with pytest.raises(EngineError, match="flew apart"):
        sample_dense(hot, free, Spring(), tmp_path)


def test_whole_molecules_start(dynamics, tmp_path):
    path = tmp_path / "start.xyz"
    path.write_text(xyz_text([8, 1, 1] * 2, [*WATER, *np.add(WATER, 3.0)]))
    three = dynamics.model_copy(update={"atoms_per_molecule": 3})
    assert read_molecules(path, three).molecule.tolist() == [0, 0, 0, 1, 1, 1]
    assert set(read_molecules(path, dynamics).molecule) == {0}
    with pytest.raises(InputError, match="whole molecules"):
        read_molecules(path, dynamics.model_copy(update={"atoms_per_molecule": 4}))


def plan(**changes):
    sample = {"start": "start.xyz", "temperature": 300.0, "seed": 1}
    sample |= {"equilibration_ps": 0.1, "length_ps": 0.1}
    return {
        "name": "tiny",
        "version": "0.0.1",
        "title": "one molecule",
        "license": "CC-BY-4.0",
        "label": {"engine": "tblite"},
        "segment": 20,
        "systems": [
            {"name": "h2o", "sample": sample, "infrared_bands": {"stretch": [3000.0, 4000.0]}}
        ],
        **changes,
    }


@pytest.fixture
def recipe(tmp_path) -> Path:
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "recipe.yaml").write_text(yaml.safe_dump(plan()))
    (folder / "start.xyz").write_text(xyz_text([8, 1, 1], WATER))
    return folder / "recipe.yaml"


def test_recipes_are_checked(recipe, tmp_path):
    settings = DenseRecipe.read(recipe)
    assert settings.attrs["infrared_bands_by_system"] == {"h2o": {"stretch": [3000.0, 4000.0]}}
    other = tmp_path / "other.yaml"

    def refused(match: str, **changes) -> None:
        other.write_text(yaml.safe_dump(plan(**changes)))
        with pytest.raises(InputError, match=match):
            DenseRecipe.read(other)

    refused("colour", colour="blue")
    refused("needs one of", systems=[{"name": "h2o"}])
    sample = {"start": "a.xyz", "temperature": 300.0, "length_ps": 1.0, "seed": 1}
    refused("4.0 fs apart", systems=[{"name": "h2o", "sample": {**sample, "stride": 8}}])
    refused("engine", label={"engine": "abacus"})
    with pytest.raises(InputError, match="no recipe"):
        DenseRecipe.read(tmp_path / "absent.yaml")


def test_one_recipe_shares_the_trajectory_of_another(recipe, tmp_path):
    shared = {"name": "h2o", "sample_of": "tiny/recipe.yaml", "frames": 7}
    other = tmp_path / "recipe.yaml"
    other.write_text(yaml.safe_dump(plan(name="other", systems=[shared])))
    settings = DenseRecipe.read(other)
    name, dynamics, start = settings.dynamics(settings.systems[0], other)
    assert (name, dynamics.seed) == ("tiny", 1)
    assert start.resolve() == recipe.with_name("start.xyz").resolve()
    stranger = settings.systems[0].model_copy(update={"name": "nh3"})
    with pytest.raises(InputError, match="does not sample the system 'nh3'"):
        settings.dynamics(stranger, other)


def test_the_shipped_recipes_are_valid_and_have_their_starts():
    found = [
        path
        for path in sorted(PROJECT.glob("datasets/*/recipe.yaml"))
        if yaml.safe_load(path.read_text()).get("kind") == "dense"
    ]
    assert {path.parent.name for path in found} >= {"molecules", "molecules-dft"}
    for path in found:
        recipe = DenseRecipe.read(path)
        assert recipe.name == path.parent.name
        for system in recipe.systems:
            _, dynamics, start = recipe.dynamics(system, path)
            assert read_molecules(start, dynamics).n_atoms >= 3


def test_the_command_makes_a_sound_store_that_knows_its_bands(recipe, tmp_path, monkeypatch):
    pytest.importorskip("tblite")
    from aptbench.reference.xtb import Xtb

    monkeypatch.chdir(tmp_path)
    command = ["dense", str(recipe), "--system", "h2o", "--build", "--json"]
    result = CliRunner().invoke(build_app(), command)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["systems"] == {"h2o": {"frames": 51, "labels": 51}}
    store = recipe.with_name("tiny.zarr")
    assert verify(store).ok
    dataset = Dataset(store)
    assert dataset.content_hash == told["content_hash"]
    assert dataset.attrs["infrared_bands_by_system"]["h2o"]["stretch"] == [3000.0, 4000.0]
    assert dataset.attrs["label_quantization"]["maximum_error"] == TENSOR_STEP / 2
    labelled = dataset.labelled("h2o")
    assert np.array_equal(
        labelled.frames.positions, round_positions(labelled.frames.positions).astype(float)
    )
    direct = Xtb().label(labelled.frames[[50]])
    assert np.abs(labelled.apt[50] - direct.apt[0]).max() <= TENSOR_STEP
    assert dataset.quality("h2o")["acoustic_sum_unrounded"].max() < 1e-10
    assert dataset.system_attrs("h2o")["provenance"]["labels"]["functional"] == "GFN2-xTB"
    assert (tmp_path / "raw/tiny/h2o/labels/segment_000040.npz").exists()


def test_an_unknown_system_is_named(recipe):
    result = CliRunner().invoke(build_app(), ["dense", str(recipe), "--system", "h20"])
    assert result.exit_code != 0
    assert "did you mean 'h2o'?" in str(result.exception)


def test_a_store_of_some_systems_is_refused(recipe):
    system = plan()["systems"][0]
    recipe.write_text(yaml.safe_dump(plan(systems=[system, {**system, "name": "other"}])))
    result = CliRunner().invoke(build_app(), ["dense", str(recipe), "--system", "h2o", "--build"])
    assert result.exit_code != 0
    assert "all systems of its recipe" in str(result.exception)


def test_systems_of_the_store_are_kept_to_the_last_bit_when_others_are_added(
    recipe, tmp_path, monkeypatch
):
    pytest.importorskip("tblite")
    monkeypatch.chdir(tmp_path)
    command = ["dense", str(recipe), "--build", "--keep", "--json"]
    result = CliRunner().invoke(build_app(), [*command[:3], "--json"])
    assert result.exit_code == 0, result.output
    before = Dataset(recipe.with_name("tiny.zarr")).labelled("h2o")
    shutil.rmtree(tmp_path / "raw")
    first = plan()["systems"][0]
    short = {**first, "name": "short", "sample": {**first["sample"], "length_ps": 0.02}}
    recipe.write_text(yaml.safe_dump(plan(version="0.2.0", systems=[first, short])))
    result = CliRunner().invoke(build_app(), command)
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.stdout)["systems"]) == {"h2o", "short"}
    assert not (tmp_path / "raw/tiny/h2o").exists()
    after = Dataset(recipe.with_name("tiny.zarr"))
    assert after.version == "0.2.0"
    assert np.array_equal(after.labelled("h2o").apt, before.apt)
    assert np.array_equal(after.labelled("h2o").frames.velocities, before.frames.velocities)
    content = after.content_hash
    changed = {**first, "label_every": 2, "sample": {**first["sample"], "friction": 0.03}}
    recipe.write_text(yaml.safe_dump(plan(systems=[changed, short])))
    result = CliRunner().invoke(build_app(), command)
    assert result.exit_code != 0
    assert "other provenance and labelled frames" in str(result.exception)
    assert Dataset(recipe.with_name("tiny.zarr")).content_hash == content
