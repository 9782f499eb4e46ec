"""`examine_model` and `examine_file`: what is wrong with tensors, told without the test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from aptbench.data import open_dataset
from aptbench.errors import AlignmentError, AptbenchError, InputError
from aptbench.evaluate.array_archive import by_system, read_arrays
from aptbench.evaluate.prediction_run import NamedModel, predict_tensors
from aptbench.evaluate.predictions import Predictions, read_task_predictions
from aptbench.evaluate.training_record import training_record
from aptbench.frames import LabelledFrames
from aptbench.metrics import check_index_order, score
from aptbench.metrics.misfit import find_misfits
from aptbench.models import check_model
from aptbench.tasks import Task, check_part

if TYPE_CHECKING:
    from aptbench.data import Dataset

Severity = Literal["ok", "advice", "error"]
MOST_FRAMES = 8
"""Labelled frames of a system that are looked at: enough to tell a convention."""


class Finding(BaseModel):
    """One thing that was looked at.

    Parameters
    ----------
    what : str
    severity : str
        ``ok``, ``advice`` (worth a look) or ``error`` (to be repaired before a submission).
    words : str
        What was seen.
    do : str
        What to do; empty if nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    severity: Severity
    words: str
    do: str = ""


class Diagnosis(BaseModel):
    """What `examine_model` and `examine_file` found.

    Parameters
    ----------
    task, name : str
    labels : dict of str to int
        Number of labels of each system that were looked at; none of them is of the test.
    findings : tuple of Finding
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    name: str
    labels: dict[str, int]
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing has to be repaired."""
        return all(one.severity != "error" for one in self.findings)


def validation_labels(task: Task) -> dict[str, LabelledFrames]:
    """Return validation labels of a task by system, or training labels if it has none.

    The data sets are opened by their names; those of the test are not read.

    Raises
    ------
    InputError
        If the task has neither.
    """
    found: dict[str, LabelledFrames] = {}
    for system, dataset, labels in _known(task):
        found[system] = dataset.labelled(system, np.array(labels[:MOST_FRAMES]))
    if not found:
        raise InputError(f"The task {task.identity} has no labels that may be looked at.")
    return found


def examine_model(task: Task, dataset: Dataset, model: NamedModel) -> Diagnosis:
    """Let a model predict validation frames, and say what is wrong with it.

    Parameters
    ----------
    task : Task
    dataset : Dataset
        The data of the test, for the names of its labels only.
    model : object with ``name`` and ``predict``

    Returns
    -------
    Diagnosis
        Convention, exact properties, sum rule, training.
    """
    labels = validation_labels(task)
    findings: list[Finding] = []
    tensors = {}
    for system, one in labels.items():
        try:
            tensors[system] = predict_tensors(model, one.frames).values.astype(np.float64)
        except AptbenchError as error:
            findings.append(
                Finding(
                    what=f"prediction of {system}",
                    severity="error",
                    words=f"{error.what} {error.got or ''}".strip(),
                    do=str(error.do or ""),
                )
            )
    findings += _of_tensors(tensors, {s: labels[s] for s in tensors})
    if tensors:
        largest = max(tensors, key=lambda s: labels[s].frames.n_atoms)
        findings += _exact_properties(model, labels[largest])
    findings.append(_training(model, task, dataset))
    sizes = {system: len(one) for system, one in labels.items()}
    return Diagnosis(task=task.identity, name=model.name, labels=sizes, findings=tuple(findings))


def examine_file(task: Task, path: str | Path) -> Diagnosis:
    """Say what is wrong with predictions of validation or training frames.

    Parameters
    ----------
    task : Task
    path : path
        An ``.npz`` as `aptbench.evaluate.predictions.read_task_predictions` takes it, of systems
        and frames with labels that are not of the test.

    Raises
    ------
    AlignmentError
        If a frame has no label, or one of the test: what is learned from the test is no result.
    """
    path = Path(path)
    known = {system: (dataset, labels) for system, dataset, labels in _known(task, every=True)}
    predictions = _read(path, known)
    tensors, labelled = {}, {}
    for system, one in predictions.items():
        dataset, labels = known[system]
        at = dataset.label_frames(system)
        index = {int(at[label]): label for label in labels}
        _refuse_test_frames(task, dataset, system, one)
        unknown = sorted(set(one.frame.tolist()) - set(index))
        if unknown:
            raise AlignmentError(
                "Some frames of the predictions have no label that may be looked at.",
                got=f"frame {unknown[0]} of {system}",
                expected="frames of training and validation labels, such as "
                f"{', '.join(map(str, sorted(index)[:6]))}",
            )
        chosen = dataset.labelled(system, np.array([index[int(f)] for f in one.frame]))
        one.check_alignment(one.frame, chosen.frames.atomic_numbers, dataset.content_hash)
        tensors[system], labelled[system] = one.apt.astype(np.float64), chosen
    sizes = {system: len(one) for system, one in labelled.items()}
    findings = tuple(_of_tensors(tensors, labelled))
    return Diagnosis(task=task.identity, name=path.stem, labels=sizes, findings=findings)


def _known(task: Task, every: bool = False) -> Iterator[tuple[str, Dataset, tuple[int, ...]]]:
    """Yield system, data set and labels outside the test: of validation first, or of both parts."""
    parts = [part for part in ("validation", "train") if task.parts[part]]
    joined: dict[tuple[str, str], list[int]] = {}
    opened: dict[str, Dataset] = {}
    for part in parts if every else parts[:1]:
        for one in task.parts[part]:
            if one.dataset not in opened:
                opened[one.dataset] = open_dataset(one.dataset)
            for system, labels in one.labels.items():
                joined.setdefault((one.dataset, system), []).extend(labels)
        check_part(task, part, opened)
    for (name, system), chosen in joined.items():
        yield system, opened[name], tuple(chosen)


