"""`check_submission`: everything that is asked of a submission, and only then its scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from aptbench.board.submission import (
    FILE,
    CurrentFile,
    OtherData,
    PredictionFile,
    Submission,
    read_submission,
)
from aptbench.board.submission_pack import file_facts
from aptbench.data import open_dataset
from aptbench.errors import AptbenchError, InputError
from aptbench.evaluate import evaluate_file
from aptbench.evaluate.array_archive import by_system, read_arrays
from aptbench.evaluate.comparison import noise_floor
from aptbench.evaluate.current_record import CurrentRecord
from aptbench.evaluate.doctor import Finding
from aptbench.evaluate.predictions import Predictions, read_task_predictions
from aptbench.evaluate.result import Cost, Model, Result, Training
from aptbench.evaluate.scoring import check_predictions, labels_of_test
from aptbench.evaluate.task_spectrum import task_spectrum
from aptbench.frames import Frames
from aptbench.metrics.misfit import find_misfits
from aptbench.spectra.fidelity import WHOLE
from aptbench.tasks import Task, load_task
from aptbench.tasks.duplicates import NEAR, find_duplicates

if TYPE_CHECKING:
    from aptbench.data import Dataset

LARGEST_FILE: Final = 512 * 1024**2
LARGEST_FOLDER: Final = 1024**3
"""Bytes of a submission."""
_TOO_GOOD: Final = 0.5
"""An error below this share of the noise of the labels is not that of a model."""
_COPIED: Final = 0.25
"""The same for a single frame, which may be near by chance."""
_EXACT: Final = 1e-6
"""Rms difference in e below which the tensor of an atom is that of the label."""


@dataclass(frozen=True)
class CheckReport:
    """What `check_submission` found.

    Parameters
    ----------
    submission : Submission or None
        None if it could not be read.
    findings : tuple of Finding
        ``error`` means refused.
    results : tuple of Result
        One a task; empty if anything was refused.
    """

    submission: Submission | None
    findings: tuple[Finding, ...]
    results: tuple[Result, ...] = field(default=())

    @property
    def accepted(self) -> bool:
        """Whether nothing was refused."""
        return bool(self.results) and all(one.severity != "error" for one in self.findings)


def check_submission(folder: str | Path) -> CheckReport:
    """Check a submission as continuous integration does; score it if nothing is refused.

    The folder is data: nothing of it is executed, followed or unpacked to the disk.

    Parameters
    ----------
    folder : path

    Returns
    -------
    CheckReport
    """
    folder = Path(folder)
    findings: list[Finding] = []
    try:
        submission = read_submission(folder)
        _check_files(folder, submission)
    except AptbenchError as error:
        return CheckReport(None, (_refusal("folder", error),))
    findings.append(
        Finding(what="folder", severity="ok", words="files, sizes and hashes are as listed")
    )
    results, currents = [], {}
    for moving in submission.currents:
        try:
            finding, currents[moving.task] = _check_current(folder, moving)
            findings.append(finding)
        except AptbenchError as error:
            findings.append(_refusal(f"current of {moving.task}", error))
    for one in submission.predictions:
        try:
            found, result = _check_predictions(folder, submission, one, currents.get(one.task))
            findings += found
            results.append(result)
        except AptbenchError as error:
            findings.append(_refusal(one.task, error))
    refused = any(one.severity == "error" for one in findings)
    return CheckReport(submission, tuple(findings), () if refused else tuple(results))


def _refusal(what: str, error: AptbenchError) -> Finding:
    rest = (("Got", error.got), ("Expected", error.expected))
    words = " ".join([error.what, *(f"{k}: {v}." for k, v in rest if v is not None)])
    return Finding(what=what, severity="error", words=words, do=str(error.do or ""))


def _check_files(folder: Path, submission: Submission) -> None:
    listed, total = {FILE, *submission.files}, 0
    if len(submission.files) != len(set(submission.files)):
        raise InputError("A file of the submission is listed twice.")
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise InputError("A submission must not have links.", got=name)
        if path.is_dir():
            continue
        if not path.is_file() or name not in listed:
            raise InputError(
                "The folder has a file that does not belong to the submission.",
                got=name,
                expected=", ".join(sorted(listed)),
                do=f"remove it, or list it in {FILE}",
            )
        size = path.stat().st_size
        total += size
        if size > LARGEST_FILE or total > LARGEST_FOLDER:
            raise InputError(
                "The submission is too large.",
                got=f"{name}: {size} bytes, {total} so far",
                expected=f"at most {LARGEST_FILE} a file and {LARGEST_FOLDER} in all",
            )
    for one in (*submission.predictions, *submission.currents):
        path = folder / one.file
        if not path.is_file():
            raise InputError("A file of the submission is missing.", got=one.file)
        facts = file_facts(path)
        if (facts["sha256"], facts["bytes"]) != (one.sha256, one.bytes):
            raise InputError(
                f"The file {one.file} is not the one that was packed.",
                got=f"{facts['bytes']} bytes, SHA-256 {facts['sha256']}",
                expected=f"{one.bytes} bytes, SHA-256 {one.sha256}",
                do="pack again",
            )
    missing = [name for name in submission.files if not (folder / name).is_file()]
    if missing:
        raise InputError("A file of the submission is missing.", got=missing[0])
    tasks = [one.task for one in submission.predictions]
    if len(tasks) != len(set(tasks)):
        raise InputError("A task has predictions twice.", got=", ".join(tasks))
    moving = [one.task for one in submission.currents]
    if len(moving) != len(set(moving)) or not set(moving) <= set(tasks):
        raise InputError(
            "A current belongs to no predictions, or a task has two.",
            got=", ".join(moving),
            expected=f"at most one for each of {', '.join(tasks)}",
        )


def _check_predictions(
    folder: Path, submission: Submission, one: PredictionFile, current: CurrentRecord | None
) -> tuple[list[Finding], Result]:
    task = load_task(one.task)
    dataset = open_dataset(task.dataset)
    path = folder / one.file
    predictions = read_task_predictions(path, task.systems)
    check_predictions(task, dataset, predictions)
    _refuse_copies(task, dataset, predictions)
    _refuse_misfits(task, dataset, predictions)
    training = _training(submission, task)
    findings = [
        Finding(
            what=one.task,
            severity="ok",
            words=f"{task.n_test} frames, all atoms, in order and finite; convention fits",
        ),
        *_near_duplicates(folder, submission, task, dataset),
    ]
    result = evaluate_file(task, dataset, path, name=submission.name, current=current).result
    _refuse_unequal_currents(result)
    declared = submission.cost
    cost = None
    if declared is not None:
        cost = Cost(
            parameters=declared.parameters,
            training_seconds=declared.training_seconds,
            training_device=declared.hardware or "",
            training_labels=training_labels(submission),
        )
    model = Model(name=submission.name, title=submission.title, fingerprint=one.sha256)
    return findings, result.model_copy(update={"model": model, "training": training, "cost": cost})


def training_labels(submission: Submission) -> int | None:
    """Return how many labels a model says it was trained on, None if it does not."""
    if not submission.training:
        return 0
    counts = [one.labels for one in submission.training]
    return None if None in counts else sum(int(n or 0) for n in counts)


def _refuse_copies(task: Task, dataset: Dataset, predictions: dict[str, Predictions]) -> None:
    floor = noise_floor(dataset)
    squares, n = 0.0, 0
    for system, labels in labels_of_test(task, dataset).items():
        error = predictions[system].apt.astype(np.float64) - labels.apt
        atoms = np.sqrt(np.mean(error**2, axis=(2, 3)))
        frames = np.sqrt(np.mean(atoms**2, axis=1))
        # a tensor that vanishes can be told without a label
        exact = (atoms < _EXACT) & labels.apt.any(axis=(2, 3))
        copied = exact.any(1) | (frames < _COPIED * (floor or 0.0))
        if np.any(copied):
            first = int(np.argmax(copied))
            raise InputError(
                "The predictions contain labels of the test.",
                got=f"frame {predictions[system].frame[first]} of {system} is the label to "
                f"{frames[first]:.1g} e, an atom of it to {atoms[first].min():.1g} e",
                expected="predictions of a model that has not seen the test",
            )
        squares, n = squares + float(np.sum(error**2)), n + error.size
    rms = (squares / n) ** 0.5
    if floor is not None and rms < _TOO_GOOD * floor:
        raise InputError(
            "The predictions are nearer to the labels than these are to the truth.",
            got=f"an error of {rms:.2g} e; the labels have a noise of {floor:.2g} e",
            expected="an error of about the noise for a perfect model",
            do="predictions that were fitted to the test, or smoothed copies of it, are no result",
        )


def _refuse_unequal_currents(result: Result) -> None:
    """Refuse a current that is much better between the test frames than at them."""
    if result.spectrum is None:
        return
    dense = result.spectrum.metrics.get(f"current_error[{WHOLE}]")
    at_labels = result.metrics.get("current_error")
    if dense is not None and at_labels is not None and dense.value < _TOO_GOOD * at_labels.value:
        raise InputError(
            "The current is much better between the test frames than at them.",
            got=f"a relative error of {dense.value:.3g} along the stretch, of "
            f"{at_labels.value:.3g} at the test frames",
            expected="the current of one model in all frames, with about the same error",
        )


def _refuse_misfits(task: Task, dataset: Dataset, predictions: dict[str, Predictions]) -> None:
    labelled = labels_of_test(task, dataset).items()
    found = find_misfits(
        {s: (predictions[s].apt.astype(np.float64), one.apt, one.frames) for s, one in labelled}
    )
    for system, one in found.items():
        raise InputError(
            f"The tensors of {system} look as if {one.words}.",
            got=f"an error of {one.before:.3f} e, {one.after:.3f} e with that undone",
            do=one.cure,
        )


def _training(submission: Submission, task: Task) -> Training:
    """Return what the entrant says, after comparing it with the test of the task."""
    test, own = _labels(task, "test"), _labels(task, "train", "validation")
    inside, note = True, []
    for said in submission.training:
        if isinstance(said, OtherData):
            inside = False
            note.append(f"{said.source} ({said.content})")
            continue
        used = _labels(load_task(said.task), *said.parts)
        if used & test:
            raise InputError(
                f"The model says that it was trained on labels of the test of {task.identity}.",
                got=f"{said.task}, {' and '.join(said.parts)}: {len(used & test)} of them",
                expected="no test label in the training",
                do=f"leave out the predictions for {task.identity}, or train without them",
            )
        inside = inside and used <= own
        note.append(f"{said.task} {' and '.join(said.parts)}")
    if not submission.training:
        return Training(status="not trained", note="as declared")
    return Training(
        status="matches the task" if inside else "other data",
        note=f"as declared: {'; '.join(note)}"[:1000],
    )


def _labels(task: Task, *parts: str) -> set[tuple[str, str, int]]:
    """Return content hash, system and index of the labels of some parts of a task."""
    return {
        (one.content_hash, system, label)
        for part in parts
        for one in task.parts[part]
        for system, labels in one.labels.items()
        for label in labels
    }


def _near_duplicates(
    folder: Path, submission: Submission, task: Task, dataset: Dataset
) -> Iterator[Finding]:
    for said in submission.training:
        if not isinstance(said, OtherData) or said.frames is None:
            continue
        known = _read_frames(folder / said.frames)
        test = {
            f"{dataset.name}/{system}": dataset.trajectory(system)[
                dataset.label_frames(system)[list(labels)]
            ]
            for system, labels in task.test_labels.items()
        }
        same = find_duplicates(test, known, tolerance=NEAR)
        if same:
            raise InputError(
                f"The model was trained on frames of the test of {task.identity}.",
                got=f"{len({one.first for one in same})} test frames, the first of "
                f"{same[0].first[0]}, are in {said.frames} up to {same[0].deviation:.2g} angstrom",
                expected="no frame in both, up to rotation, reflection and the order of atoms",
            )
        n_frames = sum(len(frames) for frames in known.values())
        yield Finding(
            what=f"{said.source}, {task.identity}",
            severity="ok",
            words=f"none of its {n_frames} frames is one of the test",
        )


def _read_frames(path: Path) -> dict[str, Frames]:
    names = ("positions", "atomic_number", "cell")
    arrays = read_arrays(path, lambda name: name.rpartition("/")[2] in names)
    parts = {system or path.stem: one for system, one in by_system(arrays).items()}
    for system, one in parts.items():
        if not {"positions", "atomic_number"} <= set(one):
            raise InputError(
                f"The frames of {system} in {path.name} are not complete.",
                got=", ".join(one),
                expected="positions, atomic_number and, of a crystal or liquid, cell",
            )
    return {
        system: Frames(one["atomic_number"], one["positions"], cell=one.get("cell"))
        for system, one in parts.items()
    }


def _check_current(folder: Path, one: CurrentFile) -> tuple[Finding, CurrentRecord]:
    task = load_task(one.task)
    record = CurrentRecord.read(folder / one.file)
    deviation = record.check(task_spectrum(task, open_dataset(task.dataset)).trajectory)
    finding = Finding(
        what=f"current of {one.task}",
        severity="ok",
        words=f"the tensors of {len(record.frame)} audit frames give it to {deviation:.1g}",
    )
    return finding, record
