"""Text of the CP2K inputs that make the reference data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from aptbench.elements import SYMBOLS
from aptbench.errors import UnknownNameError
from aptbench.reference.theory import Theory

NNP_FOLDER = "NNP/bulkH2O-jcp2020-cnnp"
"""Committee potential for bulk water in CP2K's data folder (doi:10.1063/5.0016004)."""


@dataclass(frozen=True)
class Section:
    """One section of a CP2K input: keywords as lines, then sub-sections.

    Examples
    --------
    >>> print(Section("A", ["X 1"], [Section("B c")]))
    &A
      X 1
      &B c
      &END B
    &END A
    """

    name: str
    lines: Sequence[str] = ()
    sections: Sequence[Section] = field(default=())

    def __str__(self) -> str:
        body = [*self.lines, *(line for s in self.sections for line in str(s).splitlines())]
        end = f"&END {self.name.split()[0]}"
        return "\n".join([f"&{self.name}", *("  " + line for line in body), end])


def xyz_text(atomic_numbers: npt.ArrayLike, positions: npt.ArrayLike, comment: str = "") -> str:
    """Return one frame as plain xyz text; positions of shape (atom, xyz) in angstrom."""
    import numpy as np

    numbers, xyz = np.asarray(atomic_numbers), np.asarray(positions)
    rows = (
        f"{SYMBOLS[z]:2s} {x:18.12f} {y:18.12f} {w:18.12f}"
        for z, (x, y, w) in zip(numbers, xyz, strict=True)
    )
    return "\n".join([str(len(numbers)), comment, *rows]) + "\n"


def subsystem(cell: Any, kinds: Sequence[Section], *, isolated: bool = False) -> Section:
    """Return the SUBSYS section that reads ``start.xyz``; cell rows in angstrom."""
    vectors = [
        f"{name} {row[0]:.12f} {row[1]:.12f} {row[2]:.12f}"
        for name, row in zip("ABC", cell, strict=True)
    ]
    if isolated:
        vectors.append("PERIODIC NONE")
    return Section(
        "SUBSYS",
        (),
        [
            Section("CELL", vectors),
            Section("TOPOLOGY", ["COORD_FILE_NAME start.xyz", "COORD_FILE_FORMAT XYZ"]),
            *kinds,
        ],
    )


def molecular_dynamics(
    *,
    ensemble: str,
    steps: int,
    timestep: float,
    temperature: float,
    stride: int,
    seed: int,
    member: int,
    cell: Any,
    elements: Sequence[str],
    thermostat_time: float = 50.0,
    velocities: Any = None,
    restart: str | None = None,
) -> str:
    """Return the input of a molecular-dynamics stage with the water committee potential.

    Parameters
    ----------
    ensemble : {"NVT", "NVE"}
        NVT uses the CSVR thermostat (doi:10.1063/1.2408420).
    steps : int
        Number of steps to run.
    timestep, thermostat_time : float
        In fs.
    temperature : float
        In K.
    stride : int
        Steps between two frames that are written.
    seed : int
        Of the initial velocities and of the thermostat.
    member : int
        Which member of the committee drives the dynamics, from 1.
    cell : array, shape (vector, xyz)
        In angstrom.
    elements : sequence of str
    velocities : array, shape (atom, xyz), optional
        Initial velocities in bohr per atomic unit of time; drawn at ``temperature`` if None.
    restart : str, optional
        Name of a restart file to continue from.
    """
    every = [Section("EACH", [f"MD {stride}"])]
    thermostat = Section(
        "THERMOSTAT", ["TYPE CSVR"], [Section("CSVR", [f"TIMECON {thermostat_time}"])]
    )
    folder = f"{NNP_FOLDER}/nnp-{member}"
    subsys = subsystem(cell, [Section(f"KIND {element}") for element in elements])
    if velocities is not None:
        rows = [" ".join(f"{v:.15e}" for v in row) for row in velocities]
        subsys = Section("SUBSYS", (), [*subsys.sections, Section("VELOCITY", rows)])
    sections = [
        Section("GLOBAL", ["PROJECT md", "RUN_TYPE MD", "PRINT_LEVEL LOW", f"SEED {seed}"]),
        Section(
            "FORCE_EVAL",
            ["METHOD NNP"],
            [
                Section(
                    "NNP",
                    [
                        f"NNP_INPUT_FILE_NAME {folder}/input.nn",
                        f"SCALE_FILE_NAME {folder}/scaling.data",
                    ],
                    [Section("MODEL", [f"WEIGHTS {folder}/weights"])],
                ),
                subsys,
            ],
        ),
        Section(
            "MOTION",
            (),
            [
                Section(
                    "MD",
                    [
                        f"ENSEMBLE {ensemble}",
                        f"STEPS {steps}",
                        f"TIMESTEP {timestep}",
                        f"TEMPERATURE {temperature}",
                    ],
                    [thermostat] if ensemble == "NVT" else [],
                ),
                Section(
                    "PRINT",
                    (),
                    [
                        Section("TRAJECTORY", (), every),
                        Section("VELOCITIES", (), every),
                        Section("RESTART_HISTORY OFF"),
                        Section("RESTART", (), [Section("EACH", ["MD 200"])]),
                    ],
                ),
            ],
        ),
    ]
    if restart is not None:
        sections.append(Section("EXT_RESTART", [f"RESTART_FILE_NAME {restart}"]))
    return "\n".join(map(str, sections)) + "\n"