def _read(path: Path, known: Mapping[str, tuple[Dataset, Sequence[int]]]) -> dict[str, Predictions]:
    names = set(by_system(read_arrays(path))) - {""}
    systems = [system for system in known if system in names] if names else list(known)[:1]
    if names - set(systems):
        raise AlignmentError(
            f"The predictions {path.name} are of systems without labels that may be looked at.",
            got=", ".join(sorted(names - set(systems))),
            expected=", ".join(known),
        )
    return read_task_predictions(path, systems)


def _refuse_test_frames(task: Task, dataset: Dataset, system: str, one: Predictions) -> None:
    if dataset.name != task.dataset:
        return
    test = dataset.label_frames(system)[list(task.test_labels.get(system, ()))]
    seen = sorted(set(one.frame.tolist()) & set(test.tolist()))
    if seen:
        raise AlignmentError(
            "The doctor does not look at the test.",
            got=f"frame {seen[0]} of {system}, a test frame of {task.identity}",
            expected="predictions of validation or training frames",
            do="whoever mends a model by its errors on the test has no test left: predict the "
            "validation frames",
        )


def _of_tensors(
    tensors: Mapping[str, np.ndarray], labels: Mapping[str, LabelledFrames]
) -> list[Finding]:
    """Return what was seen of each system; what is fine in several systems is said once."""
    found = list(_of_each(tensors, labels))
    fine: dict[str, list[Finding]] = {}
    for one in found:
        if one.severity == "ok":
            fine.setdefault(one.what.partition(" of ")[0], []).append(one)
    joined = []
    for what, group in fine.items():
        if len(group) == 1:
            joined += group
        else:
            words = f"Fine in {len(group)} of {len(tensors)} systems. First: {group[0].words}"
            joined.append(Finding(what=what, severity="ok", words=words))
    return joined + [one for one in found if one.severity != "ok"]


def _of_each(
    tensors: Mapping[str, np.ndarray], labels: Mapping[str, LabelledFrames]
) -> Iterator[Finding]:
    misfits = find_misfits({s: (t, labels[s].apt, labels[s].frames) for s, t in tensors.items()})
    for system, predicted in tensors.items():
        one = labels[system]
        where = f" of {system}" if len(tensors) > 1 else ""
        misfit = misfits.get(system)
        if misfit is not None:
            yield Finding(
                what=f"convention{where}",
                severity="error",
                words=f"It looks as if {misfit.words}: the error is {misfit.before:.3f} e, and "
                f"{misfit.after:.3f} e with that undone.",
                do=misfit.cure,
            )
        else:
            yield Finding(
                what=f"convention{where}",
                severity="ok",
                words="Index order, sign, unit, axes, order of atoms and frames fit the labels.",
            )
        order = check_index_order(one.frames, predicted)
        if order.order == "disp,pol" and misfit is None:
            yield Finding(
                what=f"index order{where}",
                severity="advice",
                words=f"By its own rotational sum rule it looks transposed; {order.explanation}.",
                do="compare rmse[L=1] with that of a constant charge",
            )
        scores = score(
            predicted,
            one.apt,
            one.frames,
            names=["rmse", "normalized_rmse", "sum_rule_residual"],
        )
        spread, error = scores["normalized_rmse"].value, scores["rmse"].value
        trivial = spread > 0.95
        yield Finding(
            what=f"error{where}",
            severity="advice" if trivial else "ok",
            words=f"{error:.4f} e on {len(one)} labelled frames outside the test, {spread:.2f} of "
            "what the mean charge of each element would have.",
            do="a model that has learned something is well below 1" if trivial else "",
        )
        residual = scores["sum_rule_residual"].value
        poor = residual > 3 * error * one.frames.n_atoms**0.5
        yield Finding(
            what=f"acoustic sum rule{where}",
            severity="advice" if poor else "ok",
            words=f"The tensors of a frame add up to {residual:.2g} e (rms of a component).",
            do="errors of the atoms do not cancel: is a charge missing?" if poor else "",
        )


def _exact_properties(model: NamedModel, labels: LabelledFrames) -> Iterator[Finding]:
    report = check_model(model, labels.frames[: min(2, len(labels))])
    for entry in report.results:
        if entry.tolerance is None:
            continue
        yield Finding(
            what=entry.name.replace("_", " "),
            severity="ok" if entry.passed else "error",
            words=entry.note or ("exact" if entry.value == 0 else f"to {entry.value:.1g} e"),
            do="" if entry.passed else f"a model must have this to {entry.tolerance:g} e",
        )


def _training(model: NamedModel, task: Task, dataset: Dataset) -> Finding:
    try:
        record = training_record(model, task, dataset)
    except AlignmentError as error:
        return Finding(
            what="training",
            severity="error",
            words=f"{error.what} {error.got}",
            do=str(error.do or ""),
        )
    fine = record.status in ("matches the task", "not trained")
    words = "; ".join(filter(None, (record.status, record.note)))
    advice = "say in the submission what it was trained on"
    return Finding(
        what="training",
        severity="ok" if fine else "advice",
        words=words,
        do="" if fine else advice,
    )
