"""Two independent routes to a tensor: fields and displacements, and two labellers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from aptbench import Frames
from aptbench.cli.main import run
from aptbench.errors import AlignmentError, InputError
from aptbench.oracle import PolarizableWater
from aptbench.reference.cross_check import (
    CrossCheck,
    choose_atoms,
    compare_labellers,
    displace_atoms,
)
from aptbench.reference.dense import DenseLabels
from aptbench.reference.label import label_frame
from aptbench.reference.records import record_path
from aptbench.reference.theory import Theory
from tests.reference.conftest import WATER
from tests.reference.test_sample import recipe


class Oracle:
    """A labeller whose tensors are known."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    @property
    def name(self) -> str:
        return "oracle"

    def provenance(self) -> dict[str, float]:
        return {"scale": self.scale}

    def label(self, frames: Frames) -> DenseLabels:
        labelled = PolarizableWater().label(frames)
        return DenseLabels(self.scale * labelled.apt, labelled.dipole)


@pytest.fixture
def molecule() -> Frames:
    rng = np.random.default_rng(0)
    return Frames([8, 1, 1], WATER + 0.05 * rng.normal(size=(2, 3, 3)))


def test_two_labellers(molecule):
    same = compare_labellers(molecule, Oracle(), Oracle())
    assert same.rms == {"O": 0, "H": 0, "all": 0}
    assert same.swapped_rms > 0.01
    check = compare_labellers(molecule, Oracle(), Oracle(1.1))
    assert check.slope == pytest.approx(1.1)
    apt = PolarizableWater().predict(molecule)
    assert check.rms["O"] == pytest.approx(0.1 * np.sqrt(np.mean(apt[:, 0] ** 2)))
    assert check.rms["H"] == pytest.approx(0.1 * np.sqrt(np.mean(apt[:, 1:] ** 2)))
    assert check.largest == pytest.approx(0.1 * np.abs(apt).max())
    told = json.loads(json.dumps(check.as_dict()))
    assert told["second"] == {"name": "oracle", "scale": 1.1}
    assert [row["element"] for row in told["atoms"]] == ["O", "H", "H"]
    assert np.allclose(told["atoms"][1]["first"], apt[:, 1])


def test_tensors_must_fit():
    zeros = np.zeros((1, 2, 3, 3))
    with pytest.raises(AlignmentError, match="do not fit each other"):
        CrossCheck({}, {}, np.array([0, 1]), np.array([8, 1]), zeros, zeros[:, :1])


def test_atoms_are_chosen_from_all_elements_in_turn():
    numbers = np.array([11, 17, *[8, 1, 1] * 10])
    chosen = choose_atoms(numbers, 6, seed=1)
    assert numbers[chosen].tolist() == [17, 11, 8, 1, 8, 1]
    assert len(set(chosen)) == 6
    assert chosen == choose_atoms(numbers, 6, seed=1)
    assert any(chosen != choose_atoms(numbers, 6, seed=s) for s in range(2, 5))
    assert sorted(choose_atoms(numbers, 32)) == list(range(32))
    with pytest.raises(InputError, match="cannot be chosen"):
        choose_atoms(numbers, 33)


@pytest.mark.parametrize(("atoms", "step"), [([3], 0.01), ([], 0.01), ([0], 0.0), ([-1], 0.01)])
def test_atoms_and_step_are_checked(water, tmp_path, atoms, step):
    with pytest.raises(InputError, match="not valid"):
        displace_atoms(water, np.zeros((3, 3, 3)), atoms, Theory(), None, tmp_path, step=step)


def test_isolated_frames_and_other_tensors_are_refused(water, tmp_path):
    with pytest.raises(InputError, match="compare_labellers"):
        displace_atoms(water.replace(cell=None), np.zeros((3, 3, 3)), [0], Theory(), None, tmp_path)
    with pytest.raises(AlignmentError, match="does not fit the frame"):
        displace_atoms(water, np.zeros((2, 3, 3)), [0], Theory(), None, tmp_path)


