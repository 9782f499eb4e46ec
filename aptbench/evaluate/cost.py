"""`model_cost`: parameters, training, labels, and the speed and memory of prediction.

`measure_inference` runs ``python -m aptbench.evaluate.cost MODEL FRAMES`` so that the memory of
other models, and what they left in caches, is not in the numbers.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aptbench.atomic import write_atomically
from aptbench.errors import AptbenchError, InputError, StoreError
from aptbench.evaluate.process import (
    peak_memory,
    processor_name,
    reset_peak_memory,
    resident_memory,
)
from aptbench.evaluate.result import Cost, Inference
from aptbench.evaluate.training_provenance import TrainingProvenance
from aptbench.evaluate.training_record import parameter_count
from aptbench.frames import Frames
from aptbench.models.adapters.worker import FIELDS, read_frames, write_frames
from aptbench.models.fitting import allowed_threads
from aptbench.models.protocol import APTModel, checked_prediction
from aptbench.tasks.transfer import LabelSet

if TYPE_CHECKING:
    from aptbench.data import Dataset

BATCH = 8
"""Most frames in a batch that is timed."""
REPEATS = (3, 20)
"""Least and largest number of batches."""
ENOUGH_SECONDS = 3.0
"""No further batch is started after this time."""
PATIENCE = 900.0
"""Seconds after which a measurement is given up."""


def model_cost(
    model: Any, dataset: Dataset | None = None, *, inference: Inference | None = None
) -> Cost:
    """Gather what a model says about its size and training, and what its labels took.

    Parameters
    ----------
    model : object
        With ``n_parameters`` and ``provenance_``, if it has them.
    dataset : Dataset, optional
        The data of the task. Labels of it, and of other data sets of the project, have a price if
        their records are beside the store.
    inference : Inference, optional
        Taken over.
    """
    parameters = parameter_count(model)
    try:
        said = TrainingProvenance.of(model)
    except StoreError:
        said = None
    if said is None:
        return Cost(
            parameters=parameters,
            training_labels=0 if parameters == 0 else None,
            inference=inference,
        )
    return Cost(
        parameters=said.n_parameters if parameters is None else parameters,
        training_seconds=said.seconds,
        training_device=said.device,
        training_threads=said.threads,
        training_labels=_count(said.train_sets, said.train, said.train_frames),
        validation_labels=_count(said.validation_sets, said.validation, said.validation_frames),
        label_core_hours=_label_hours(said, dataset),
        inference=inference,
    )


def label_core_hours(records: Path, frames: list[int]) -> float | None:
    """Return the core-hours that labels took, from the records of their calculations.

    Parameters
    ----------
    records : Path
        Folder of ``frame-NNNNNN.h5``, as `aptbench label` writes them.
    frames : list of int

    Returns
    -------
    float or None
        Wall time times ranks, so an upper bound on a busy machine; None if a record is not there
        or does not tell.
    """
    import h5py

    seconds = 0.0
    for frame in frames:
        try:
            with h5py.File(records / f"frame-{frame:06d}.h5", "r") as file:
                said = json.loads(file.attrs["provenance"])
                seconds += float(said["wall_seconds"]) * int(said["ranks"])
        except (OSError, KeyError, TypeError, ValueError):
            return None
    return seconds / 3600 if frames else None


def inference_cost(model: APTModel, frames: Frames) -> Inference:
    """Time a model in this process; for clean memory use `measure_inference`.

    Protocol: one frame to warm up; then batches of up to `BATCH` frames (the first ones), at least
    three, until three seconds have gone or there are twenty; speed is from the median batch.
    Memory is the peak from before the first frame to the end, less what the process held before.

    Parameters
    ----------
    model : APTModel
    frames : Frames

    Raises
    ------
    InputError
        If there is no frame, or a prediction is not one.
    """
    if len(frames) == 0:
        raise InputError("There is no frame to time a model on.", expected="one or more")
    batch = frames[: min(BATCH, len(frames))]
    before = resident_memory() if reset_peak_memory() else None
    model.predict(batch[0])
    seconds: list[float] = []
    began = time.perf_counter()
    least, most = REPEATS
    while len(seconds) < least or (
        len(seconds) < most and time.perf_counter() - began < ENOUGH_SECONDS
    ):
        start = time.perf_counter()
        prediction = model.predict(batch)
        seconds.append(time.perf_counter() - start)
    peak = peak_memory()
    checked_prediction(prediction, batch, name=str(getattr(model, "name", "model")))
    median = max(statistics.median(seconds), 1e-9)
    return Inference(
        atoms_per_second=len(batch) * batch.n_atoms / median,
        memory_mb=None if before is None or peak is None else max(0.0, peak - before),
        atoms=batch.n_atoms,
        frames=len(batch),
        repeats=len(seconds),
        threads=allowed_threads(),
        device=str(getattr(model, "device", None) or "cpu"),
        processor=processor_name(),
    )


def measure_inference(
    name_or_folder: str | Path,
    frames: Frames,
    *,
    task: str | None = None,
    kept: Path | None = None,
) -> Inference | None:
    """Time a model in a process of its own.

    Parameters
    ----------
    name_or_folder : str or Path
        As `aptbench.models.load_model` takes it.
    frames : Frames
    task : str, optional
        As `aptbench.models.load_model` takes it.
    kept : Path, optional
        File of an earlier measurement: read if it is there, else written. Its path must change
        with the model and with `measurement_identity`.

    Returns
    -------
    Inference or None
        None, with a warning, if the measurement failed: a run is worth more than its timing.
    """
    if kept is not None and kept.is_file():
        try:
            return Inference.model_validate_json(kept.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # a damaged file is measured again
            pass
    with tempfile.TemporaryDirectory(prefix="aptbench-cost-") as folder:
        path = Path(folder) / "frames.npz"
        write_frames(frames[: min(BATCH, len(frames))], path)
        command = [sys.executable, "-m", "aptbench.evaluate.cost", str(name_or_folder), str(path)]
        command += ["--task", task] if task else []
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, timeout=PATIENCE
            )
            # a model may print: the answer is the last line
            found = Inference.model_validate_json(done.stdout.splitlines()[-1])
            if kept is not None:
                kept.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(kept, found.model_dump_json() + "\n")
            return found
        except subprocess.CalledProcessError as error:
            reason = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]
        except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
            reason = str(error)
    warnings.warn(
        f"The cost of the model {str(name_or_folder)!r} was not measured: {reason}", stacklevel=2
    )
    return None


def measurement_identity(frames: Frames) -> str:
    """Return a hash that changes with the protocol, the frames and what the machine allows."""
    digest = hashlib.sha256()
    for name in FIELDS:
        value = getattr(frames, name)
        digest.update(name.encode() + (b"" if value is None else np.asarray(value).tobytes()))
    limits = (BATCH, REPEATS, ENOUGH_SECONDS, os.environ.get("OMP_NUM_THREADS"), os.cpu_count())
    digest.update(repr((frames.total_charge, processor_name(), *limits)).encode())
    return digest.hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Print the inference cost of a model as one line of JSON."""
    from aptbench.models import load_model
    from aptbench.models.allocator import keep_freed_memory

    parser = argparse.ArgumentParser(prog="python -m aptbench.evaluate.cost", description=__doc__)
    parser.add_argument("model", help="name or folder of a model")
    parser.add_argument("frames", type=Path, help="archive of frames (.npz)")
    parser.add_argument("--task", help="task whose weights are wanted")
    chosen = parser.parse_args(arguments)
    keep_freed_memory()
    try:
        model = load_model(chosen.model, task=chosen.task)
        frames = read_frames(chosen.frames)
        print(inference_cost(model, frames).model_dump_json())
    except AptbenchError as error:
        print(error.what, file=sys.stderr)
        return 2
    return 0


