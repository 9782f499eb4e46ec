"""`fit_model`: fit any trainable model, and tell what it took."""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aptbench.errors import InputError
from aptbench.frames import LabelledFrames
from aptbench.models.protocol import TrainableModel
from aptbench.models.registry import load_model

if TYPE_CHECKING:
    from aptbench.models.training import Progress

CHECKPOINT = ".checkpoint"
"""Stem of the checkpoints of a run that has not ended, in the folder of the weights."""


def fit_model(
    model: TrainableModel,
    train: LabelledFrames | Sequence[LabelledFrames],
    validation: LabelledFrames | Sequence[LabelledFrames] | None = None,
    *,
    checkpoint_folder: Path | None = None,
    report: Callable[[int, Progress], None] | None = None,
) -> dict[str, Any]:
    """Fit a model, and return what there is to tell about it.

    Parameters
    ----------
    model : TrainableModel
        Fitted in place. If its ``fit`` has the keywords ``checkpoint`` and ``report``, a run that
        was stopped goes on where it was, and progress is passed on.
    train : LabelledFrames, or a sequence of them
        Of one system, or of several: then the model needs ``fit_systems``.
    validation : the same, optional
        Only selects.
    checkpoint_folder : Path, optional
        Where the checkpoints of a long training go; none are written if None.
    report : callable, optional
        Called with the index of the network and its progress.

    Returns
    -------
    dict of str to plain values
        ``seconds``, ``threads``, ``device``, and ``n_parameters`` if the model counts them (learned
        numbers in all). Of a model that reports progress also ``committee`` (networks trained),
        ``steps``, ``seconds_per_step`` and ``validation_error`` (e; a list, one a network, with
        None where nothing was validated). ``seconds`` is the wall time of this run, or of all runs
        together where the progress of the model counts those that were stopped.

    Examples
    --------
    >>> import numpy as np
    >>> from aptbench.frames import Frames
    >>> from aptbench.models.constant import ConstantCharge
    >>> labels = LabelledFrames(Frames([18], np.zeros((1, 3))), np.zeros((1, 1, 3, 3)))
    >>> fit_model(ConstantCharge(), labels)["n_parameters"]
    1
    """
    fit: Any = model.fit
    if not isinstance(train, LabelledFrames):
        fit = getattr(model, "fit_systems", None)
        if fit is None:
            raise InputError(
                f"The model {getattr(model, 'name', model)!r} learns from one system only.",
                got=f"{len(train)} systems",
                expected="a method fit_systems(train, validation) with sequences of LabelledFrames",
            )
        validation = validation or ()
    last: dict[int, Progress] = {}
    keywords: dict[str, Any] = {}
    if "report" in inspect.signature(fit).parameters:

        def told(member: int, progress: Progress) -> None:
            last[member] = progress
            if report is not None:
                report(member, progress)

        stem = None if checkpoint_folder is None else checkpoint_folder / CHECKPOINT
        keywords = {"checkpoint": stem, "report": told}
    started = time.monotonic()
    fit(train, validation, **keywords)
    own = sum(progress.seconds for progress in last.values())
    summary: dict[str, Any] = {
        "seconds": max(time.monotonic() - started, own),
        "threads": allowed_threads(),
        "device": str(getattr(model, "device", "cpu")),
    }
    count = getattr(model, "n_parameters", None)
    if isinstance(count, int):
        summary["n_parameters"] = count
    if last:
        steps = [progress.step for progress in last.values()]
        summary["committee"] = len(last)
        summary["steps"] = steps
        summary["seconds_per_step"] = own / max(sum(steps), 1)
        summary["validation_error"] = [progress.validation_error for progress in last.values()]
    return summary


def load_untrained(name_or_folder: str | Path, task: str | None = None) -> TrainableModel:
    """Load a model without what it has learned, ready to be fitted; see `load_model` for the task.

    Raises
    ------
    InputError
        If it cannot be trained, or as `aptbench.models.load_model`.
    """
    loaded = load_model(name_or_folder, trained=False, task=task)
    if not isinstance(loaded, TrainableModel):
        raise InputError(
            f"The model {str(name_or_folder)!r} cannot be trained.",
            got=f"{type(loaded).__name__} without 'fit' or 'save'",
            expected="fit(train, validation) -> self and save(folder, provenance) -> path",
        )
    return loaded


def seed_of(model: object) -> int | None:
    """Return ``model.seed`` or ``model.training.seed``; None if nothing about a model is random.

    >>> from aptbench.models.constant import ConstantCharge
    >>> print(seed_of(ConstantCharge()))
    None
    """
    for owner in (model, getattr(model, "training", None)):
        seed = getattr(owner, "seed", None)
        if isinstance(seed, int):
            return seed
    return None


def set_seed(model: Any, seed: int) -> None:
    """Set the seed of a model before it is fitted.

    Raises
    ------
    InputError
        If nothing about the model is random.
    """
    if seed_of(model) is None:
        name = getattr(model, "name", type(model).__name__)
        raise InputError(
            f"The model {name!r} has no seed.",
            expected="an attribute 'seed', or settings 'training' with a field 'seed'",
            do="leave out the seed: training it twice gives the same",
        )
    if hasattr(model, "seed"):
        model.seed = seed
    else:
        model.training = dataclasses.replace(model.training, seed=seed)


def set_threads(threads: int) -> None:
    """Set the threads of torch, if anything has imported it; call it after loading a model."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)


def allowed_threads() -> int:
    """Return how many threads numerical libraries may use here: what torch says, if it runs."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return int(torch.get_num_threads())
    setting = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if setting.isdigit() and int(setting) > 0:
        return int(setting)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
