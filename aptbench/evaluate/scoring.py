"""`score_predictions`: the one place where predictions meet the labels of the test frames."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aptbench.evaluate.predictions import Predictions
from aptbench.evaluate.result import Metric
from aptbench.frames import LabelledFrames
from aptbench.metrics import BlockBootstrap, score, score_uncertainty
from aptbench.tasks import Task, check_split

if TYPE_CHECKING:
    from aptbench.data import Dataset

BOOTSTRAP = BlockBootstrap(replicates=1000, block=1, confidence=0.95, seed=0)
"""Labelled frames of a test are many correlation times apart: each is a block of its own."""


def labels_of_test(task: Task, dataset: Dataset) -> LabelledFrames:
    """Return the labelled test frames of a task, after comparing the split with the data.

    Raises
    ------
    AlignmentError
        If the split does not belong to the data.
    """
    check_split(task.split, dataset)
    return dataset.labelled(task.system, np.array(task.test))


def frames_of_test(task: Task, dataset: Dataset) -> npt.NDArray[np.int64]:
    """Return the trajectory frame of every test label, shape (frame,)."""
    return dataset.label_frames(task.system)[list(task.test)]


def score_predictions(
    task: Task,
    dataset: Dataset,
    predictions: Predictions,
    *,
    bootstrap: BlockBootstrap = BOOTSTRAP,
) -> dict[str, Metric]:
    """Score predictions of the test frames.

    Parameters
    ----------
    task : Task
    dataset : Dataset
        The data that the task names.
    predictions : Predictions
        All test frames and atoms, in the order of the task.
    bootstrap : BlockBootstrap
        How intervals are made.

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
    predictions.check_alignment(
        frames_of_test(task, dataset), labels.frames.atomic_numbers, dataset.content_hash
    )
    scores = score(
        predictions.apt.astype(np.float64),
        labels.apt,
        labels.frames,
        names=task.metrics or None,
        bootstrap=bootstrap,
    )
    if predictions.std is not None and np.any(predictions.std):
        scores |= score_uncertainty(
            predictions.apt.astype(np.float64),
            predictions.std.astype(np.float64),
            labels.apt,
            labels.frames,
            bootstrap=bootstrap,
        )
    return {
        name: Metric(value=s.value, low=_finite(s.low), high=_finite(s.high), unit=s.unit)
        for name, s in scores.items()
        if math.isfinite(s.value)
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
