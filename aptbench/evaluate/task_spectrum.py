"""`TaskSpectrum`: the spectral part of a task, trajectory and reference of its test."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate.current_audit import compare_tensors
from aptbench.evaluate.current_record import CurrentRecord
from aptbench.evaluate.predictions import Predictions
from aptbench.evaluate.reference_currents import ReferenceCurrents, reference_currents
from aptbench.evaluate.result import Band, Metric, SpectrumSummary
from aptbench.evaluate.spectral_study import SpectralStudy, spectral_study
from aptbench.evaluate.trajectory import DenseTrajectory, dense_trajectory
from aptbench.spectra import get_protocol
from aptbench.tasks import Task
from aptbench.tasks.frozen import checked_reference
from aptbench.tasks.spectrum_reference import SpectrumReference, reference_path

if TYPE_CHECKING:
    from aptbench.data import Dataset


@dataclass(frozen=True, eq=False)
class TaskSpectrum:
    """What the spectrum of a model is compared with in a task.

    The stretch goes from the first to the last test label, so that no model was fitted to a frame
    of it. Where every frame of the stretch is labelled the reference spectrum is that of the
    labels; else it is estimated from the test labels and `SpectrumReference`.

    Parameters
    ----------
    task : str
        With its version.
    trajectory : DenseTrajectory
        The stretch.
    start : int
        Its first frame in the trajectory of the system.
    reference : ReferenceCurrents
        Labels of the stretch; frames count from ``start``.
    frozen : SpectrumReference or None
        None where every frame is labelled, or the task has none yet.
    """

    task: str
    trajectory: DenseTrajectory
    start: int
    reference: ReferenceCurrents
    frozen: SpectrumReference | None = None

    def study(self, currents: Mapping[str, npt.ArrayLike]) -> SpectralStudy:
        """Compare the spectra of models with the reference; see `spectral_study`."""
        return spectral_study(self.trajectory, currents, self.reference, anchor=self.anchor)

    @property
    def anchor(self) -> tuple[str, npt.NDArray[np.float64]] | None:
        """Name and current that estimate the reference from its labels, for `spectral_study`."""
        return None if self.frozen is None else (self.frozen.title, self.frozen.current)

    def check_current(self, record: CurrentRecord, predictions: Predictions) -> None:
        """Compare a current with its own tensors, and with the predictions of the test frames.

        Raises
        ------
        AlignmentError, InputError
            As `check_currents`; the predictions must give the current of their frames.
        """
        record.check(self.trajectory)
        compare_tensors(
            record.current,
            predictions.frame - self.start,
            predictions.apt,
            self.trajectory,
            "the predictions of the test frames",
        )

    def summary(self, current: npt.ArrayLike) -> SpectrumSummary:
        """Score the spectrum of one model.

        Parameters
        ----------
        current : array, shape (frame, pol)
            In e angstrom/fs, of every frame of the stretch.
        """
        study = self.study({"model": current})
        spectrum = study.spectra.spectrum("model")
        trajectory = self.trajectory
        bands = {
            name: Band(low=low, high=high, integral=spectrum.integral(low, high))
            for name, (low, high) in trajectory.bands.items()
        }
        metrics = {
            f"{one.metric}[{one.band}]": Metric(
                value=one.value, low=_finite(one.low), high=_finite(one.high), unit=one.unit
            )
            for one in study.scores
            if one.model == "model" and math.isfinite(one.value)
        }
        # without a frozen reference a model would be measured against itself
        if not study.dense and self.frozen is None:
            metrics = {k: m for k, m in metrics.items() if k.startswith("current_error")}
        return SpectrumSummary(
            protocol=trajectory.protocol.name,
            frames=len(trajectory.frames),
            time_step_fs=trajectory.time_step,
            temperature_kelvin=trajectory.temperature,
            bands=bands,
            metrics=metrics,
            reference=self.reference_in_words,
        )

    @property
    def reference_in_words(self) -> str:
        """What the reference spectrum is made of."""
        labels = f"{len(self.reference.label_frames)} {self.reference.theory} labels"
        if self.reference.dense:
            return f"{labels}, one in every frame"
        with_model = f", with {self.frozen.title}" if self.frozen is not None else ""
        return labels + with_model


def task_spectrum(task: Task, dataset: Dataset) -> TaskSpectrum:
    """Return the spectral part of a task.

    Raises
    ------
    InputError
        If the task has none: several systems, no velocities, or a stretch that is too short; the
        message says why.
    AlignmentError
        If the frozen reference is not of this stretch, or not the one that this version of the
        task was released with.
    """
    if len(task.systems) > 1:
        raise InputError("The test has several systems.")
    system = task.system
    label_frames = dataset.label_frames(system)
    tested = label_frames[list(task.test_labels[system])]
    start, stop = int(tested.min()), int(tested.max()) + 1
    trajectory = dense_trajectory(
        dataset, system, get_protocol(task.protocol), frames=range(start, stop)
    )
    inside = np.flatnonzero((label_frames >= start) & (label_frames < stop))
    dense = len(inside) == stop - start
    chosen = inside if dense else np.array(sorted(task.test_labels[system]))
    found = reference_currents(dataset, system, labels=chosen)
    assert found is not None  # a task has test labels
    reference = replace(found, label_frames=found.label_frames - start, n_frames=stop - start)
    frozen = None if dense else checked_reference(task)
    if frozen is not None and frozen.current.shape != (stop - start, 3):
        raise AlignmentError(
            f"The frozen reference is not of the spectrum of {task.identity}.",
            got=frozen.current.shape,
            expected=(stop - start, 3),
            do=f"remove {reference_path(task.name)}; 'aptbench tasks --freeze' makes a new one",
        )
    return TaskSpectrum(task.identity, trajectory, start, reference, frozen)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
