"""Every check of a store passes on exact synthetic data, and fails on the damage that it is for."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames, LabelledFrames
from aptbench.data import Dataset, SystemData, write_dataset
from aptbench.data.lint import Lint, level, lint
from aptbench.data.lint_labels import (
    check_acoustic_sum,
    check_line_integral,
    check_net_force,
    check_outliers,
    check_repeated_labels,
    check_rotational_sum,
    check_scf,
)
from aptbench.data.lint_trajectory import (
    check_center_of_mass,
    check_duplicates,
    check_finite,
    check_time_step,
    check_velocities,
)
from aptbench.data.lint_wannier import check_wannier_count, check_wannier_sum
from aptbench.data.plausibility import Finding
from aptbench.data.valence import valence_electrons
from aptbench.errors import InputError
from aptbench.oracle import PolarizableWater, cluster, liquid
from tests.data.conftest import ATTRS

TIMES = 2.0 * np.arange(12)
GTH = {"potential": "GTH-PBE"}
CP2K_DATA = Path("/usr/share/cp2k/GTH_POTENTIALS")


def vibrating(start: Frames, times: np.ndarray, late: float = 0.0) -> Frames:
    """Atoms that oscillate about a frame, up to 3500 cm^-1; velocities late by some fs."""
    rng = np.random.default_rng(2)
    shape = (start.n_atoms, 3)
    omega = rng.uniform(0.02, 0.65, shape)
    phase, size = rng.uniform(0, 6.3, shape), 0.02 / omega
    size *= np.minimum(1.0, 0.1 / size)
    angle = omega * times[:, None, None] + phase
    moved = start.positions + size * np.sin(angle)
    velocities = size * omega * np.cos(angle + omega * late)
    share = start.masses / start.masses.sum()
    moved -= np.einsum("a,fax->fx", share, moved)[:, None]
    velocities -= np.einsum("a,fax->fx", share, velocities)[:, None]
    cell = None if start.cell is None else start.cell[0]
    return start.replace(positions=moved, velocities=velocities, cell=cell)


@pytest.fixture(scope="module")
def bulk() -> LabelledFrames:
    frames = vibrating(liquid(8, 1, 3, equilibration=0), TIMES)
    labels = PolarizableWater().label(frames)
    # one pair of electrons on each bond and two on oxygen, moved so that they have the dipole
    oxygen, hydrogen = frames.positions[:, ::3], frames.positions[:, np.arange(24) % 3 > 0]
    centers = np.concatenate([np.repeat(oxygen, 2, 1), hydrogen], axis=1)
    nuclei = np.einsum("a,fax->fx", np.tile([6.0, 1, 1], 8), frames.positions)
    excess = nuclei - 2 * centers.sum(1) - labels.dipole
    centers = centers + excess[:, None] / (2 * centers.shape[1])
    return LabelledFrames(frames, labels.apt, labels.dipole, centers)


@pytest.fixture(scope="module")
def drop() -> LabelledFrames:
    frames = vibrating(cluster(3, 1, 5, equilibration=0), TIMES)
    return PolarizableWater().label(frames.translated([7.0, -3.0, 11.0]))


def changed(labelled: LabelledFrames, **fields) -> LabelledFrames:
    names = ("frames", "apt", "dipole", "wannier_centers")
    return LabelledFrames(**{name: getattr(labelled, name) for name in names} | fields)


def one_wrong(labelled: LabelledFrames, size: float) -> LabelledFrames:
    apt = labelled.apt.copy()
    apt[5, 4, 0, 1] += size
    return changed(labelled, apt=apt)


@pytest.mark.parametrize("kind", ["bulk", "drop"])
def test_exact_labels_pass(kind, request):
    labelled = request.getfixturevalue(kind)
    found = [
        check_acoustic_sum(labelled),
        check_line_integral(labelled, TIMES),
        check_repeated_labels(labelled),
        check_duplicates(labelled.frames),
        check_time_step(TIMES),
        check_velocities(labelled.frames, TIMES),
        check_center_of_mass(labelled.frames, TIMES),
    ]
    assert [f.check for f in found if f.outcome != "pass"] == [], found
    assert "12 of 12 labels, in 11 steps" in found[1].message


def test_acoustic_sum_names_the_frame_and_counts(bulk):
    limit = 0.005 * np.sqrt(24)
    # one component of nine: the rms is a third of it
    assert check_acoustic_sum(one_wrong(bulk, 2.9 * limit)).ok
    bad = check_acoustic_sum(one_wrong(bulk, 3.1 * limit))
    assert not bad.ok
    assert bad.message.startswith("1 of 12 labels; worst label 5")


def test_acoustic_sum_knows_the_total_charge(bulk):
    charged = bulk.frames.replace(total_charge=1.0)
    assert not check_acoustic_sum(changed(bulk, frames=charged)).ok
    ion = bulk.apt + np.eye(3) / 24
    assert check_acoustic_sum(changed(bulk, frames=charged, apt=ion)).ok


def test_rotational_sum(drop, bulk):
    assert check_rotational_sum(drop).outcome == "pass"
    transposed = changed(drop, apt=np.swapaxes(drop.apt, -1, -2))
    assert not check_rotational_sum(transposed).ok
    assert level(check_rotational_sum(bulk)) == "skip"


def test_rotational_sum_of_an_ion_needs_the_origin_of_its_dipole():
    positions = np.array([[[4.0, 5.0, 6.0], [4.0, 5.0, 7.0]]])
    charges = np.array([-0.5, 1.5])
    apt = (charges[:, None, None] * np.eye(3))[None]
    ion = Frames([8, 1], positions, total_charge=1.0)
    dipole = np.einsum("a,fax->fx", charges, positions)
    assert check_rotational_sum(LabelledFrames(ion, apt, dipole)).outcome == "pass"
    assert not check_rotational_sum(LabelledFrames(ion, apt, dipole + np.array([0, 0.1, 0]))).ok


@pytest.mark.parametrize("kind", ["bulk", "drop"])
@pytest.mark.parametrize(
    "damage",
    [lambda apt: -apt, lambda apt: 1.05 * apt, lambda apt: np.swapaxes(apt, -1, -2), np.flipud],
    ids=["sign", "unit", "order", "frames"],
)
def test_line_integral_finds(kind, damage, request):
    labelled = request.getfixturevalue(kind)
    assert not check_line_integral(changed(labelled, apt=damage(labelled.apt)), TIMES).ok


def test_line_integral_is_modulo_the_quantum(bulk):
    jumps = np.random.default_rng(0).integers(-3, 4, (12, 3)) @ bulk.frames.cell[0]
    whole = changed(bulk, dipole=bulk.dipole + jumps)
    assert check_line_integral(whole, TIMES).outcome == "pass"
    half = bulk.dipole.copy()
    half[6] += bulk.frames.cell[0, 0] / 2
    bad = check_line_integral(changed(bulk, dipole=half), TIMES)
    assert not bad.ok
    assert "2 steps beyond their limit, worst from label" in bad.message


def test_line_integral_covers_bursts_only(bulk):
    times = np.array([0, 2, 4, 50, 100, 104, 108.1, 200, 300, 302, 400, 500.0])
    found = check_line_integral(bulk, times)
    assert found.message.startswith("7 of 12 labels, in 4 steps")
    apart = check_line_integral(bulk, 10 * TIMES)
    assert (level(apart), apart.message[:15]) == ("skip", "0 of 12 labels,")
    assert level(check_line_integral(bulk, None)) == "skip"
    assert level(check_line_integral(changed(bulk, dipole=None), TIMES)) == "skip"


def test_an_outlier_is_a_warning(bulk):
    assert level(check_outliers(bulk)) == "pass"
    found = check_outliers(one_wrong(bulk, 5.0))
    assert level(found) == "warn"
    assert "H 4 of label 5" in found.message
    assert found.ok


def test_outliers_are_sought_among_the_same_place_of_the_same_molecule():
    """Two kinds of hydrogen in a molecule are not outliers of each other."""
    rng = np.random.default_rng(1)
    positions = np.eye(4, 3) + 0.01 * rng.normal(size=(40, 4, 3))
    frames = Frames([8, 8, 1, 1], positions, molecule=[0] * 4)
    apt = np.array([-0.2, -0.6, 0.0, 0.8])[:, None, None] * np.eye(3)
    apt = apt + 0.01 * rng.normal(size=(40, 4, 3, 3))
    assert level(check_outliers(LabelledFrames(frames, apt))) == "pass"


def test_repeated_labels(bulk):
    apt = bulk.apt.copy()
    apt[7] = apt[2]
    found = check_repeated_labels(changed(bulk, apt=apt))
    assert not found.ok
    assert found.message.startswith("1 of 12")


def test_scf_threshold_is_that_of_the_code():
    quality = {"scf_residual": np.array([2.9e-7, 3.0e-7])}
    assert check_scf(quality, {"code": "CP2K 2023.1", "eps_scf": 3e-7}).outcome == "pass"
    assert not check_scf(quality, {"code": "CP2K 2023.1", "eps_scf": 2.8e-7}).ok
    assert check_scf(quality, {"code": "PySCF 2", "eps_scf": 1.1e-12}).outcome == "pass"
    assert not check_scf(quality, {"code": "PySCF 2", "eps_scf": 0.9e-12}).ok
    assert level(check_scf(quality, {})) == "skip"
    assert not check_scf({"scf_residual": np.array([np.nan])}, {"eps_scf": 1.0}).ok


def test_net_force():
    assert check_net_force({"net_force": np.array([0.0, 0.13])}, 192).outcome == "pass"
    assert not check_net_force({"net_force": np.array([0.0, 0.15])}, 192).ok
    assert level(check_net_force({}, 192)) == "skip"


def test_wannier_centers(bulk):
    assert check_wannier_count(bulk, GTH).outcome == "pass"
    assert check_wannier_sum(bulk, GTH).outcome == "pass"
    fewer = changed(bulk, wannier_centers=bulk.wannier_centers[:, 1:])
    assert check_wannier_count(fewer, GTH).message == "31 centres, 64 valence electrons"
    assert not check_wannier_count(fewer, GTH).ok
    anion = changed(bulk, frames=bulk.frames.replace(total_charge=-1.0))
    assert not check_wannier_count(anion, GTH).ok
    for finding in (check_wannier_count(bulk, {}), check_wannier_sum(bulk, {})):
        assert level(finding) == "skip"


def test_a_misplaced_wannier_center_is_found_and_an_image_is_not(bulk):
    centers = bulk.wannier_centers.copy()
    centers[4, 9] += bulk.frames.cell[0, 2]
    assert check_wannier_sum(changed(bulk, wannier_centers=centers), GTH).outcome == "pass"
    centers[4, 9] += [0.5, 0, 0]
    found = check_wannier_sum(changed(bulk, wannier_centers=centers), GTH)
    assert not found.ok
    assert "worst label 4: 1 e angstrom" in found.message
    isolated = bulk.frames.replace(cell=None)
    centers = bulk.wannier_centers + bulk.frames.cell[0, 0]
    assert check_wannier_sum(changed(bulk, frames=isolated), GTH).outcome == "pass"
    assert not check_wannier_sum(changed(bulk, frames=isolated, wannier_centers=centers), GTH).ok


def test_valence_electrons():
    assert valence_electrons([[11, 6], [9, 16]]).tolist() == [[9, 4], [7, 6]]
    assert valence_electrons([11, 11], "GTH-PBE-q1").tolist() == [1, 1]
    with pytest.raises(InputError, match="several elements"):
        valence_electrons([11, 17], "GTH-PBE-q1")
    with pytest.raises(InputError, match="unknown"):
        valence_electrons([1], "ALL")
    with pytest.raises(InputError, match="no number of electrons"):
        valence_electrons([92])


@pytest.mark.skipif(not CP2K_DATA.exists(), reason="the data of CP2K are not installed")
def test_valence_electrons_are_those_of_the_potentials_of_cp2k():
    from aptbench.elements import SYMBOLS

    stated = {}
    for line in CP2K_DATA.read_text().splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == "GTH-PBE":
            stated[words[0]] = int(words[1].rpartition("q")[2])
    numbers = [SYMBOLS.index(symbol) for symbol in stated]
    assert len(numbers) == 86
    assert valence_electrons(numbers).tolist() == list(stated.values())


def test_duplicates(bulk):
    frames = bulk.frames[[0, 1, 2, 1, 4]]
    found = check_duplicates(frames)
    assert not found.ok
    assert "1 of 5 frames are there already, the first is frame 3" in found.message
    # the same positions in another cell are another frame
    cells = frames.cell.copy()
    cells[3] *= 1.01
    assert check_duplicates(frames.replace(cell=cells)).ok


def test_time_step():
    assert check_time_step([0.0, 2.0, 4.0 + 1e-7]).outcome == "pass"
    found = check_time_step([0.0, 2.0, 4.0, 8.0, 10.0])
    assert not found.ok
    assert "1 of 4 steps are not 2 fs, the first after frame 2" in found.message


@pytest.mark.parametrize("factor", [1.1, 1000.0, -1.0])
def test_velocities_of_another_unit(bulk, factor):
    wrong = bulk.frames.replace(velocities=factor * bulk.frames.velocities)
    found = check_velocities(wrong, TIMES)
    assert not found.ok
    told = float(found.message.split("they are ")[1].split()[0])
    assert told == pytest.approx(1 / factor, rel=0.02)


def test_velocities_that_are_missing_or_of_another_frame(bulk):
    for velocities in (np.zeros_like(bulk.frames.velocities), bulk.frames.velocities[::-1]):
        assert not check_velocities(bulk.frames.replace(velocities=velocities), TIMES).ok


def test_velocities_half_a_step_late(drop):
    """Leap-frog velocities, half a step of 0.5 fs after their positions."""
    assert check_velocities(vibrating(drop.frames[0], TIMES), TIMES).outcome == "pass"
    assert not check_velocities(vibrating(drop.frames[0], TIMES, late=0.25), TIMES).ok


def test_velocities_cannot_be_checked(bulk):
    frames = bulk.frames
    for finding in (
        check_velocities(frames.replace(velocities=None), TIMES),
        check_velocities(frames, 2 * TIMES),
        check_velocities(frames[:2], TIMES[:2]),
    ):
        assert level(finding) == "skip"


def test_drift_is_a_warning(bulk):
    frames = bulk.frames
    moved = frames.positions + 0.001 * TIMES[:, None, None]
    found = check_center_of_mass(frames.replace(positions=moved), TIMES)
    assert level(found) == "warn"
    assert "0.038 angstrom" in found.message


def test_finite(sound_store):
    group = Dataset(sound_store).tree()["liquid"].to_dataset(inherit=False).load()
    assert check_finite(group).outcome == "pass"
    broken = group.copy(deep=True)
    broken["apt"].values[1, 0, 2, 2] = np.nan
    broken["velocities"].values[0, 0] = np.inf
    found = check_finite(broken)
    assert not found.ok
    assert "1 of 'apt'" in found.message
    assert "3 of 'velocities'" in found.message


@pytest.fixture(scope="module")
def store(bulk, drop, tmp_path_factory) -> Path:
    def system(labelled: LabelledFrames, **fields) -> SystemData:
        return SystemData.from_labelled(labelled, times=TIMES, **fields)

    systems = {
        "drop": system(drop),
        "bulk": system(bulk, provenance={"labels": {"code": "CP2K", "eps_scf": 1e-6, **GTH}}),
    }
    return write_dataset(tmp_path_factory.mktemp("lint") / "s.zarr", systems, ATTRS).path


def test_a_sound_store(store):
    found = {each.subject: each for each in lint(Dataset(store))}
    assert list(found) == ["bulk", "drop"]
    assert all(each.ok for each in found.values()), found
    bulk = {f.check: level(f) for f in found["bulk"].findings}
    assert len(bulk) == 16
    assert {k for k, v in bulk.items() if v == "skip"} == {"rotational_sum", "scf", "net_force"}
    assert {f.check: level(f) for f in found["drop"].findings}["rotational_sum"] == "pass"
    report = found["bulk"].as_dict()
    assert report["ok"]
    assert set(report["findings"][0]) == {"check", "level", "message", "advice"}


def test_numbers_that_are_not_finite_end_the_check_of_a_system(store, tmp_path):
    import zarr

    broken = Path(shutil.copytree(store, tmp_path / "s.zarr"))
    dataset = Dataset(broken)
    zarr.open_array(broken / "bulk" / "dipole", mode="r+")[3, 1] = np.nan
    bulk, drop = lint(dataset)
    assert [f.check for f in bulk.findings] == ["finite"]
    assert not bulk.ok
    assert drop.ok


def test_frames_without_labels_or_times(tmp_path, bulk):
    systems = {
        "bare": SystemData(bulk.frames, [], np.zeros((0, 24, 3, 3)), times=TIMES),
        "loose": SystemData.from_labelled(bulk),
    }
    bare, loose = lint(write_dataset(tmp_path / "s.zarr", systems, ATTRS))
    assert {f.check for f in bare.findings} == {
        "finite",
        "duplicates",
        "time_step",
        "velocities",
        "center_of_mass",
    }
    assert "time_step" not in {f.check for f in loose.findings}
    assert bare.ok
    assert loose.ok


def test_levels():
    assert level(Finding("a", "fail", "x", "y")) == "fail"
    assert level(Finding("a", "unknown", "x", "y")) == "warn"
    assert not Lint("s", (Finding("a", "pass", ""), Finding("b", "fail", ""))).ok
    assert Lint("s", (Finding("a", "unknown", "x", "y"),)).ok
