"""`examine_model` and `examine_file`: what is wrong with tensors, told without the test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from aptbench.data import open_dataset
from aptbench.errors import AlignmentError, AptbenchError, InputError
from aptbench.evaluate.array_archive import by_system, read_arrays
from aptbench.evaluate.prediction_run import NamedModel, predict_tensors
from aptbench.evaluate.predictions import Predictions, read_task_predictions
from aptbench.evaluate.training_record import parameter_count, training_record
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
        With the system, or the number of systems, in a task of several.
    severity : str
        ``ok``, ``advice`` (worth a look) or ``error`` (to be repaired before a submission).
    words : str
        What was seen, in the worst of several systems.
    do : str
        What to do; empty if nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    severity: Severity
    words: str
    do: str = ""


@dataclass(frozen=True)
class _Seen:
    """What was seen in one system; the same ``what`` and ``kind`` of several are one finding."""

    what: str
    system: str
    severity: Severity
    words: str
    do: str = ""
    kind: str = ""
    badness: float = 0.0


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

    Systems of one name in two data sets are told apart as ``DATASET/SYSTEM``. The data sets are
    opened by their names; those of the test are not read.

    Raises
    ------
    InputError
        If the task has neither.
    """
    found: dict[str, LabelledFrames] = {}
    for name, (dataset, system, labels) in _known(task).items():
        found[name] = dataset.labelled(system, np.array(labels[:MOST_FRAMES]))
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
    failed = []
    tensors = {}
    for system, one in labels.items():
        try:
            tensors[system] = predict_tensors(model, one.frames).values.astype(np.float64)
        except AptbenchError as error:
            words, do = f"{error.what} {error.got or ''}".strip(), str(error.do or "")
            failed.append(_Seen("prediction", system, "error", words, do, kind=do))
    findings = _joined([*failed, *_of_each(tensors, labels)], len(labels))
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
        and frames with labels that are not of the test; systems are named as `validation_labels`
        names them.

    Raises
    ------
    AlignmentError
        If a frame has no label, or one of the test: what is learned from the test is no result.
    """
    path = Path(path)
    known = _known(task, every=True)
    predictions = _read(path, list(known))
    tensors, labelled = {}, {}
    for name, one in predictions.items():
        dataset, system, labels = known[name]
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
        tensors[name], labelled[name] = one.apt.astype(np.float64), chosen
    sizes = {system: len(one) for system, one in labelled.items()}
    findings = _joined(_of_each(tensors, labelled), len(labelled))
    return Diagnosis(task=task.identity, name=path.stem, labels=sizes, findings=tuple(findings))


def _known(task: Task, every: bool = False) -> dict[str, tuple[Dataset, str, tuple[int, ...]]]:
    """Return data set, system and labels outside the test: of validation first, or of both parts.

    They are by the name of the system, with the data set before it where two have one name.
    """
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
    systems = [system for _, system in joined]
    return {
        system if systems.count(system) == 1 else f"{name}/{system}": (
            opened[name],
            system,
            tuple(chosen),
        )
        for (name, system), chosen in joined.items()
    }


def _read(path: Path, known: Sequence[str]) -> dict[str, Predictions]:
    names = set(by_system(read_arrays(path))) - {""}
    systems = [system for system in known if system in names] if names else known[:1]
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


def _joined(seen: Iterable[_Seen], n_systems: int) -> list[Finding]:
    """Say once what was seen in several systems; what is fine comes first."""
    groups: dict[tuple[str, Severity, str], list[_Seen]] = {}
    for one in seen:
        groups.setdefault((one.what, one.severity, one.kind), []).append(one)
    findings = [_finding(group, n_systems) for group in groups.values()]
    return sorted(findings, key=lambda one: one.severity != "ok")


def _finding(group: Sequence[_Seen], n_systems: int) -> Finding:
    """Return one finding: in how many systems it was seen, and how it is in the worst."""
    worst = max(group, key=lambda one: one.badness)
    where = ""
    if len(group) > 1:
        where = f" in {len(group)} of {n_systems} systems"
        if any(one.badness < worst.badness for one in group):
            where += f", worst in {worst.system}"
        elif worst.severity != "ok":
            where += f", such as {worst.system}"
    elif n_systems > 1:
        where = f" of {worst.system}"
    return Finding(what=worst.what + where, severity=worst.severity, words=worst.words, do=worst.do)


def _of_each(
    tensors: Mapping[str, np.ndarray], labels: Mapping[str, LabelledFrames]
) -> Iterator[_Seen]:
    misfits = find_misfits({s: (t, labels[s].apt, labels[s].frames) for s, t in tensors.items()})
    for system, predicted in tensors.items():
        one = labels[system]
        misfit = misfits.get(system)
        if misfit is not None:
            yield _Seen(
                "convention",
                system,
                "error",
                f"It looks as if {misfit.words}: the error is {misfit.before:.3f} e, and "
                f"{misfit.after:.3f} e with that undone.",
                misfit.cure,
                misfit.kind,
                misfit.before,
            )
        else:
            words = "Index order, sign, unit, axes, order of atoms and frames fit the labels."
            yield _Seen("convention", system, "ok", words)
        order = check_index_order(one.frames, predicted)
        if order.order == "disp,pol" and misfit is None:
            yield _Seen(
                "index order",
                system,
                "advice",
                f"By its own rotational sum rule it looks transposed; {order.explanation}.",
                "compare rmse[L=1] with that of a constant charge",
            )
        yield from _errors(system, predicted, one)


def _errors(system: str, predicted: np.ndarray, one: LabelledFrames) -> Iterator[_Seen]:
    names = ["rmse", "normalized_rmse", "sum_rule_residual"]
    scores = score(predicted, one.apt, one.frames, names=names)
    ratio, error = scores["normalized_rmse"].value, scores["rmse"].value
    trivial = ratio > 0.95
    yield _Seen(
        "error",
        system,
        "advice" if trivial else "ok",
        f"{error:.4f} e on {len(one)} labelled frames outside the test, {ratio:.2f} times what the "
        "mean charge of each element leaves.",
        "a model that has learned something is well below 1" if trivial else "",
        badness=ratio,
    )
    residual = scores["sum_rule_residual"].value
    poor = residual > 3 * error * one.frames.n_atoms**0.5
    yield _Seen(
        "acoustic sum rule",
        system,
        "advice" if poor else "ok",
        f"The tensors of a frame add up to {residual:.2g} e (rms of a component).",
        "errors of the atoms do not cancel: is a charge missing?" if poor else "",
        badness=residual,
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
    if getattr(model, "fitted", True) is False:
        return Finding(
            what="training",
            severity="error",
            words="There are no weights: nothing was trained yet.",
            do="'dvc pull' them, or train it with 'aptbench train'",
        )
    if not getattr(model, "provenance_", None) and parameter_count(model) is None:
        return Finding(
            what="training",
            severity="advice",
            words="It says neither what it was trained on, nor that nothing in it is trained.",
            do="set n_parameters = 0 if so, or say in the submission what it was trained on",
        )
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
