"""`SpectralSource`: a trajectory named by a user, with what labels say about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.evaluate.archived_current import archived_current
from aptbench.evaluate.fitted_labels import FittedLabels
from aptbench.evaluate.prediction_run import NamedModel, fingerprint
from aptbench.evaluate.reference_currents import ReferenceCurrents, reference_currents
from aptbench.evaluate.result import Training
from aptbench.evaluate.task_spectrum import TaskSpectrum, task_spectrum
from aptbench.evaluate.training_record import training_record
from aptbench.evaluate.trajectory import DenseTrajectory, dense_trajectory, trajectory_of
from aptbench.models import model_folder
from aptbench.spectra import SpectralProtocol
from aptbench.tasks import available_tasks, load_task

if TYPE_CHECKING:
    from aptbench.data import Dataset

XYZ: Final = (".xyz", ".extxyz")


@dataclass(frozen=True, eq=False)
class SpectralSource:
    """A trajectory for spectra.

    Parameters
    ----------
    name : str
        For titles and folders.
    trajectory : DenseTrajectory
    dataset, system
        Where it comes from; None for a file.
    task : TaskSpectrum or None
        The task that it is the spectral part of.
    """

    name: str
    trajectory: DenseTrajectory
    dataset: Dataset | None = None
    system: str = ""
    task: TaskSpectrum | None = None

    def reference(self, fitted: Collection[int] = ()) -> ReferenceCurrents | None:
        """Return the currents of the labels, without those that models are fitted to.

        The labels of a task are those of its test: nothing is fitted to them.
        """
        if self.task is not None:
            return self.task.reference
        if self.dataset is None:
            return None
        return reference_currents(self.dataset, self.system, fitted)

    def fitted(self, models: Iterable[Any], *, all_labels: bool = False) -> FittedLabels:
        """Return the labels of a data set that must not correct models.

        Parameters
        ----------
        models : iterable of objects with ``name``
            What they say they were trained on is left out.
        all_labels : bool
            Whether that is all; else training and validation labels of all tasks are left out too.

        Raises
        ------
        InputError
            If all labels are asked for of a task, or of a file without any.
        """
        if all_labels and (self.dataset is None or self.task is not None):
            what = (
                "a file has no labels" if self.dataset is None else "a task uses those of its test"
            )
            raise InputError(
                f"{self.name} takes no --all-labels: {what}.",
                expected="a data set",
                do="leave it out",
            )
        if self.dataset is None or self.task is not None:
            return FittedLabels()
        found = FittedLabels.of_models(models, self.dataset, self.system)
        return found if all_labels else found | FittedLabels.of_tasks(self.dataset, self.system)

    def check_training(self, model: Any) -> Training | None:
        """Return what a model of a task was trained on, None if the source is no task.

        Raises
        ------
        AlignmentError
            If that is part of the test, see `aptbench.evaluate.training_record`.
        """
        if self.task is None or self.dataset is None:
            return None
        return training_record(model, load_task(self.task.task), self.dataset)

    def archived_currents(self, models: Mapping[str, NamedModel], archive: Path) -> dict[str, Any]:
        """Return the currents of a task that are archived, of models that have not changed.

        Parameters
        ----------
        models : mapping of what was loaded to model
        archive : Path
            As `archived_current` takes it.

        Returns
        -------
        dict of the name of a model to array, shape (frame, pol)
            In e angstrom/fs; empty if the source is no task.
        """
        found: dict[str, Any] = {}
        if self.task is None or self.dataset is None:
            return found
        task = load_task(self.task.task)
        for loaded, model in models.items():
            mark = fingerprint(model_folder(loaded), task.name)
            kept = archived_current(archive, task, self.dataset, model, mark, self.trajectory)
            if kept is not None:
                found[model.name] = kept[0].current
        return found

    def dense_labels(self) -> DenseLabelSource:
        """Return the tensors of all frames from the labels.

        Raises
        ------
        InputError
            If a frame is not labelled.
        """
        frames = self.dataset.label_frames(self.system) if self.dataset is not None else np.zeros(0)
        start, n_frames = self.task.start if self.task else 0, len(self.trajectory.frames)
        labels = np.flatnonzero((frames >= start) & (frames < start + n_frames))
        if self.dataset is None or len(labels) != n_frames:
            raise InputError(
                f"Not every frame of {self.name} is labelled.",
                expected="dense labels, as in the data set 'molecules'",
                do="name a model with --model",
            )
        return DenseLabelSource(self.dataset, self.system, labels)


class DenseLabelSource:
    """The tensors of a stretch in which every frame is labelled, read a part at a time.

    Parameters
    ----------
    dataset : Dataset
    system : str
    labels : array of int
        Index of the label of every frame.
    """

    def __init__(self, dataset: Dataset, system: str, labels: npt.NDArray[np.int64]) -> None:
        self._dataset, self._system, self._labels = dataset, system, labels

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Frames, atoms, pol, disp."""
        return len(self._labels), self._dataset.n_atoms(self._system), 3, 3

    def __getitem__(self, index: slice) -> npt.NDArray[np.float64]:
        """Return tensors in e, shape (frame, atom, pol, disp)."""
        return self._dataset.labelled(self._system, self._labels[index]).apt

    def dipoles(self) -> npt.NDArray[np.float64]:
        """Return the dipoles of all frames in e angstrom, shape (frame, pol)."""
        parts = []
        for start in range(0, self.shape[0], 1024):
            labels = self._labels[start : start + 1024]
            dipole = self._dataset.labelled(self._system, labels).dipole
            if dipole is None:
                raise InputError(f"The labels of {self._system!r} have no dipoles.")
            parts.append(dipole)
        return np.concatenate(parts)


