"""Tiny systems whose stores every test of the data layer writes and damages."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aptbench.data import Dataset, SystemData, write_dataset
from aptbench.frames import Frames

ATTRS = {
    "name": "tiny",
    "version": "0.1.0",
    "title": "Random numbers in the shape of a data set",
    "license": "CC0-1.0",
}


def random_system(n_frames: int = 40, n_molecules: int = 4, seed: int = 0) -> SystemData:
    """A trajectory of random numbers with five labels, in a cell."""
    rng = np.random.default_rng(seed)
    n_atoms = 3 * n_molecules
    frames = Frames(
        np.tile([8, 1, 1], n_molecules),
        rng.uniform(-40, 40, (n_frames, n_atoms, 3)),
        [[9.0, 0, 0], [1.0, 8.0, 0], [0.5, 0.25, 7.0]],
        rng.normal(scale=0.02, size=(n_frames, n_atoms, 3)),
        np.arange(n_atoms) // 3,
        total_charge=1.0,
    )
    label_frame = np.linspace(0, n_frames - 1, 5).astype(int)
    return SystemData(
        frames,
        label_frame,
        rng.normal(size=(5, n_atoms, 3, 3)),
        times=2.0 * np.arange(n_frames),
        dipole=rng.normal(size=(5, 3)),
        wannier_centers=rng.normal(size=(5, 4 * n_molecules, 3)),
        quality={"scf_gradient": rng.uniform(size=5)},
        provenance={"code": "none", "settings": {"cutoff": 500, "basis": ["a", "b"]}},
    )


def isolated_system() -> SystemData:
    """Two labelled frames of a molecule that are no trajectory: no times, cell, velocities."""
    rng = np.random.default_rng(1)
    frames = Frames([8, 1, 1], rng.normal(size=(2, 3, 3)))
    return SystemData(frames, [0, 1], rng.normal(size=(2, 3, 3, 3)))


@pytest.fixture
def system() -> SystemData:
    return random_system()


@pytest.fixture
def attrs() -> dict[str, str]:
    return dict(ATTRS)


def write_tiny(path: Path, **attrs: str) -> Dataset:
    systems = {"liquid": random_system(), "molecule": isolated_system()}
    return write_dataset(path, systems, ATTRS | attrs)


@pytest.fixture(scope="session")
def sound_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that no test may change: syncing to disk is too slow to do it for every test."""
    return write_tiny(tmp_path_factory.mktemp("sound") / "tiny.zarr").path


@pytest.fixture
def write(tmp_path: Path, sound_store: Path) -> Callable[..., Dataset]:
    """Put the two systems into a store of the given name."""

    def run(name: str = "tiny.zarr", **attrs: str) -> Dataset:
        if attrs:
            return write_tiny(tmp_path / name, **attrs)
        return Dataset(shutil.copytree(sound_store, tmp_path / name))

    return run


@pytest.fixture
def make_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[..., Dataset]
) -> Callable[[], Path]:
    """A project with the data sets ``tiny`` (here) and ``later`` (only a pointer to it)."""

    def run() -> Path:
        root = tmp_path / "project"
        (root / "datasets" / "later").mkdir(parents=True)
        (root / "datasets" / "later" / "later.zarr.dvc").write_text("outs: []\n")
        (root / "datasets" / "store").mkdir()
        write("project/datasets/tiny/tiny.zarr")
        (root / "datasets" / "tiny" / "card.md").write_text("# Tiny\n")
        monkeypatch.delenv("APTBENCH_ROOT", raising=False)
        monkeypatch.chdir(root)
        return root

    return run