def finite_field(
    *,
    theory: Theory,
    cell: Any,
    elements: Sequence[str],
    field: tuple[float, float, float] | None,
    wannier: bool = False,
    restart: str | None = None,
    name: str = "run",
    isolated: bool = False,
) -> str:
    """Return the input of one energy-and-force calculation in a uniform field.

    Parameters
    ----------
    theory : Theory
        Level of theory.
    cell : array, shape (vector, xyz)
        In angstrom.
    elements : sequence of str
    field : three floats, optional
        Direction times intensity in atomic units; None for no field.
    wannier : bool
        Whether to localise the orbitals and print the Wannier centres.
    restart : str, optional
        Wavefunction file to start from; atomic densities if None.
    name : str
        Project name; the wavefunction is written to ``<name>-RESTART.wfn``.
    isolated : bool
        Whether the cell is a cubic box with nothing around it: electrostatics are then those of
        free space, and the field acts on the dipole itself; else both are periodic (Berry phase).

    Notes
    -----
    The solver for free space (Genovese et al., J. Chem. Phys. 125, 074105 (2006),
    doi:10.1063/1.2335442) needs a box that holds the density, not one of twice its size.
    """
    loop = f"EPS_SCF {theory.eps_scf:g}"
    scf = Section(
        "SCF",
        [f"SCF_GUESS {'RESTART' if restart else 'ATOMIC'}", loop, "MAX_SCF 8"],
        [
            Section("OT", ["MINIMIZER DIIS", "PRECONDITIONER FULL_ALL", "ENERGY_GAP 0.002"]),
            Section("OUTER_SCF", [f"MAX_SCF {theory.outer_scf}", loop]),
            Section("PRINT", (), [Section("RESTART_HISTORY OFF")]),
        ],
    )
    dft = [
        Section(
            "MGRID",
            [
                f"CUTOFF {theory.cutoff:g}",
                f"REL_CUTOFF {theory.rel_cutoff:g}",
                f"NGRIDS {theory.n_grids}",
            ],
        ),
        Section("QS", [f"EPS_DEFAULT {theory.eps_default:g}"]),
        scf,
        _functional(theory.functional),
    ]
    if isolated:
        dft.append(Section("POISSON", ["PERIODIC NONE", "POISSON_SOLVER WAVELET"]))
    if field is not None:
        strength = sum(x * x for x in field) ** 0.5
        direction = " ".join(f"{x / strength:.15g}" for x in field)
        dft.append(
            Section(
                "EFIELD" if isolated else "PERIODIC_EFIELD",
                [
                    f"INTENSITY {strength:.15g}",
                    f"POLARISATION {direction}",
                ],
            )
        )
    if wannier:
        centers = Section("WANNIER_CENTERS", ["IONS+CENTERS T", "FILENAME =wannier.xyz"])
        dft.append(
            Section(
                "LOCALIZE",
                ["METHOD JACOBI", "MAX_ITER 2000", "EPS_LOCALIZATION 1e-5"],
                [Section("PRINT", (), [centers])],
            )
        )
    dft.append(Section("PRINT", (), [Section("MOMENTS", [f"PERIODIC {'F' if isolated else 'T'}"])]))
    kinds = [
        Section(f"KIND {e}", [f"BASIS_SET {theory.basis}", f"POTENTIAL {theory.potential}"])
        for e in elements
    ]
    files = [
        f"BASIS_SET_FILE_NAME {theory.basis_file}",
        "POTENTIAL_FILE_NAME GTH_POTENTIALS",
        *([f"WFN_RESTART_FILE_NAME {restart}"] if restart else []),
    ]
    sections = [
        Section(
            "GLOBAL",
            [
                f"PROJECT {name}",
                "RUN_TYPE ENERGY_FORCE",
                "PRINT_LEVEL LOW",
                "PREFERRED_DIAG_LIBRARY SL",
            ],
        ),
        Section(
            "FORCE_EVAL",
            ["METHOD QS"],
            [
                Section("DFT", files, dft),
                subsystem(cell, kinds, isolated=isolated),
                Section("PRINT", (), [Section("FORCES", ["NDIGITS 12"])]),
            ],
        ),
    ]
    return "\n".join(map(str, sections)) + "\n"


def _functional(name: str) -> Section:
    pieces = {
        "RPBE": [
            Section("PBE", ["PARAMETRIZATION REVPBE", "SCALE_X 0"]),
            Section("GGA_X_RPBE"),
        ],
        "PBE": [Section("PBE")],
    }
    if name not in pieces:
        raise UnknownNameError("functional", name, pieces)
    return Section("XC", (), [Section("XC_FUNCTIONAL", (), pieces[name])])