def open_source(
    source: str,
    *,
    system: str | None = None,
    protocol: SpectralProtocol,
    bands: Mapping[str, tuple[float, float]] | None = None,
    time_step: float | None = None,
    velocity_unit: str | None = None,
    velocities: Path | None = None,
    cell: tuple[float, float, float] | None = None,
    temperature: float | None = None,
    volume: float | None = None,
) -> SpectralSource:
    """Open a trajectory by name or path.

    Parameters
    ----------
    source : str
        A data set of the catalog, a task (the stretch of its test), the path of a store, or a
        trajectory file: extended xyz with velocities, or positions as CP2K writes them with
        ``velocities`` in a file of their own.
    system : str, optional
        Of a data set with several.
    protocol : SpectralProtocol
    bands : mapping of name to (low, high), optional
        In cm^-1; those of the data set if not given.
    time_step : float, optional
        In fs, for an extended xyz file, which does not state it.
    velocity_unit : str, optional
        Of a file.
    velocities : Path, optional
        File of the velocities of a CP2K trajectory.
    cell : three floats, optional
        Of a trajectory file that does not state it, in angstrom; isolated if not given.
    temperature : float, optional
        In K; that of the velocities if not given.
    volume : float, optional
        In angstrom^3; that of the cell if not given.

    Raises
    ------
    InputError
        If something is missing that the kind of source needs, or the trajectory gives no spectrum.
    """
    path = Path(source).expanduser()
    is_file = path.suffix in XYZ
    is_task = not is_file and source.partition("@")[0] in available_tasks()
    of_files = {
        "--time-step": time_step,
        "--velocity-unit": velocity_unit,
        "--velocities": velocities,
        "--cell": cell,
    }
    unused = [] if is_file else [name for name, value in of_files.items() if value is not None]
    if system is not None and (is_file or is_task):
        unused.append("--system")
    if unused:
        raise InputError(
            f"{source} has its own, and takes no {' and no '.join(unused)}.", do="leave it out"
        )
    if is_file:
        opened = _from_file(path, protocol, bands, time_step, velocity_unit, velocities, cell)
    elif is_task:
        opened = _from_task(source, protocol, bands)
    else:
        opened = _from_dataset(source, system, protocol, bands)
    changes = {"temperature": temperature, "volume": volume}
    for name, value in changes.items():
        if value is not None and not value > 0:
            raise InputError(f"The {name} must be positive.", got=value)
    given = {name: value for name, value in changes.items() if value is not None}
    return replace(opened, trajectory=replace(opened.trajectory, **given))  # type: ignore[arg-type]


def _from_dataset(
    source: str,
    system: str | None,
    protocol: SpectralProtocol,
    bands: Mapping[str, tuple[float, float]] | None,
) -> SpectralSource:
    from aptbench.data import open_dataset

    dataset = open_dataset(source)
    system = dataset.only_system() if system is None else system
    trajectory = dense_trajectory(dataset, system, protocol)
    if bands:
        trajectory = replace(trajectory, bands=bands)
    name = dataset.name if dataset.name == system else f"{dataset.name}-{system}"
    return SpectralSource(name, trajectory, dataset, system)


def _from_task(
    source: str, protocol: SpectralProtocol, bands: Mapping[str, tuple[float, float]] | None
) -> SpectralSource:
    from aptbench.data import open_dataset

    task = load_task(source)
    dataset = open_dataset(task.dataset)
    spectral = task_spectrum(task, dataset)
    changes: dict[str, Any] = {"protocol": protocol} | ({"bands": bands} if bands else {})
    spectral = replace(spectral, trajectory=replace(spectral.trajectory, **changes))
    name = task.name.replace("/", "-")
    return SpectralSource(name, spectral.trajectory, dataset, task.system, spectral)


def _from_file(
    path: Path,
    protocol: SpectralProtocol,
    bands: Mapping[str, tuple[float, float]] | None,
    time_step: float | None,
    velocity_unit: str | None,
    velocities: Path | None,
    cell: tuple[float, float, float] | None,
) -> SpectralSource:
    from aptbench.data.readers.cp2k import read_trajectory
    from aptbench.data.readers.extended_xyz import read_extended_xyz_frames
    from aptbench.spectra import uniform_time_step

    if velocities is not None:
        unit = velocity_unit or "bohr/atomic_time"
        times, frames = read_trajectory(path, velocities, cell=cell, velocity_unit=unit)
        step = uniform_time_step(times) if time_step is None else time_step
    else:
        frames = read_extended_xyz_frames(path, velocity_unit=velocity_unit)
        if cell is not None:
            if frames.periodic:
                raise InputError(f"{path.name} states its cell.", do="leave out --cell")
            frames = frames.replace(cell=np.asarray(cell, float))
        if time_step is None:
            raise InputError(
                f"{path.name} does not state the time between its frames.",
                expected="--time-step, in fs",
            )
        step = time_step
    trajectory = trajectory_of(frames, step, protocol, bands=bands, name=path.name)
    return SpectralSource(path.stem, trajectory)
