"""Packed liquids and their classical dynamics with OpenMM."""

from __future__ import annotations

import numpy as np
import pytest

from aptbench.errors import InputError
from aptbench.molecules import MoleculeTable
from aptbench.oracle.dynamics import ACCELERATION
from aptbench.reference.classical import ClassicalLiquid
from aptbench.reference.recipe import Labelling, Recipe, Sampling, Stage
from aptbench.reference.sample import sample, sampler_version, trajectory_data
from aptbench.reference.start import read_start

pytest.importorskip("openmm")
COMPOSITION = {"H2O": 30, "Na": 1, "Cl": 1}
CELL = (10.2, 10.2, 10.2)


@pytest.fixture(scope="module")
def liquid():
    return ClassicalLiquid(COMPOSITION, CELL)


@pytest.fixture(scope="module")
def packed(liquid):
    return liquid.packed(300.0, seed=1, length_ps=0.5)


def run(liquid, start, **changes):
    settings = {"ensemble": "NVE", "steps": 40, "timestep": 0.25, "stride": 1}
    return liquid.run(start, **{**settings, "temperature": 300.0, "seed": 1, **changes})


def test_packed_molecules_are_whole_and_apart(liquid, packed):
    assert np.bincount(packed.molecule).tolist() == [3] * 30 + [1, 1]
    positions = packed.positions[0]
    bonds = np.linalg.norm(positions[1:90:3] - positions[0:90:3], axis=1)
    assert np.all((bonds > 0.85) & (bonds < 1.15))
    between = positions[:, None] - positions[None]
    between -= np.array(CELL) * np.round(between / CELL)
    other = packed.molecule[:, None] != packed.molecule[None]
    assert np.linalg.norm(between, axis=-1)[other].min() > 1.3
    assert packed.atomic_numbers[-2:].tolist() == [17, 11]


def test_energy_is_conserved_and_velocities_are_of_the_same_times(liquid, packed):
    frames, energies = run(liquid, packed)
    kinetic = (frames.masses[:, None] * frames.velocities**2).sum((1, 2))
    scale = np.ptp(kinetic) / (2 * ACCELERATION)
    assert np.ptp(energies) < 0.1 * scale
    derivative = (frames.positions[2:] - frames.positions[:-2]) / 0.5
    size = np.abs(derivative).max()
    # the central difference of a 9 fs vibration is off by (w dt)^2 / 6 = 0.5 %
    assert np.abs(derivative - frames.velocities[1:-1]).max() < 0.02 * size
    assert np.allclose(frames.positions[0], packed.positions[0], atol=1e-6)


def test_same_seed_same_trajectory(liquid, packed):
    first, again = (run(liquid, packed, ensemble="NVT")[0] for _ in range(2))
    assert np.array_equal(first.positions, again.positions)


def test_stages_of_a_recipe(tmp_path):
    settings = Sampling(
        potential="flexible SPC/E",
        start="start.xyz",
        composition=COMPOSITION,
        cell=CELL,
        temperature=300.0,
        timestep=0.5,
        stride=4,
        seed=3,
        stages=(
            Stage(name="nvt", ensemble="NVT", steps=400),
            Stage(name="nve", ensemble="NVE", steps=40, match_energy=True),
            Stage(name="more", ensemble="NVE", steps=20, append=True),
        ),
    )
    recipe = Recipe(
        name="tiny",
        version="0.0.1",
        title="salt",
        license="CC-BY-4.0",
        system="salt",
        sample=settings,
        label=Labelling(frames=(0,)),
    )
    start = read_start(tmp_path / "start.xyz", settings)
    assert np.array_equal(read_start(tmp_path / "start.xyz", settings).positions, start.positions)
    times, frames = sample(recipe, start, tmp_path / "raw")
    assert times.tolist() == [2.0 * k for k in range(16)]
    with np.load(tmp_path / "raw/nvt/frames.npz") as before:
        target = before["energies"][50:].mean()
    with np.load(tmp_path / "raw/nve/frames.npz") as after:
        assert after["energies"] == pytest.approx(np.full(11, target), abs=0.03)
    stamp = (tmp_path / "raw/nve/frames.npz").stat().st_mtime_ns
    again = sample(recipe, start, tmp_path / "raw")[1]
    assert np.array_equal(again.positions, frames.positions)
    assert (tmp_path / "raw/nve/frames.npz").stat().st_mtime_ns == stamp
    warmer = recipe.model_copy(
        update={"sample": settings.model_copy(update={"temperature": 310.0})}
    )
    with pytest.raises(InputError, match="other settings"):
        sample(warmer, start, tmp_path / "raw")
    data = trajectory_data(recipe, times, frames, sampler_version(settings))
    assert data.provenance["sampling"]["code"].startswith("OpenMM 8")
    assert not MoleculeTable.of(data.frames).check(data.frames)


@pytest.mark.parametrize(
    ("composition", "cell", "message"),
    [
        ({"H2O": 30, "Na": 1}, CELL, "total charge 1"),
        ({"H2O": 30, "Xe": 1}, CELL, "cannot be packed"),
        ({"Na": 1, "Cl": 1}, CELL, "cannot be packed"),
        ({"H2O": 8}, (6.0, 6.0, 6.0), "too small"),
    ],
)
def test_what_cannot_be_packed(composition, cell, message):
    with pytest.raises(InputError, match=message):
        ClassicalLiquid(composition, cell)


def test_start_of_other_atoms(liquid, packed):
    with pytest.raises(InputError, match="atoms of the composition"):
        run(liquid, packed.replace(atomic_numbers=packed.atomic_numbers[::-1].copy()))
