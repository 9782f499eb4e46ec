"""`clean_labels`: training labels without the trace of the grid they were computed on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aptbench.data.grid_artifact import (
    GridArtifact,
    find_grid_artifacts,
    without_grid_artifacts,
)
from aptbench.errors import InputError
from aptbench.frames import LabelledFrames
from aptbench.models.protocol import Array, TrainableModel


def clean_labels(
    labels: LabelledFrames, make_model: Callable[[], TrainableModel] | None = None
) -> tuple[LabelledFrames, tuple[GridArtifact, ...]]:
    """Find grid artefacts in training labels, and take them out.

    Parameters
    ----------
    labels : LabelledFrames
        At least two frames.
    make_model : callable, optional
        Makes an untrained covariant model; the ridge regression of the baseline ``linear-tensor``
        if not given.

    Returns
    -------
    labels : LabelledFrames
        The same object where nothing was found.
    artifacts : tuple of GridArtifact

    Raises
    ------
    InputError
        If there is one frame only, or the cell is not orthorhombic.
    """
    if make_model is None:
        from aptbench.models.linear_tensor import LinearTensor

        make_model = LinearTensor
    residual = labels.apt - held_out_predictions(labels, make_model)
    artifacts = find_grid_artifacts(labels.frames, residual)
    return (without_grid_artifacts(labels, artifacts) if artifacts else labels), artifacts


def held_out_predictions(
    labels: LabelledFrames, make_model: Callable[[], TrainableModel], *, folds: int = 5
) -> Array:
    """Return predictions of every frame by models that were not fitted to it.

    Parameters
    ----------
    labels : LabelledFrames
    make_model : callable
        Makes an untrained model.
    folds : int
        Number of models; each leaves out every ``folds``-th frame.

    Returns
    -------
    array, shape (frame, atom, pol, disp)
        In e.
    """
    count = min(folds, len(labels))
    if count < 2:
        raise InputError("Held-out predictions need two frames or more.", got=len(labels))
    fold = np.arange(len(labels)) % count
    result = np.empty(labels.apt.shape)
    for k in range(count):
        model = make_model().fit(labels[fold != k])
        result[fold == k] = model.predict(labels[fold == k].frames)
    return result
