"""`measure_learning_curve`: train models on nested budgets of labels, and score them."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from aptbench.atomic import read_archive, write_archive
from aptbench.data.stored_frames import StoredFrames
from aptbench.errors import InputError
from aptbench.evaluate.label_blocks import LabelBlocks
from aptbench.evaluate.learning_curve import Band, LearningCurve, Point
from aptbench.evaluate.model_names import distinct_names
from aptbench.evaluate.prediction_run import cache_key, predict_tensors
from aptbench.evaluate.result import Data, Metric
from aptbench.evaluate.scoring import frames_of_test, labels_of_test
from aptbench.evaluate.training import TrainingLabels, training_labels
from aptbench.evaluate.versions import versions
from aptbench.frames import Frames, LabelledFrames
from aptbench.metrics import Score, accumulate, metric_names, score_means
from aptbench.models import TrainableModel, load_model, model_folder
from aptbench.models.fitting import fit_model, seed_of, set_seed, set_threads
from aptbench.models.registry import ModelFolder
from aptbench.spectra import uniform_time_step
from aptbench.spectra.band_filter import BandFilter, band_velocities
from aptbench.tasks import Task
from aptbench.tasks.data_selection import DataSelection

if TYPE_CHECKING:
    from aptbench.data import Dataset

Array = npt.NDArray[np.float64]
Report = Callable[[int, Any], None]
Watch = Callable[[str], AbstractContextManager[Report | None]]

SEED_STRIDE = 1000
"""Between repeats: the members of a committee take the seeds that follow each other."""

_SHOWN = ("rmse", "normalized_rmse", "current_error", "sum_rule_residual")


@dataclass(frozen=True, eq=False)
class _Test:
    """Test labels, and the velocities of every band at them."""

    system: str
    labels: LabelledFrames
    velocities: dict[str, Array]
    blocks: LabelBlocks

    def score(self, prediction: Array) -> dict[str, Metric]:
        frames = self.labels.frames
        names = [n for n in metric_names(frames) if n.partition("[")[0] in _SHOWN and "," not in n]
        found = dict(self._scores(prediction, frames, names))
        for band, velocities in self.velocities.items():
            moved = frames.replace(velocities=velocities)
            scores = self._scores(prediction, moved, ["current_error"])
            found[f"current_error[{band}]"] = scores["current_error"]
        return {
            name: Metric(value=s.value, low=s.low, high=s.high, unit=s.unit)
            for name, s in found.items()
            if math.isfinite(s.value)
        }

    def _scores(self, prediction: Array, frames: Frames, names: list[str]) -> dict[str, Score]:
        means = accumulate(names, prediction, self.labels.apt, frames)
        return score_means(self.blocks.group(means, self.system), names, self.blocks.bootstrap)


def measure_learning_curve(
    task: Task,
    dataset: Dataset,
    models: Sequence[str | Path],
    budgets: Sequence[int],
    *,
    repeats: int = 1,
    selection: DataSelection | None = None,
    committee: int | None = None,
    cache: Path | None = None,
    threads: int | None = None,
    label_noise: float | None = None,
    watch: Watch | None = None,
) -> LearningCurve:
    """Train every model on every budget of training labels, and score it on the test.

    Parameters
    ----------
    task : Task
        Its validation labels select at every budget; its test labels are only scored.
    dataset : Dataset
        The data that the task names.
    models : sequence of str or Path
        As `aptbench.models.load_model` takes them. A model that cannot be trained is scored once.
    budgets : sequence of int
        Numbers of training labels, see `aptbench.tasks.subsets`.
    repeats : int
        Trainings of a model that depends on a seed.
    committee : int, optional
        Largest number of networks in a model that is a committee; its own number if not given.
    cache : Path, optional
        Folder in which every finished training is kept, under a hash of settings, code, libraries,
        labels and seed, and in which a training that was stopped leaves its checkpoints. Scores are
        made anew each time.
    threads : int, optional
        Of torch.
    label_noise : float, optional
        Root mean square error of the labels in e, for the figure.
    watch : callable, optional
        Called with a name for every training or prediction, gives the ``report`` of `fit_model`.

    Returns
    -------
    LearningCurve

    Raises
    ------
    InputError
        If a budget is impossible, there is no model, two have one name, or a model fails.
    AlignmentError
        If the data are not those of the task.
    """
    budgets = sorted(set(budgets))
    if not models or not budgets or repeats < 1:
        raise InputError(
            "A learning curve needs a model, a budget of labels and a repeat.",
            got=f"{len(models)} models, budgets {budgets}, {repeats} repeats",
        )
    distinct_names(models)
    labels = {n: training_labels(task, dataset, n, selection) for n in budgets}
    test = labels_of_test(task, dataset)[task.system]
    bands = _bands(task, dataset, test)
    frames = frames_of_test(task, dataset)[task.system]
    velocities: dict[str, Array] = {}
    if bands:
        velocities = band_velocities(
            StoredFrames(dataset, task.system),
            frames,
            {name: (band.low, band.high) for name, band in bands.items()},
            uniform_time_step(dataset.times(task.system)),
        )
    scored = _Test(task.system, test, velocities, LabelBlocks.of(task, dataset))
    points = []
    for name in models:
        loaded: Any = load_model(name, trained=False)
        title = str(loaded.name)
        if not isinstance(loaded, TrainableModel):
            with (watch or _unwatched)(f"{title}: not trained"):
                points.append(_fixed_point(name, scored))
            continue
        own = seed_of(loaded)
        for n, chosen in labels.items():
            for repeat in range(1 if own is None else repeats):
                seed = None if own is None else own + SEED_STRIDE * repeat
                words = f"{title}, {n} labels" + ("" if seed is None else f", seed {seed}")
                with (watch or _unwatched)(words) as report:
                    run = _Run(name, chosen, test, seed, committee, threads, cache)
                    prediction, summary = run.result(report)
                points.append(_point(title, name, n, seed, scored.score(prediction), summary))
    return LearningCurve(
        task=task.identity,
        data=Data.of(dataset, task.system),
        split_hash=task.split.hash,
        test_frames=task.n_test,
        validation_labels=len(task.validation),
        budgets={n: chosen.provenance["train"] for n, chosen in labels.items()},
        bands=bands,
        label_noise=label_noise,
        committee=committee,
        selection=None if selection is None else selection.name,
        points=points,
        versions=versions(),
    )


@dataclass(frozen=True, eq=False)
class _Run:
    """One training: made, or read back if it is kept."""

    name: str | Path
    labels: TrainingLabels
    test: LabelledFrames
    seed: int | None
    committee: int | None
    threads: int | None
    cache: Path | None

    def result(self, report: Report | None) -> tuple[Array, dict[str, Any]]:
        """Return the prediction of the test frames, and what `fit_model` told."""
        model: Any = load_model(self.name, trained=False)
        if self.seed is not None:
            set_seed(model, self.seed)
        if self.committee is not None and hasattr(model, "committee"):
            model.committee = min(model.committee, self.committee)
        if self.threads is not None:
            set_threads(self.threads)
        folder = model_folder(self.name)
        key = cache_key(model, settings_hash(folder), self._identity(), folder)
        if self.cache is None or key is None:
            with tempfile.TemporaryDirectory(prefix="aptbench-learn-") as temporary:
                return self._made(model, Path(temporary), report)
        kept = self.cache / key
        return self._kept(kept) or self._made(model, kept, report)

    def _identity(self) -> str:
        said = self.labels.provenance
        parts = [said[key] for key in ("content_hash", "system", "train", "validation")]
        digest = hashlib.sha256(json.dumps([*parts, self.seed, self.committee]).encode())
        digest.update(self.test.frames.positions.tobytes())
        return digest.hexdigest()

    def _made(
        self, model: Any, folder: Path, report: Report | None
    ) -> tuple[Array, dict[str, Any]]:
        folder.mkdir(parents=True, exist_ok=True)
        summary = fit_model(
            model,
            self.labels.train,
            self.labels.validation,
            checkpoint_folder=folder,
            report=report,
        )
        summary = {"model": model.name, **self.labels.provenance, "seed": self.seed, **summary}
        model.save(folder, summary)
        prediction = predict_tensors(model, self.test.frames).values.astype(np.float64)
        # one file, there when it is whole: a run is finished or it is not
        arrays = {"apt": prediction, "summary": json.dumps(summary)}
        write_archive(arrays, folder / "run.npz", compressed=False)
        return prediction, summary

    def _kept(self, folder: Path) -> tuple[Array, dict[str, Any]] | None:
        try:
            archive = read_archive(folder / "run.npz")
            prediction, summary = archive["apt"], json.loads(str(archive["summary"]))
        except (OSError, ValueError, KeyError):
            return None
        return (prediction, summary) if prediction.shape == self.test.apt.shape else None


def settings_hash(folder: Path | None) -> str | None:
    """Return the SHA-256 over the files of a model folder that say how to train it.

    These are all but the card, the weights and their DVC pointer, and what is hidden. None for a
    model without a folder.
    """
    if folder is None:
        return None
    weights = ModelFolder.read(folder).weights
    without = {"card.md", weights, f"{weights}.dvc", ".gitignore"}
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
        if path.is_file() and not hidden and path.name not in without:
            digest.update("/".join(parts).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _bands(task: Task, dataset: Dataset, test: LabelledFrames) -> dict[str, Band]:
    """Return the bands of the system that its trajectory can resolve."""
    if test.frames.velocities is None or not dataset.has_times(task.system):
        return {}
    bands = {}
    frames = frames_of_test(task, dataset)[task.system]
    for name, ends in dataset.infrared_bands(task.system).items():
        try:
            chosen = BandFilter(ends, uniform_time_step(dataset.times(task.system)))
        except InputError:  # unequal steps, or narrower than the filter: no number is better
            continue
        coverage = float(chosen.coverage(frames, dataset.n_frames(task.system)).mean())
        bands[name] = Band(low=ends[0], high=ends[1], coverage=coverage)
    return bands


def _fixed_point(name: str | Path, scored: _Test) -> Point:
    model: Any = load_model(name)
    prediction = predict_tensors(model, scored.labels.frames).values
    metrics = scored.score(np.asarray(prediction, float))
    summary = {"n_parameters": getattr(model, "n_parameters", None)}
    return _point(model.name, name, None, None, metrics, summary)


def _point(
    model: str,
    name: str | Path,
    labels: int | None,
    seed: int | None,
    metrics: dict[str, Metric],
    summary: dict[str, Any],
) -> Point:
    folder = model_folder(name)
    return Point(
        model=model,
        title=model if folder is None else ModelFolder.read(folder).title,
        labels=labels,
        seed=seed,
        metrics=metrics,
        n_parameters=summary.get("n_parameters"),
        seconds=summary.get("seconds"),
    )


def _unwatched(name: str) -> AbstractContextManager[Report | None]:
    return nullcontext()
