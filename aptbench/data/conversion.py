"""Conversion of other programs' files into a store, with the checks that catch silent mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.data.dataset import Dataset
from aptbench.data.lint_labels import ATOM_ERROR, check_acoustic_sum
from aptbench.data.plausibility import Finding, check_charges, check_order
from aptbench.data.readers.columns_xyz import read_columns_xyz
from aptbench.data.readers.cp2k_labels import read_cp2k_labels
from aptbench.data.readers.espresso import read_espresso_labels
from aptbench.data.readers.extended_xyz import read_extended_xyz
from aptbench.data.readers.labels_on_trajectory import labels_on_trajectory
from aptbench.data.readers.trajectory_file import read_trajectory_file
from aptbench.data.readers.vasp import read_vasp_labels
from aptbench.data.system import SystemData, sum_rule_residual
from aptbench.data.writer import write_dataset
from aptbench.errors import InputError, UnknownNameError
from aptbench.frames import LabelledFrames

FORMATS: Final = ("columns-xyz", "cp2k", "espresso", "extxyz", "vasp")
"""Formats that `read_source` knows."""
MISSING_ATOM: Final = 4 * ATOM_ERROR
"""Acoustic sum in e, for one atom, from which nothing is written: more than labels are wrong by.

Errors of atoms add up as the root of their number. The published liquid water has up to 0.0097."""
_OF_RUNS: Final = {"cp2k": "CP2K", "espresso": "Quantum ESPRESSO", "vasp": "VASP"}


@dataclass(frozen=True)
class Conversion:
    """What `convert` did.

    Parameters
    ----------
    dataset : Dataset or None
        The store that was written; None if a check failed and nothing was written.
    system : SystemData
        What was read.
    findings : tuple of Finding
        The results of the checks.
    """

    dataset: Dataset | None
    system: SystemData
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return all(finding.ok for finding in self.findings)


def read_source(
    source: Path | str | Sequence[Path | str],
    format: str,  # noqa: A002
    *,
    order: str | None = None,
    apt_unit: str = "e",
    length_unit: str = "angstrom",
    velocity_unit: str | None = None,
    cell: npt.ArrayLike | None = None,
    isolated: bool = False,
    atoms_per_molecule: int | None = None,
    total_charge: float = 0.0,
    field: float | None = None,
) -> SystemData:
    """Read labelled frames of one of `FORMATS`.

    Parameters
    ----------
    source : path, or several for ``espresso`` and ``vasp``
        A file; a folder for ``cp2k`` (see `read_cp2k_labels`); files, folders and patterns for
        ``espresso`` (`read_espresso_labels`) and ``vasp`` (`read_vasp_labels`).
    format : str
    order : {"pol,disp", "disp,pol"}
        Needed for xyz files; runs in fields (``cp2k``) leave no choice; ``espresso`` and ``vasp``
        have one of their own, which this replaces.
    apt_unit, length_unit, velocity_unit : str
        Units of the file.
    cell : array, optional
        In angstrom; for ``columns-xyz`` either this or ``isolated`` is needed. ``vasp`` leaves no
        choice.
    isolated : bool
        The system has no cell.
    atoms_per_molecule : int, optional
        Consecutive atoms form molecules of so many.
    total_charge : float
        In e.
    field : float, optional
        Field strength in atomic units, for ``cp2k``.

    Raises
    ------
    InputError
        If something that the format needs is not given; all errors of the readers.
    """
    if format.lower() in ("aims", "fhi-aims"):
        raise InputError(
            "There is no reader of FHI-aims: its runs print polarizations, not tensors.",
            got=format,
            expected=f"one of {', '.join(FORMATS)}",
            do="difference the polarizations, and write the tensors to an extended xyz file",
        )
    if format not in FORMATS:
        raise UnknownNameError("format", format, FORMATS)
    if isolated and cell is not None and format != "espresso":
        raise InputError("An isolated system has no cell.", do="leave out --cell or --isolated")
    if field is not None and format != "cp2k":
        raise InputError(f"There is no field strength of {format} files.", do="leave out --field")
    if order is None and format not in _OF_RUNS:
        raise InputError(
            "The index order of the tensors is not given.",
            expected="--order pol,disp or --order disp,pol",
            do="look it up where the file comes from; if nobody knows, try one: the check of the "
            "index order tells whether the tensors look transposed",
        )
    if format in _OF_RUNS and (apt_unit != "e" or length_unit != "angstrom"):
        raise InputError(
            f"The units of {_OF_RUNS[format]} runs are not a choice.",
            do="leave out --unit and --length-unit",
        )
    if format == "vasp":
        if cell is not None:
            raise InputError("The cell of VASP runs is not a choice.", do="leave out --cell")
        system = read_vasp_labels(
            source, order=order, periodic=not isolated, total_charge=total_charge
        )
        return _with_molecules(system, atoms_per_molecule)
    if format == "espresso":
        system = read_espresso_labels(
            source, order=order, cell=cell, periodic=not isolated, total_charge=total_charge
        )
        return _with_molecules(system, atoms_per_molecule)
    source = _one(source, format)
    if format == "cp2k":
        if order == "disp,pol":
            raise InputError(
                "The index order of CP2K runs is not a choice.", do="leave out --order"
            )
        if field is None:
            raise InputError("The field strength of the runs is not given.", expected="--field")
        system = read_cp2k_labels(
            source, field=field, cell=cell, periodic=not isolated, total_charge=total_charge
        )
    elif format == "columns-xyz":
        if cell is None and not isolated:
            raise InputError(
                "The cell is not given, and this format does not hold it.",
                expected="--cell A,B,C in angstrom, or --isolated",
            )
        system = SystemData.from_labelled(
            read_columns_xyz(
                source,
                order=str(order),
                cell=None if isolated else cell,
                apt_unit=apt_unit,
                length_unit=length_unit,
                total_charge=total_charge,
            )
        )
    else:
        labelled = read_extended_xyz(
            source,
            order=str(order),
            apt_unit=apt_unit,
            length_unit=length_unit,
            velocity_unit=velocity_unit,
        )
        if cell is not None or isolated or total_charge:
            frames = labelled.frames.replace(
                cell=None if isolated else labelled.frames.cell if cell is None else cell,
                total_charge=total_charge or labelled.frames.total_charge,
            )
            labelled = LabelledFrames(
                frames, labelled.apt, labelled.dipole, labelled.wannier_centers
            )
        system = SystemData.from_labelled(labelled)
    return _with_molecules(system, atoms_per_molecule)


def convert(
    system: SystemData,
    target: Path | str,
    attrs: Mapping[str, Any],
    *,
    system_name: str = "main",
    force: bool = False,
    overwrite: bool = False,
) -> Conversion:
    """Check labels, and write them to a store if no check fails.

    Parameters
    ----------
    system : SystemData
        For example what `read_source` returns.
    target : path
        Of the store.
    attrs : mapping
        Attributes of the data set, see `write_dataset`.
    system_name : str
    force : bool
        Write although a check failed; the failures are kept in the attribute ``failed_checks``.
    overwrite : bool
        Replace a store that is there.

    Raises
    ------
    InputError, StoreError
        As `write_dataset` does.
    """
    labelled = LabelledFrames(
        system.frames[system.label_frame], system.apt, system.dipole, system.wannier_centers
    )
    findings = check_labels(labelled)
    failed = [f"{finding.check}: {finding.message}" for finding in findings if not finding.ok]
    if failed and not force:
        return Conversion(None, system, findings)
    attributes = dict(attrs) | ({"failed_checks": failed} if failed else {})
    dataset = write_dataset(target, {system_name: system}, attributes, overwrite=overwrite)
    return Conversion(dataset, system, findings)


def check_labels(labelled: LabelledFrames) -> tuple[Finding, ...]:
    """Check unit, completeness and index order of labels.

    Parameters
    ----------
    labelled : LabelledFrames
        Tensors as (frame, atom, pol, disp) in e.

    Returns
    -------
    tuple of Finding
        For the checks ``charges`` (unit and sign), ``acoustic_sum`` (missing atoms) and
        ``index_order``.

    Notes
    -----
    The acoustic sum has the limit of `aptbench.data.lint`. Beyond it labels are rough (``unknown``,
    with advice); beyond ``MISSING_ATOM`` times the root of the number of atoms the check fails.
    """
    return (check_charges(labelled), _check_acoustic_sum(labelled), check_order(labelled))


def _check_acoustic_sum(labelled: LabelledFrames) -> Finding:
    if not len(labelled):
        return Finding("acoustic_sum", "unknown", "there is no label")
    finding = check_acoustic_sum(labelled)
    largest = sum_rule_residual(labelled.apt, labelled.frames.total_charge).max()
    rough = not finding.ok and largest <= MISSING_ATOM * np.sqrt(labelled.frames.n_atoms)
    return replace(finding, outcome="unknown") if rough else finding


def with_trajectory(
    system: SystemData,
    positions: Path | str,
    velocities: Path | str | None = None,
    *,
    format: str = "cp2k",  # noqa: A002
    time_step: float | None = None,
    time_unit: str | None = None,
    velocity_unit: str | None = None,
) -> SystemData:
    """Put labels on the trajectory that their configurations were taken from.

    Parameters
    ----------
    system : SystemData
        What `read_source` returns. Its cell is that of a trajectory whose file holds none, and must
        then be the same for all labels; without a cell the trajectory has none either.
    positions, velocities, format, time_step, time_unit, velocity_unit
        As in `read_trajectory_file`.

    Raises
    ------
    InputError
        If the cell is needed and differs between labels; all errors of `read_trajectory_file`.
    AlignmentError
        If a label belongs to no frame, see `labels_on_trajectory`.
    """
    cell = system.frames.cell
    one = None if cell is None or np.any(np.abs(cell - cell[0]) > 1e-4) else cell[0]
    several = cell is not None and one is None
    if several and format == "cp2k":
        raise _cells_differ()
    times, frames = read_trajectory_file(
        positions,
        velocities,
        format=format,
        cell=one,
        time_step=time_step,
        time_unit=time_unit,
        velocity_unit=velocity_unit,
    )
    if several and frames.cell is None:
        raise _cells_differ()
    if cell is None:
        frames = frames.replace(cell=None)
    return labels_on_trajectory(system, times, frames)


def _cells_differ() -> InputError:
    return InputError(
        "The cell differs between labels, and the files of a trajectory hold none.",
        expected="one cell, the same for all frames",
        do="give the cell, if the labels only round it",
    )


def _one(source: Path | str | Sequence[Path | str], format: str) -> Path | str:  # noqa: A002
    sources = [source] if isinstance(source, str | Path) else list(source)
    if len(sources) != 1:
        raise InputError(
            f"The format {format} is read from one source.",
            got=f"{len(sources)} sources",
            do="convert them one at a time, or join the files",
        )
    return sources[0]


def _with_molecules(system: SystemData, atoms_per_molecule: int | None) -> SystemData:
    if atoms_per_molecule is None:
        return system
    n_atoms = system.frames.n_atoms
    if atoms_per_molecule < 1 or n_atoms % atoms_per_molecule:
        raise InputError(
            "The atoms do not divide into molecules.",
            got=f"{n_atoms} atoms, {atoms_per_molecule} a molecule",
            expected="a divisor of the number of atoms",
            do="look for missing atoms",
        )
    molecule = np.arange(n_atoms) // atoms_per_molecule
    return replace(system, frames=system.frames.replace(molecule=molecule))
