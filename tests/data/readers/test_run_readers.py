"""Readers of VASP and Quantum ESPRESSO: index order, structure, damaged output.

The tensors are those of the polarizable model, which are exact and not symmetric.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from aptbench.data.plausibility import check_order
from aptbench.data.readers.espresso import read_espresso_labels
from aptbench.data.readers.labelled_runs import LabelledRun, stack_runs
from aptbench.data.readers.vasp import read_vasp_labels
from aptbench.data.system import SystemData
from aptbench.errors import AlignmentError, ConvergenceError, InputError, UnknownNameError
from aptbench.frames import LabelledFrames
from aptbench.metrics import check_index_order
from aptbench.oracle import labelled_liquid
from tests.data.readers import run_files
from tests.data.readers.run_files import BORN, outcar, vasprun, write

pytest.importorskip("ase")
WATER = Path(__file__).parent / "espresso_water"
FORCE, POLARIZATION = "(d Force / dE) in cartesian axis", "(d P / du) in cartesian axis "


def swapped(rows: np.ndarray) -> np.ndarray:
    return np.swapaxes(rows, -1, -2)


@pytest.fixture(scope="module")
def liquid() -> LabelledFrames:
    """Two frames of eight molecules, oxygen atoms first, as VASP has them."""
    labelled = labelled_liquid(8, 2, equilibration=20)
    order = np.argsort(-labelled.frames.atomic_numbers, kind="stable")
    return LabelledFrames(labelled.frames.permuted(order), labelled.apt[:, order])


Write = Callable[[LabelledFrames, bool], str]
Read = Callable[..., SystemData]

# Each writes the tensors in the index order of its program; True writes them in the other one.
FORMATS: dict[str, tuple[Read, Write, float]] = {
    "OUTCAR": (
        read_vasp_labels,
        lambda one, wrong: outcar(one.frames, swapped(one.apt[0]) if wrong else one.apt[0]),
        5e-6,
    ),
    "vasprun.xml": (
        read_vasp_labels,
        lambda one, wrong: vasprun(one.frames, swapped(one.apt[0]) if wrong else one.apt[0]),
        5e-9,
    ),
    "water.dyn": (
        read_espresso_labels,
        lambda one, wrong: run_files.dynamical_matrix(
            one.frames, swapped(one.apt[0]) if wrong else one.apt[0]
        ),
        5e-13,
    ),
    "water.dyn.xml": (
        read_espresso_labels,
        lambda one, wrong: run_files.dynamical_matrix_xml(
            one.frames, one.apt[0] if wrong else swapped(one.apt[0])
        ),
        1e-14,
    ),
    "ph.out": (
        read_espresso_labels,
        lambda one, wrong: run_files.phonon_output(
            one.frames, (FORCE, "E", swapped(one.apt[0]) if wrong else one.apt[0])
        ),
        5e-6,
    ),
}


@pytest.fixture(params=FORMATS)
def runs(request, tmp_path, liquid) -> tuple[str, Path, Path]:
    """A format, runs in its index order, and runs in the other."""
    name = request.param
    _, text, _ = FORMATS[name]
    for number in (0, 1):
        write(tmp_path / "right" / f"run-{9 + number}" / name, text(liquid[number], False))
        write(tmp_path / "wrong" / f"run-{9 + number}" / name, text(liquid[number], True))
    return name, tmp_path / "right", tmp_path / "wrong"


def test_tensors_and_structures_come_back(runs, liquid):
    name, right, _ = runs
    read, _, digits = FORMATS[name]
    system = read(right)
    assert system.n_labels == 2
    assert_allclose(system.apt, liquid.apt, atol=1.01 * digits)
    assert_allclose(system.frames.positions, liquid.frames.positions, atol=1e-4)
    assert_allclose(system.frames.cell, liquid.frames.cell, atol=3e-4)
    assert np.array_equal(system.frames.atomic_numbers, liquid.frames.atomic_numbers)
    assert system.provenance["code"].split()[0] in ("VASP", "Quantum")


def test_the_check_tells_the_index_order_of_every_format(runs):
    name, right, wrong = runs
    read = FORMATS[name][0]
    outcomes = []
    for folder in (right, wrong):
        system = read(folder)
        outcomes.append(check_order(LabelledFrames(system.frames, system.apt)).outcome)
    assert outcomes == ["pass", "fail"]


def test_another_order_can_be_given(runs, liquid):
    name, right, wrong = runs
    read = FORMATS[name][0]
    own = "disp,pol" if name == "water.dyn.xml" else "pol,disp"
    other = "pol,disp" if own == "disp,pol" else "disp,pol"
    assert_allclose(read(right, order=own).apt, liquid.apt, atol=1e-5)
    assert_allclose(read(wrong, order=other).apt, liquid.apt, atol=1e-5)
    with pytest.raises(UnknownNameError, match="did you mean"):
        read(right, order="pol,dips")


def test_a_file_that_breaks_off_is_refused_wherever_it_breaks(runs):
    name, right, _ = runs
    read = FORMATS[name][0]
    path = right / "run-9" / name
    lines = path.read_text().splitlines(keepends=True)
    last = max(k for k, line in enumerate(lines) if "0." in line and "Diag" not in line)
    if name == "vasprun.xml":
        last = max(k for k, line in enumerate(lines) if "<set>" in line)
    for end in (len(lines) // 3, last, last - 1, last - 2, last - 4):
        path.write_text("".join(lines[:end]))
        with pytest.raises(InputError, match=path.parent.name):
            read(right)


def test_files_folders_and_patterns_name_runs_in_natural_order(runs, liquid):
    name, right, _ = runs
    read = FORMATS[name][0]
    pattern = f"{right}/*/{name}"
    for source in (right, pattern, [right / "run-9", right / "run-10"]):
        assert_allclose(read(source).apt, liquid.apt, atol=1e-5)
    one = read(right / "run-10" / name)
    assert_allclose(one.apt, liquid.apt[1:], atol=1e-5)
    assert_allclose(read([right / "run-10", right / "run-9"]).apt, liquid.apt[::-1], atol=1e-5)


def test_a_source_without_runs_is_refused(runs, tmp_path):
    name, right, _ = runs
    read = FORMATS[name][0]
    with pytest.raises(InputError, match="no file or folder"):
        read(right / "absent")
    with pytest.raises(InputError, match="There is no run in"):
        read(right.parent)
    with pytest.raises(InputError, match="There is no run in"):
        read(f"{right}/*/nothing")
    other = write(tmp_path / "other" / "a.out", "CP2K| version string: CP2K version 2023.1\n")
    with pytest.raises(InputError, match="is no output of"):
        read(other)


def test_runs_with_other_atoms_are_named(runs, liquid):
    name, right, _ = runs
    read, text, _ = FORMATS[name]
    fewer = LabelledFrames(liquid.frames.permuted(np.arange(24)[::-1]), liquid.apt[:, ::-1])
    write(right / "run-11" / name, text(fewer[0], False))
    with pytest.raises(AlignmentError, match="run-11"):
        read(right)


def test_a_molecule_in_a_box_is_made_whole(runs, liquid):
    """The shift leaves atoms of a molecule on both sides of the box."""
    name, right, _ = runs
    read, text, _ = FORMATS[name]
    molecule = np.flatnonzero(np.asarray(liquid.frames.molecule) == 0)
    assert liquid.frames.cell is not None
    side = liquid.frames.cell[0, 0, 0]
    places = liquid.frames.positions[:1, molecule]
    wrapped = (places - places[:, :1] + 0.1) % side
    frames = liquid.frames[:1].permuted(np.arange(24))
    cut = type(frames)(frames.atomic_numbers[molecule], wrapped, frames.cell)
    write(right / "run-9" / name, text(LabelledFrames(cut, liquid.apt[:1, molecule]), False))
    shutil.rmtree(right / "run-10")
    system = read(right, periodic=False)
    assert system.frames.cell is None
    assert_allclose(system.frames.positions - 0.1, places - places[:, :1], atol=1e-4)


# VASP


def test_a_chain_longer_than_half_its_box_stays_whole():
    chain = np.zeros((12, 3))
    chain[:, 0] = 4.0 + 1.2 * np.arange(12)
    wrapped = chain % 16.0
    run = LabelledRun(
        path=Path("run"),
        atomic_numbers=np.full(12, 6),
        positions=wrapped,
        cell=np.diag([16.0, 20.0, 20.0]),
        apt=np.zeros((12, 3, 3)),
        code="none",
    )
    found = stack_runs([run], periodic=False, total_charge=0.0, provenance={}).frames.positions[0]
    np.testing.assert_allclose(np.diff(found[:, 0]), 1.2, atol=1e-12)


def test_the_charges_of_a_run_of_many_steps_belong_to_the_step_before_them(tmp_path, liquid):
    path = write(tmp_path / "OUTCAR", outcar(liquid.frames[0], liquid.apt[0], steps=3))
    positions = read_vasp_labels(path).frames.positions
    assert_allclose(positions, liquid.frames.positions[:1], atol=1e-5)


@pytest.mark.parametrize(
    "header", [" BORN EFFECTIVE CHARGES (in e, cummulative output)", BORN.replace("|e|", "e")]
)
def test_the_headers_of_older_versions(tmp_path, liquid, header):
    path = write(tmp_path / "OUTCAR", outcar(liquid.frames[0], liquid.apt[0], header=header))
    assert_allclose(read_vasp_labels(path).apt, liquid.apt[:1], atol=1e-5)


def test_charges_without_local_fields_are_no_charges(tmp_path, liquid):
    header = BORN.replace("including", "excluding")
    path = write(tmp_path / "OUTCAR", outcar(liquid.frames[0], liquid.apt[0], header=header))
    with pytest.raises(InputError, match=r"(?s)no Born effective charges.*LEPSILON"):
        read_vasp_labels(path)


def test_a_run_that_did_not_converge(tmp_path, liquid):
    text = outcar(liquid.frames[0], liquid.apt[0])
    path = write(tmp_path / "OUTCAR", text + "aborting loop EDIFF was not reached (unconverged)\n")
    with pytest.raises(ConvergenceError, match="OUTCAR did not converge"):
        read_vasp_labels(path)


def test_a_run_that_may_not_have_converged_in_the_xml(tmp_path, liquid):
    text = vasprun(liquid.frames[0], liquid.apt[0])
    path = write(tmp_path / "vasprun.xml", text)
    assert len(read_vasp_labels(path).apt) == 1
    nelm = '<parameters><i type="int" name="NELM"> 3</i></parameters>'
    text = text.replace("<parameters></parameters>", nelm)
    for steps, converged in ((1, True), (2, False)):
        path.write_text(
            text.replace("<calculation>", "<calculation>" + "<scstep></scstep>" * steps)
        )
        if converged:
            assert len(read_vasp_labels(path).apt) == 1
        else:
            with pytest.raises(ConvergenceError, match="NELM"):
                read_vasp_labels(path)


def test_a_tensor_that_is_missing_in_the_xml_is_no_zero(tmp_path, liquid):
    text = vasprun(liquid.frames[0], liquid.apt[0, :-1])
    with pytest.raises(InputError, match="23 of 24 atoms"):
        read_vasp_labels(write(tmp_path / "vasprun.xml", text))


def test_outcar_comes_before_vasprun(tmp_path, liquid):
    write(tmp_path / "vasprun.xml", "damaged")
    write(tmp_path / "OUTCAR", outcar(liquid.frames[0], liquid.apt[0]))
    assert read_vasp_labels(tmp_path).n_labels == 1


# Quantum ESPRESSO


def test_the_files_of_a_real_run_agree():
    """Version 6.7, one water molecule; its output has (d P / du), its matrix file has not."""
    matrix = read_espresso_labels(WATER / "water.dyn")
    output = read_espresso_labels(WATER / "ph.out")
    assert_allclose(output.apt, matrix.apt, atol=5.01e-6)
    assert_allclose(output.frames.positions, matrix.frames.positions, atol=1e-4)
    assert_allclose(output.frames.cell, matrix.frames.cell, atol=5e-4)
    assert output.provenance["code"] == "Quantum ESPRESSO 6.7MaX"
    assert read_espresso_labels(WATER).apt[0, 1, 0, 1] == matrix.apt[0, 1, 0, 1]


def test_a_real_run_is_recognised_in_its_own_order_only():
    for order, expected in ((None, "pol,disp"), ("disp,pol", "disp,pol")):
        system = read_espresso_labels(WATER, order=order, periodic=False)
        assert check_index_order(system.frames, system.apt).order == expected


def test_the_two_printings_of_a_real_run_are_transposed(tmp_path):
    """Rows Px, Py, Pz are displacements in version 6.7, whatever their names say."""
    text = (WATER / "ph.out").read_text()
    path = write(tmp_path / "ph.out", text.replace("(d Force / dE)", "(d Force / dX)"))
    with pytest.raises(InputError, match=r"(?s)index order is not certain.*--order"):
        read_espresso_labels(path)
    polarization = read_espresso_labels(path, order="disp,pol").apt
    force = read_espresso_labels(WATER / "ph.out").apt
    assert np.abs(polarization - force).max() < 2e-3
    assert np.abs(np.swapaxes(polarization, -1, -2) - force).max() > 0.03


def test_charges_with_the_sum_rule_applied_are_passed_over(tmp_path, liquid):
    raw = liquid.apt[0] + 0.01
    text = run_files.phonon_output(
        liquid.frames[0],
        (f"{FORCE} without acoustic sum rule applied (asr)", "E", raw),
        (f"{FORCE} with asr applied: ", "E*", liquid.apt[0]),
        (POLARIZATION, "P", 2 * raw),
    )
    assert_allclose(read_espresso_labels(write(tmp_path / "ph.out", text)).apt[0], raw, atol=1e-5)


def test_a_response_that_did_not_converge(tmp_path, liquid):
    text = run_files.phonon_output(liquid.frames[0], (FORCE, "E", liquid.apt[0]))
    path = write(tmp_path / "ph.out", text + "     No convergence has been achieved \n")
    with pytest.raises(ConvergenceError, match=r"ph\.out did not converge"):
        read_espresso_labels(path)


def test_a_run_without_the_field_says_what_to_do(tmp_path, liquid):
    path = write(tmp_path / "ph.out", run_files.phonon_output(liquid.frames[0]))
    with pytest.raises(InputError, match=r"(?s)no effective charges.*epsil = \.true\."):
        read_espresso_labels(tmp_path)
    path.write_text(path.read_text().replace("JOB DONE", ""))
    with pytest.raises(InputError, match="breaks off"):
        read_espresso_labels(path)


@pytest.mark.parametrize("name", ["ph.out", "water.dyn", "water.dyn.xml"])
def test_a_cell_that_is_given_replaces_that_of_the_file(tmp_path, liquid, name):
    path = write(tmp_path / name, FORMATS[name][1](liquid[0], False))
    cell = np.diag([9.0, 10.0, 11.0]) + 0.5
    assert np.array_equal(read_espresso_labels(path, cell=cell).frames.cell[0], cell)
    edges = read_espresso_labels(path, cell=[9, 10, 11]).frames.cell[0]
    assert np.array_equal(edges, np.diag([9, 10, 11]))


def test_two_runs_in_a_folder_are_ambiguous(tmp_path, liquid):
    for name in ("a.dyn", "b.dyn"):
        write(tmp_path / name, run_files.dynamical_matrix(liquid.frames[0], liquid.apt[0]))
    with pytest.raises(InputError, match=r"(?s)more than one run.*a\.dyn, b\.dyn"):
        read_espresso_labels(tmp_path)


def test_an_orthorhombic_lattice_by_its_number(tmp_path, liquid):
    text = run_files.dynamical_matrix(liquid.frames[0], liquid.apt[0], lattice=8)
    path = write(tmp_path / "water.dyn", text)
    assert_allclose(read_espresso_labels(path).frames.cell, liquid.frames.cell[:1], atol=1e-5)
    path.write_text(text.replace("   8 ", "  10 ", 1))
    with pytest.raises(InputError, match=r"(?s)ibrav = 10.*--cell"):
        read_espresso_labels(path)
    assert read_espresso_labels(path, cell=[9, 9, 9]).frames.cell[0, 1, 1] == 9


@pytest.mark.parametrize(
    ("lattice", "volume"), [(1, 1), (2, 0.25), (3, 0.5), (4, 1.5 * 0.75**0.5), (6, 1.5), (8, 1.8)]
)
def test_volumes_of_lattices(lattice, volume):
    from aptbench.data.readers.espresso import _bravais
    from aptbench.units import BOHR

    cell = _bravais(Path("a.dyn"), lattice, [2.0, 1.2, 1.5, 0, 0, 0]) / (2 * BOHR)
    assert np.linalg.det(cell) == pytest.approx(volume)


def test_a_triclinic_lattice_has_the_angles_that_are_given():
    from aptbench.data.readers.espresso import _bravais

    cosines = [0.1, -0.2, 0.3]
    cell = _bravais(Path("a.dyn"), 14, [5.0, 1.2, 0.9, *cosines])
    unit = cell / np.linalg.norm(cell, axis=1)[:, None]
    assert [unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]] == pytest.approx(cosines)
    assert np.linalg.norm(cell, axis=1) / np.linalg.norm(cell[0]) == pytest.approx([1, 1.2, 0.9])


@pytest.mark.parametrize(("label", "number"), [("O", 8), ("H2", 1), ("Fe_up", 26), ("HW", 1)])
def test_labels_of_atoms_are_elements(label, number):
    from aptbench.data.readers.espresso import _element

    assert _element(label) == number
