"""`compare_spectra`: the models of a task in groups that its trajectory can tell apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aptbench.evaluate.comparison import LEVEL, Comparison, Place, archived_means
from aptbench.evaluate.current_record import CurrentRecord, current_path
from aptbench.evaluate.label_blocks import BOOTSTRAP, LabelBlocks
from aptbench.evaluate.result import read_result
from aptbench.evaluate.spectral_study import REFERENCE
from aptbench.evaluate.task_spectrum import TaskSpectrum, task_spectrum
from aptbench.metrics import Score
from aptbench.metrics.significance import Difference, rank, rank_scores
from aptbench.spectra.band import Band
from aptbench.spectra.fidelity import interval_of
from aptbench.spectra.sampled import sampled_spectra
from aptbench.spectra.spectral_metrics import SPECTRAL_METRICS
from aptbench.tasks import Task

if TYPE_CHECKING:
    from aptbench.data import Dataset

Array = npt.NDArray[np.float64]
DENSE_METRIC = "relative_l1"
SPARSE_METRIC = "current_error"


def compare_spectra(
    task: Task,
    dataset: Dataset,
    results: Path,
    *,
    models: Collection[str] = (),
    level: float = LEVEL,
) -> Comparison | None:
    """Rank the models of a task with a spectrum.

    Where every frame of the stretch is labelled, those whose current is archived, by the relative
    L1 distance of the spectra, with replicates from the same resampled blocks of time for both
    models and the reference; elsewhere the reference spectrum is known too roughly for that, and
    the error of the current at the test labels decides for all models, with the labels resampled.

    Parameters
    ----------
    task : Task
    dataset : Dataset
    results : Path
        Folder with ``DATASET/SPLIT/MODEL.json`` and ``DATASET/SPLIT/currents/MODEL.npz``.
    models : collection of str
        Only these; all if empty.
    level : float
        Of significance.

    Returns
    -------
    Comparison or None
        None if no current of this version of the task is archived.

    Raises
    ------
    InputError
        If a file is damaged, or there are currents of a task without a spectrum.
    """
    rows = [
        path
        for path in sorted((results / task.name).glob("*.json"))
        if read_result(path).task == task.identity and (not models or path.stem in models)
    ]
    currents = {
        path.stem: CurrentRecord.read(current_path(path)).current
        for path in rows
        if current_path(path).is_file()
    }
    if not currents:
        return None
    spectrum = task_spectrum(task, dataset)
    if spectrum.reference.dense:
        metric, places = DENSE_METRIC, _by_spectra(spectrum, currents, level)
    else:
        metric = SPARSE_METRIC
        means = archived_means(task, dataset, results, [metric])
        chosen = {path.stem: means[path.stem] for path in rows}
        bootstrap = LabelBlocks.of(task, dataset).bootstrap
        places = [Place.of(one) for one in rank(chosen, metric, bootstrap, level=level)]
    return Comparison(
        task=task.identity,
        of="spectrum",
        metric=metric,
        unit="1",
        test_frames=len(spectrum.reference.label_frames),
        confidence=BOOTSTRAP.confidence,
        level=level,
        places=tuple(places),
    )


def _by_spectra(
    spectrum: TaskSpectrum, currents: Mapping[str, npt.ArrayLike], level: float
) -> list[Place]:
    trajectory = spectrum.trajectory
    series = {**currents, REFERENCE: spectrum.reference.values}
    spectra = sampled_spectra(series, **trajectory.constants)
    metric, band = SPECTRAL_METRICS[DENSE_METRIC], Band(spectra.wavenumber, None)
    truth = spectra.samples(REFERENCE)
    replicates: dict[str, Array] = {
        name: metric.kernel(band, spectra.samples(name), truth) for name in currents
    }
    scores = {}
    for name in currents:
        value, low, high = interval_of(
            metric,
            spectra.spectrum(name),
            spectra.spectrum(REFERENCE),
            spectra.samples(name),
            truth,
            n_blocks=spectra.n_blocks,
        )
        known = not np.isnan(low)
        scores[name] = Score(value, low if known else None, high if known else None, metric.unit)

    def gap_of(one: str, other: str) -> Difference:
        value = scores[one].value - scores[other].value
        samples = replicates[one] - replicates[other]
        return Difference.of(value, samples, spectra.n_blocks, spectra.bootstrap)

    return [Place.of(one) for one in rank_scores(scores, gap_of, level=level)]
