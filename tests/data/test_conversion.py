"""Conversion, and the checks that catch silent mistakes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from aptbench.data import SystemData, verify
from aptbench.data.conversion import check_labels, convert, read_source, with_trajectory
from aptbench.data.lint_labels import check_acoustic_sum
from aptbench.data.plausibility import check_charges
from aptbench.data.readers.extended_xyz import write_extended_xyz
from aptbench.errors import InputError, UnknownNameError
from aptbench.frames import Frames, LabelledFrames
from aptbench.units import DEBYE

DEFAULT = Path(__file__).parents[3] / "shared" / "data" / "published-water"
PUBLISHED = Path(os.environ.get("APTBENCH_PUBLISHED_WATER", DEFAULT))
CP2K = Path(__file__).parent / "readers" / "cp2k_water"
ESPRESSO = Path(__file__).parent / "readers" / "espresso_water"


def model_water(scale: float = 1.0) -> LabelledFrames:
    """Synthetic water: rigid molecules whose tensors fulfil both sum rules of the molecule.

    The dipole of a molecule is q times the sum of the O-H vectors u, q(|u|) = 0.45 + 0.5 (|u| - d)
    in e, so that P_H = q 1 + q' u u^T / |u| plus a term of one bond on the other, which makes the
    tensors asymmetric.
    """
    rng = np.random.default_rng(4)
    positions, tensors = [], []
    for _ in range(16):
        basis = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        bonds = np.array([[0.76, 0.59, 0], [-0.76, 0.59, 0]]) @ basis.T
        hydrogen = []
        for k in (0, 1):
            own, other = bonds[k], bonds[1 - k]
            length = np.linalg.norm(own)
            # M = sum_k q_k u_k with q_k a function of the length of the own bond and of the other.
            q = 0.45
            hydrogen.append(
                q * np.eye(3)
                + 0.5 * np.outer(own, own) / length
                - 0.4 * np.outer(other, own) / length
            )
        positions += [rng.uniform(0, 9, 3)]
        positions += [positions[-1] + bonds[0], positions[-1] + bonds[1]]
        tensors += [-(hydrogen[0] + hydrogen[1]), *hydrogen]
    frames = Frames([8, 1, 1] * 16, positions, [9, 9, 9], molecule=np.arange(48) // 3)
    return LabelledFrames(frames, scale * np.array(tensors)[None])


def outcomes(labelled: LabelledFrames) -> dict[str, str]:
    return {finding.check: finding.outcome for finding in check_labels(labelled)}


def test_sound_labels_pass():
    assert outcomes(model_water()) == {
        "charges": "pass",
        "acoustic_sum": "pass",
        "index_order": "pass",
    }


def test_a_wrong_index_order_is_flagged():
    water = model_water()
    swapped = LabelledFrames(water.frames, np.swapaxes(water.apt, -1, -2))
    assert outcomes(swapped) == {"charges": "pass", "acoustic_sum": "pass", "index_order": "fail"}


@pytest.mark.parametrize(
    ("scale", "advice"),
    [
        (1 / DEBYE, "the file may be in debye/angstrom"),
        (DEBYE, "may not be in debye/angstrom, but in e"),
        (-1.0, "sign"),
        (1000.0, "check the unit"),
    ],
)
def test_a_wrong_unit_or_sign_is_flagged_with_the_likely_one(scale, advice):
    finding = check_charges(model_water(scale))
    assert finding.outcome == "fail"
    assert advice in str(finding.advice)


def test_a_missing_atom_is_flagged():
    water = model_water()
    frames = Frames(
        water.frames.atomic_numbers[1:], water.frames.positions[:, 1:], water.frames.cell
    )
    _, finding, _ = check_labels(LabelledFrames(frames, water.apt[:, 1:]))
    assert (finding.check, finding.outcome) == ("acoustic_sum", "fail")
    assert "missing atoms" in str(finding.advice)


@pytest.mark.parametrize(
    ("error", "outcome"), [(0.004, "pass"), (0.006, "unknown"), (0.019, "unknown"), (0.021, "fail")]
)
def test_the_acoustic_sum_has_the_limit_of_lint_and_rough_labels_are_written(error, outcome):
    water = model_water()
    wrong = water.apt + error / np.sqrt(water.frames.n_atoms)
    labelled = LabelledFrames(water.frames, wrong)
    _, finding, _ = check_labels(labelled)
    judged = check_acoustic_sum(labelled)
    assert (finding.check, finding.outcome) == (judged.check, outcome)
    assert (finding.message, finding.advice) == (judged.message, judged.advice)
    assert "limit 0.035" in finding.message


def test_a_failed_check_writes_nothing_unless_forced(tmp_path, attrs):
    path = tmp_path / "water.xyz"
    water = model_water()
    write_extended_xyz(path, LabelledFrames(water.frames, np.swapaxes(water.apt, -1, -2)))
    system = read_source(path, "extxyz", order="pol,disp")
    refused = convert(system, tmp_path / "a.zarr", attrs)
    assert not refused.ok
    assert refused.dataset is None
    assert not (tmp_path / "a.zarr").exists()
    forced = convert(system, tmp_path / "a.zarr", attrs, force=True)
    assert not forced.ok
    assert forced.dataset.attrs["failed_checks"][0].startswith("index_order")


def test_extended_xyz_to_store_is_lossless_in_the_labels(tmp_path, attrs):
    water = model_water()
    write_extended_xyz(tmp_path / "water.xyz", water)
    done = convert(
        read_source(tmp_path / "water.xyz", "extxyz", order="pol,disp"), tmp_path / "a.zarr", attrs
    )
    assert_array_equal(done.dataset.labelled("main").apt, water.apt)
    assert verify(done.dataset.path).ok


def test_cell_and_charge_can_be_given_for_extended_xyz(tmp_path):
    water = model_water()
    write_extended_xyz(tmp_path / "water.xyz", water)
    frames = read_source(
        tmp_path / "water.xyz", "extxyz", order="pol,disp", cell=[10, 11, 12], total_charge=2.0
    ).frames
    assert_array_equal(frames.cell[0], np.diag([10, 11, 12]))
    assert frames.total_charge == 2.0
    assert not read_source(
        tmp_path / "water.xyz", "extxyz", order="pol,disp", isolated=True
    ).frames.periodic


def test_cp2k_runs_to_store(tmp_path, attrs):
    system = read_source(CP2K, "cp2k", field=5e-4, atoms_per_molecule=3)
    done = convert(system, tmp_path / "a.zarr", attrs)
    assert done.ok
    assert done.dataset.system_attrs("main")["provenance"]["code"] == "CP2K 2023.1"
    assert set(done.dataset.quality("main")) == {
        "field_step",
        "scf_gradient",
        "sum_rule_residual",
    }


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"format": "columns-xyz", "cell": [9]}, "index order"),
        ({"format": "columns-xyz", "order": "pol,disp"}, "cell is not given"),
        ({"format": "cp2k"}, "field strength"),
        ({"format": "cp2k", "order": "disp,pol", "field": 1e-3}, "not a choice"),
        ({"format": "cp2k", "field": 5e-4, "atoms_per_molecule": 2}, "missing atoms"),
        ({"format": "cp2k", "field": 5e-4, "cell": [9], "isolated": True}, "has no cell"),
    ],
)
def test_what_a_format_needs_must_be_given(arguments, match):
    with pytest.raises(InputError, match=match):
        read_source(CP2K, **arguments)


@pytest.mark.parametrize(
    ("format_", "arguments", "match"),
    [
        ("vasp", {"apt_unit": "debye/angstrom"}, "units of VASP runs"),
        ("espresso", {"length_unit": "bohr"}, "units of Quantum ESPRESSO runs"),
        ("vasp", {"cell": [9]}, "cell of VASP runs"),
        ("vasp", {"field": 5e-4}, "no field strength of vasp"),
        ("aims", {}, "no reader of FHI-aims"),
    ],
)
def test_what_runs_leave_no_choice_of_cannot_be_given(format_, arguments, match):
    with pytest.raises(InputError, match=match):
        read_source("run", format_, **arguments)


def test_only_runs_are_read_from_several_sources():
    with pytest.raises(InputError, match="2 sources"):
        read_source(["a.xyz", "b.xyz"], "extxyz", order="pol,disp")


def test_runs_of_espresso_to_store(tmp_path, attrs):
    system = read_source(ESPRESSO, "espresso", isolated=True, atoms_per_molecule=3)
    done = convert(system, tmp_path / "a.zarr", attrs)
    assert done.ok
    # ph.x was asked for no sum rule, and the grid is coarse
    assert [finding.outcome for finding in done.findings] == ["pass", "unknown", "pass"]
    turned = read_source(ESPRESSO, "espresso", isolated=True, order="disp,pol")
    refused = convert(turned, tmp_path / "b.zarr", attrs)
    assert [finding.check for finding in refused.findings if not finding.ok] == ["index_order"]


def test_tensors_that_ase_wrote_are_read(tmp_path):
    """A calculator's tensors are (atom, 3, 3), which ASE cannot write: nine columns it can."""
    ase = pytest.importorskip("ase")
    from ase.io import write

    water = model_water()
    atoms = ase.Atoms(
        water.frames.atomic_numbers, water.frames.positions[0], cell=[9, 9, 9], pbc=True
    )
    atoms.arrays["born_effective_charges"] = water.apt[0].reshape(-1, 9)
    write(tmp_path / "water.extxyz", atoms)
    system = read_source(tmp_path / "water.extxyz", "extxyz", order="pol,disp")
    np.testing.assert_allclose(system.apt, water.apt, atol=5e-9)
    np.testing.assert_allclose(system.frames.positions, water.frames.positions, atol=5e-9)


def test_labels_of_cells_that_differ_have_no_trajectory():
    frames = Frames([18], np.zeros((2, 1, 3)), [np.eye(3) * 9, np.eye(3) * 9.1])
    system = SystemData(frames, [0, 1], np.zeros((2, 1, 3, 3)))
    with pytest.raises(InputError, match="cell differs between labels"):
        with_trajectory(system, "pos.xyz")


def test_an_unknown_format_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'extxyz'"):
        read_source("a.xyz", "ext-xyz")


@pytest.mark.published
@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published liquid-water data are absent")
def test_published_water_is_recognised_in_the_right_order_only(tmp_path):
    for order, outcome in (("disp,pol", "pass"), ("pol,disp", "fail")):
        system = read_source(
            PUBLISHED / "train_05.xyz", "columns-xyz", order=order, cell=[15.6627] * 3
        )
        labelled = LabelledFrames(system.frames, system.apt)
        assert outcomes(labelled) == {
            "charges": "pass",
            "acoustic_sum": "unknown",
            "index_order": outcome,
        }