@pytest.mark.engine
def test_field_and_displacement_agree_on_a_molecule(cp2k, tmp_path, monkeypatch, capsys):
    """The whole command, on one molecule in a small cell at a low cutoff."""
    # turned, so that no tensor is symmetric by chance
    turn = np.linalg.qr(np.arange(9.0).reshape(3, 3) + np.eye(3))[0]
    positions = np.round(WATER @ turn, 6)
    frame = Frames([8, 1, 1], positions, cell=[6.0] * 3)
    theory = Theory(basis="DZVP-GTH", cutoff=200.0, n_grids=4, eps_scf=1e-6, field=1e-3)
    work = tmp_path / "raw"
    record = label_frame(frame, theory, cp2k, work / "labels" / "frame-000003", 3, 6.0)
    record.write(record_path(tmp_path / "records", 3))
    settings = recipe().model_dump(mode="json", exclude_none=True)
    (tmp_path / "recipe.yaml").write_text(json.dumps(settings))
    words = ["cross-check", str(tmp_path / "recipe.yaml"), "--frame", "3", "--work", str(work)]

    def call() -> dict:
        with pytest.raises(SystemExit) as end:
            run([*words, "--atoms", "1", "--json"])
        assert end.value.code in (0, None)
        return json.loads(capsys.readouterr().out)

    told = call()
    assert json.loads((tmp_path / "cross-check.json").read_text()) == told
    assert told["atoms"][0]["element"] == "O"
    assert np.array_equal(told["atoms"][0]["first"], record.apt[None, 0])
    assert told["rms"]["all"] < 0.002
    assert told["swapped_rms"] > 4 * told["rms"]["all"]
    assert told["second"]["theory"] == theory.as_dict()
    assert not list((work / "cross-check").rglob("*.wfn")), "wavefunctions were left"

    # it goes on where it was: only a run that is missing is made again
    folder = work / "cross-check" / "frame-000003"
    stamps = {path: path.stat().st_mtime_ns for path in folder.rglob("zero.out")}
    assert len(stamps) == 6
    lost = folder / "atom-0000-y-plus" / "zero.out"
    lost.unlink()
    assert call()["rms"] == pytest.approx(told["rms"], rel=1e-6)
    again = {path: path.stat().st_mtime_ns for path in folder.rglob("zero.out")}
    assert [path for path in stamps if stamps[path] != again[path]] == [lost]

    # a run of another geometry is not taken for one of these
    other = folder / "atom-0000-x-plus"
    (other / "start.xyz").write_text("another geometry")
    assert call()["rms"] == pytest.approx(told["rms"], rel=1e-6)
    assert (other / "zero.out").stat().st_mtime_ns != stamps[other / "zero.out"]


@pytest.mark.engine
def test_two_methods_of_one_code(molecule):
    pytest.importorskip("tblite", reason="tblite is not installed")
    from aptbench.reference.xtb import Xtb

    check = compare_labellers(molecule, Xtb("GFN2-xTB"), Xtb("GFN1-xTB"))
    assert (check.first["functional"], check.second["functional"]) == ("GFN2-xTB", "GFN1-xTB")
    assert 0.01 < check.rms["all"] < 0.5
    assert check.first_apt.shape == (2, 3, 3, 3)
    repeated = compare_labellers(molecule, Xtb("GFN2-xTB"), Xtb("GFN2-xTB"))
    assert repeated.largest < 1e-6


@pytest.mark.engine
@pytest.mark.slow
def test_two_codes_with_one_basis_and_one_pseudopotential(cp2k, cheap):
    """CP2K with forces in a field, PySCF with dipoles of moved atoms: nothing is shared."""
    pytest.importorskip("pyscf", reason="PySCF is not installed")
    from aptbench.reference.cp2k_field import Cp2kField
    from aptbench.reference.pyscf_displacement import PyscfDisplacement

    molecule = Frames([8, 1, 1], WATER)
    first = Cp2kField(cheap, engine=cp2k)
    second = PyscfDisplacement(basis="gth-dzvp", grid_level=3)
    check = compare_labellers(molecule, first, second)
    assert check.rms["all"] < 0.004
    assert check.swapped_rms > 2 * check.rms["all"]
    assert check.slope == pytest.approx(1, abs=0.01)


@pytest.mark.engine
def test_field_and_displacement_agree_in_pyscf():
    pytest.importorskip("pyscf", reason="PySCF is not installed")
    from aptbench.reference.pyscf_displacement import PyscfDisplacement
    from aptbench.reference.pyscf_field import PyscfField

    pair = Frames([9, 1], [[0.1, 0.2, 0.3], [0.4, -0.3, 1.0]])
    moved = PyscfDisplacement("PBE", "sto-3g", None, grid_level=2)
    check = compare_labellers(pair, PyscfField("PBE", "sto-3g", grid_level=2), moved)
    assert check.largest < 5e-4
    assert np.abs(check.second_apt.sum(axis=1)).max() < 5e-4
    with pytest.raises(InputError, match="isolated molecules only"):
        moved.label(pair.replace(cell=np.eye(3) * 9))
    with pytest.raises(InputError, match="'step'"):
        PyscfDisplacement(step=0.0)