def _label_hours(said: TrainingProvenance, dataset: Dataset | None) -> float | None:
    """Core-hours of all labels that were used, None if those of one are not known."""
    sets = [*(said.train_sets or ()), *(said.validation_sets or ())]
    if sets:
        hours = [known for one in sets if (known := _hours_of_set(one, dataset)) is not None]
        return sum(hours) if len(hours) == len(sets) else None
    store = _store(said.dataset.name, dataset)
    frames = None if store is None else _label_frames(said, store)
    if store is None or frames is None:
        return None
    return label_core_hours(store.path.parent / "records", frames)


def _hours_of_set(one: LabelSet, dataset: Dataset | None) -> float | None:
    store = _store(one.dataset, dataset)
    if store is None or store.content_hash != one.content_hash:
        return None
    frames = [store.label_frames(system)[list(known)] for system, known in one.labels.items()]
    return label_core_hours(store.path.parent / "records", np.concatenate(frames).tolist())


def _store(name: str, dataset: Dataset | None) -> Dataset | None:
    """The data set of that name, None if it is not here; that of the task if none is named."""
    if dataset is not None and name in ("", dataset.name):
        return dataset
    from aptbench.data import open_dataset

    try:
        return open_dataset(name)
    except AptbenchError:
        return None


def _label_frames(said: TrainingProvenance, dataset: Dataset) -> list[int] | None:
    """Frames of the labels in their data, None if these are of another content."""
    if len(dataset.systems) != 1:
        return None
    if said.content_hash == dataset.content_hash and said.train is not None:
        frames = dataset.label_frames(dataset.systems[0])
        labels = [*said.train, *(said.validation or ())]
        return frames[labels].tolist() if max(labels, default=0) < len(frames) else None
    if said.dataset.name == dataset.name and said.train_frames is not None:
        return [*said.train_frames, *(said.validation_frames or ())]
    return None


def _count(
    sets: tuple[LabelSet, ...] | None,
    labels: tuple[int, ...] | None,
    frames: tuple[int, ...] | None,
) -> int | None:
    if sets is not None:
        return sum(one.n_labels for one in sets)
    known = labels if labels is not None else frames
    return None if known is None else len(known)


if __name__ == "__main__":
    sys.exit(main())
