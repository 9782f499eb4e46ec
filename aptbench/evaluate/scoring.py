"""`score_predictions`: the one place where predictions meet the labels of the test frames."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aptbench.errors import AlignmentError
from aptbench.evaluate.label_blocks import LabelBlocks
from aptbench.evaluate.predictions import Predictions
from aptbench.evaluate.result import Metric, SystemScores
from aptbench.frames import LabelledFrames
from aptbench.metrics import (
    METRICS,
    PredictedDeviations,
    Score,
    accumulate,
    score_means,
    score_uncertainties,
)
from aptbench.metrics.base import Metric as MetricOfMeans
from aptbench.metrics.registry import metric_names
from aptbench.metrics.scoring import Means
from aptbench.tasks import Task, check_test

if TYPE_CHECKING:
    from aptbench.data import Dataset

TaskPredictions = Mapping[str, Predictions]
"""Predictions of all test frames of a task, by system."""


def labels_of_test(task: Task, dataset: Dataset) -> dict[str, LabelledFrames]:
    """Return the labelled test frames of a task by system, after comparing it with the data.

    Raises
    ------
    AlignmentError
        If the task does not belong to the data.
    """
    check_test(task, dataset)
    return {
        system: dataset.labelled(system, np.array(labels))
        for system, labels in task.test_labels.items()
    }


def atoms_in_a_row(
    labels: Mapping[str, LabelledFrames],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return tensors and elements of all systems as if all atoms were in one frame, for figures.

    Returns
    -------
    apt : array, shape (1, atom, pol, disp)
        In e.
    atomic_numbers : array, shape (atom,)
    """
    tensors = [one.apt.reshape(1, -1, 3, 3) for one in labels.values()]
    numbers = [np.tile(one.frames.atomic_numbers, len(one)) for one in labels.values()]
    return np.concatenate(tensors, axis=1), np.concatenate(numbers)


def frames_of_test(task: Task, dataset: Dataset) -> dict[str, npt.NDArray[np.int64]]:
    """Return the trajectory frame of every test label by system, shape (frame,)."""
    return {
        system: dataset.label_frames(system)[list(labels)]
        for system, labels in task.test_labels.items()
    }


def check_predictions(task: Task, dataset: Dataset, predictions: TaskPredictions) -> None:
    """Compare predictions with the systems, frames and atoms of a task.

    Raises
    ------
    AlignmentError
        If a system, frame or atom is missing, additional or in another order, or the data differ.
    InputError
        If a value is not finite.
    """
    if set(predictions) != set(task.systems):
        missing, more = set(task.systems) - set(predictions), set(predictions) - set(task.systems)
        raise AlignmentError(
            f"The predictions do not have the systems of the task {task.identity}.",
            got="; ".join(
                f"{word} {', '.join(sorted(some))}"
                for word, some in (("missing", missing), ("additional", more))
                if some
            ),
            expected=", ".join(task.systems),
            do="predict all systems of the test and no others",
        )
    for system, frames in frames_of_test(task, dataset).items():
        numbers = dataset.trajectory(system, slice(0, 1)).atomic_numbers
        predictions[system].check_alignment(frames, numbers, dataset.content_hash)


def accumulate_predictions(
    task: Task,
    dataset: Dataset,
    predictions: TaskPredictions,
    names: Iterable[str | MetricOfMeans] | None = None,
) -> Means:
    """Return the means that the metrics of a task need, the frames of all systems in a row.

    Parameters
    ----------
    task, dataset, predictions
        As in `score_predictions`.
    names : iterable of str or metric, optional
        As `aptbench.metrics.score` takes them; the metrics of the task if None.

    Raises
    ------
    AlignmentError, InputError
        As `score_predictions`.
    """
    labels = labels_of_test(task, dataset)
    check_predictions(task, dataset, predictions)
    chosen = _names(task, labels) if names is None else tuple(names)
    return _means(labels, predictions, chosen, LabelBlocks.of(task, dataset))


def score_predictions(
    task: Task,
    dataset: Dataset,
    predictions: TaskPredictions,
) -> dict[str, Metric]:
    """Score predictions of the test frames, those of all systems together.

    Every atom of every frame counts the same, whatever its system. Intervals come from resampling
    `LabelBlocks`: they say nothing of systems that are not in the test.

    Parameters
    ----------
    task : Task
    dataset : Dataset
        The data that the task names.
    predictions : mapping of str to Predictions
        By system, all test frames and atoms, in the order of the task.

    Returns
    -------
    dict of str to Metric
        By the names of `aptbench.metrics`, those of uncertainties too if there are standard
        deviations. A metric that has no finite value on these labels (a
        normalised error where labels have no spread) is left out.

    Raises
    ------
    AlignmentError
        If the predictions are not those of the test frames, or the data are not those of the task.
    InputError
        If a value is not finite, or a standard deviation negative.
    """
    labels = labels_of_test(task, dataset)
    check_predictions(task, dataset, predictions)
    names = _names(task, labels)
    blocks = LabelBlocks.of(task, dataset)
    scores = score_means(_means(labels, predictions, names, blocks), names, blocks.bootstrap)
    deviations = [
        PredictedDeviations(
            one.apt.astype(np.float64),
            one.std.astype(np.float64),
            known.apt,
            known.frames,
            blocks.of_label[system],
        )
        for system, known in labels.items()
        if (one := predictions[system]).std is not None and np.any(one.std)
    ]
    if len(deviations) == len(labels):
        scores |= score_uncertainties(deviations, bootstrap=blocks.bootstrap)
    return _metrics(scores)


def score_systems(
    task: Task, dataset: Dataset, predictions: TaskPredictions
) -> dict[str, SystemScores]:
    """Score each system of a task alone, by the metrics that need no selection in brackets."""
    scores, blocks = {}, LabelBlocks.of(task, dataset)
    for system, one in labels_of_test(task, dataset).items():
        names = [name for name in metric_names(one.frames) if name in METRICS]
        alone = LabelBlocks({system: blocks.of_label[system]})
        means = _means({system: one}, predictions, names, alone)
        metrics = _metrics(score_means(means, names, alone.bootstrap))
        scores[system] = SystemScores(test_frames=len(one.frames), metrics=metrics)
    return scores


def _names(task: Task, labels: Mapping[str, LabelledFrames]) -> tuple[str, ...]:
    return task.metrics or metric_names(*(one.frames for one in labels.values()))


def _means(
    labels: Mapping[str, LabelledFrames],
    predictions: TaskPredictions,
    names: Iterable[str | MetricOfMeans],
    blocks: LabelBlocks,
) -> Means:
    names, means = tuple(names), None
    for system, one in labels.items():
        predicted = predictions[system].apt.astype(np.float64)
        found = blocks.group(accumulate(names, predicted, one.apt, one.frames), system)
        means = found if means is None else {key: means[key].merge(found[key]) for key in found}
    assert means is not None  # a task has a system
    return means


def _metrics(scores: Mapping[str, Score]) -> dict[str, Metric]:
    return {
        name: Metric(value=s.value, low=_finite(s.low), high=_finite(s.high), unit=s.unit)
        for name, s in scores.items()
        if math.isfinite(s.value)
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
