"""`ClassicalLiquid`: liquid water, with ions if wanted, moved by a classical force field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.elements import SYMBOLS
from aptbench.errors import InputError, MissingEngineError
from aptbench.frames import Frames
from aptbench.units import AVOGADRO, ELEMENTARY_CHARGE

if TYPE_CHECKING:
    import openmm

Array = npt.NDArray[np.float64]

FORCE_FIELD: Final = "amber14/spce.xml"
"""Flexible SPC/E water (doi:10.1021/j100308a038, harmonic bonds and angles) and Joung-Cheatham
ions (doi:10.1021/jp8001614), as OpenMM ships them."""
IONS: Final[Mapping[str, int]] = {"Li": 1, "Na": 1, "K": 1, "F": -1, "Cl": -1, "Br": -1}
"""Ions that can be packed, and their charges in e."""
_WATER: Final = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (-0.3333, 0.9428, 0.0))
_FRICTION: Final = 1.0
_CHUNK: Final = 50
_EV: Final = 1000 / (AVOGADRO * ELEMENTARY_CHARGE)


@dataclass(frozen=True)
class ClassicalLiquid:
    """Molecular dynamics of H2O molecules and ions with OpenMM (doi:10.1021/acs.jpcb.3c06662).

    The order of the atoms is O, H, H of all molecules, then the ions. What is moved is for
    labels by another method, so it need not be more than a liquid of the right structure.

    Parameters
    ----------
    composition : mapping of str to int
        How many of "H2O" and of each ion of `IONS`.
    cell : three floats
        Edges of the orthorhombic cell in angstrom.

    Raises
    ------
    InputError
        If the composition has an unknown name, no water, or a charge, or the cell is too small.
    MissingEngineError
        If OpenMM is not installed.
    """

    composition: Mapping[str, int]
    cell: tuple[float, float, float]

    def __post_init__(self) -> None:
        counts = dict(self.composition)
        wrong = sorted(set(counts) - {"H2O", *IONS})
        charge = sum(IONS.get(name, 0) * count for name, count in counts.items())
        if wrong or charge or counts.get("H2O", 0) < 1 or min(counts.values()) < 0:
            raise InputError(
                "The composition cannot be packed.",
                got=f"{counts}, total charge {charge}",
                expected=f"H2O, and ions among {', '.join(IONS)}, neutral together",
            )
        if min(self.cell) < 10:
            raise InputError(
                "The cell is too small for the force field.",
                got=self.cell,
                expected="edges of 10 angstrom at least",
            )
        try:
            import openmm  # noqa: F401
        except ImportError:
            raise MissingEngineError(
                "The library OpenMM is not installed.", do="pip install 'aptbench[sample]'"
            ) from None

    @property
    def version(self) -> str:
        """Name and version of the program."""
        import openmm

        return f"OpenMM {openmm.version.short_version}"

    @property
    def atomic_numbers(self) -> npt.NDArray[np.int64]:
        """Of all atoms, shape (atom,)."""
        ions = [name for name in self._ions for _ in range(self.composition[name])]
        symbols = ["O", "H", "H"] * self.composition["H2O"] + ions
        return np.array([SYMBOLS.index(symbol) for symbol in symbols])

    @property
    def molecule(self) -> npt.NDArray[np.int64]:
        """Molecule of each atom, shape (atom,)."""
        waters = np.repeat(np.arange(self.composition["H2O"]), 3)
        ions = sum(self.composition[name] for name in self._ions)
        return np.concatenate([waters, len(waters) // 3 + np.arange(ions)])

    def packed(self, temperature: float, seed: int, length_ps: float = 50.0) -> Frames:
        """Return an equilibrated configuration, with velocities.

        Molecules are put on a grid with random orientations, the energy is minimised, and a
        Langevin stretch follows.

        Parameters
        ----------
        temperature : float
            In K.
        seed : int
        length_ps : float
            Of the Langevin stretch.
        """
        random = np.random.default_rng(seed)
        n_molecules = int(self.molecule[-1]) + 1
        edges = np.array(self.cell)
        n_points = np.ceil(edges * (n_molecules / edges.prod()) ** (1 / 3)).astype(int)
        grid = np.stack(np.meshgrid(*(np.arange(n) for n in n_points), indexing="ij"), axis=-1)
        sites = random.permutation(grid.reshape(-1, 3))[:n_molecules] * (edges / n_points)
        positions = []
        for number, site in enumerate(sites):
            shape = np.array(_WATER if number < self.composition["H2O"] else _WATER[:1])
            positions.append(site + shape @ _random_rotation(random))
        start = Frames(self.atomic_numbers, np.concatenate(positions), edges, None, self.molecule)
        import openmm

        context = self._context("NVT", temperature, 0.5, seed, start)
        openmm.LocalEnergyMinimizer.minimize(context)
        context.setVelocitiesToTemperature(temperature, seed)
        context.getIntegrator().step(round(length_ps / 0.0005))
        return self._frame(context)

    def run(
        self,
        start: Frames,
        *,
        ensemble: str,
        steps: int,
        timestep: float,
        stride: int,
        temperature: float,
        seed: int,
        progress: Any = None,
    ) -> tuple[Frames, Array]:
        """Run molecular dynamics; NVE by velocity Verlet, NVT by Langevin dynamics.

        Parameters
        ----------
        start : Frames
            One frame with the atoms of `atomic_numbers`; velocities are drawn if it has none.
        ensemble : {"NVT", "NVE"}
        steps, stride : int
            How many, and between stored frames.
        timestep : float
            In fs.
        temperature : float
            In K.
        seed : int
        progress : callable, optional
            Called with the steps done.

        Returns
        -------
        frames : Frames
            ``steps // stride + 1`` frames from the start on, with velocities at the same times.
        energies : array, shape (frame,)
            Total energies in eV.

        Raises
        ------
        InputError
            If the atoms of ``start`` are others.
        """
        from openmm import unit

        if not np.array_equal(start.atomic_numbers, self.atomic_numbers):
            raise InputError(
                "The start does not have the atoms of the composition.",
                got=f"{start.n_atoms} atoms",
                expected=f"{dict(self.composition)}: O, H, H of all molecules, then the ions",
            )
        context = self._context(ensemble, temperature, timestep, seed, start)
        if start.velocities is None:
            context.setVelocitiesToTemperature(temperature, seed)
        pieces, energies = [], []
        for number in range(steps // stride + 1):
            if number:
                context.getIntegrator().step(stride)
            pieces.append(self._frame(context))
            state = context.getState(getEnergy=True)
            total = state.getKineticEnergy() + state.getPotentialEnergy()
            energies.append(total.value_in_unit(unit.kilojoule_per_mole) * _EV)
            if progress and number % _CHUNK == 0:
                progress(number * stride)
        frames = Frames.joined(pieces)
        return frames, np.array(energies)

    @property
    def _ions(self) -> list[str]:
        return sorted(name for name in self.composition if name != "H2O")

    @cached_property
    def _system(self) -> openmm.System:
        from openmm import app, unit

        topology = app.Topology()
        chain = topology.addChain()
        for _ in range(self.composition["H2O"]):
            residue = topology.addResidue("HOH", chain)
            atoms = [
                topology.addAtom(name, app.Element.getBySymbol(name[0]), residue)
                for name in ("O", "H1", "H2")
            ]
            topology.addBond(atoms[0], atoms[1])
            topology.addBond(atoms[0], atoms[2])
        for name in self._ions:
            for _ in range(self.composition[name]):
                label = name.upper()
                residue = topology.addResidue(label, chain)
                topology.addAtom(label, app.Element.getBySymbol(name), residue)
        topology.setPeriodicBoxVectors(np.diag(self.cell) * 0.1 * unit.nanometer)
        return app.ForceField(FORCE_FIELD).createSystem(
            topology,
            nonbondedMethod=app.PME,
            nonbondedCutoff=min(0.9, 0.0499 * min(self.cell)) * unit.nanometer,
            constraints=None,
            rigidWater=False,
            removeCMMotion=False,
        )

    def _context(
        self, ensemble: str, temperature: float, timestep: float, seed: int, start: Frames
    ) -> openmm.Context:
        import openmm
        from openmm import unit

        step = timestep * unit.femtosecond
        if ensemble == "NVT":
            integrator = openmm.LangevinMiddleIntegrator(
                temperature * unit.kelvin, _FRICTION / unit.picosecond, step
            )
            integrator.setRandomNumberSeed(seed)
        else:
            # The integrator of the same name in OpenMM keeps velocities half a step behind.
            integrator = openmm.CustomIntegrator(step)
            integrator.addUpdateContextState()
            integrator.addComputePerDof("v", "v + 0.5 * dt * f / m")
            integrator.addComputePerDof("x", "x + dt * v")
            integrator.addComputePerDof("v", "v + 0.5 * dt * f / m")
        platform = openmm.Platform.getPlatformByName("CPU")
        context = openmm.Context(
            self._system, integrator, platform, {"Threads": "1", "DeterministicForces": "true"}
        )
        context.setPositions(start.positions[0] * 0.1)
        if start.velocities is not None:
            context.setVelocities(start.velocities[0] * 100)
        return context

    def _frame(self, context: openmm.Context) -> Frames:
        state = context.getState(getPositions=True, getVelocities=True)
        return Frames(
            self.atomic_numbers,
            np.array(state.getPositions(asNumpy=True)._value)[None] * 10,
            np.array(self.cell),
            np.array(state.getVelocities(asNumpy=True)._value)[None] * 0.01,
            self.molecule,
        )


def _random_rotation(random: np.random.Generator) -> Array:
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.random(rng=random).as_matrix())
