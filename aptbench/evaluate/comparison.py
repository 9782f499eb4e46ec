"""`Comparison`: the models of a task in groups that its test frames can tell apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from aptbench.atomic import write_atomically
from aptbench.errors import InputError
from aptbench.evaluate.label_blocks import LabelBlocks
from aptbench.evaluate.predictions import read_task_predictions
from aptbench.evaluate.scoring import accumulate_predictions
from aptbench.evaluate.table import is_trivial
from aptbench.json_file import read_json
from aptbench.metrics import BlockBootstrap, score_means
from aptbench.metrics.scoring import Means
from aptbench.metrics.significance import Difference, Ranked, rank
from aptbench.reference.label_noise import dataset_noise
from aptbench.tasks import Task

if TYPE_CHECKING:
    from aptbench.data import Dataset

METRIC = "rmse"
LEVEL = 0.05
_SPREAD = "normalized_rmse"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Gap(_Part):
    """A metric of one model minus that of a better one, with its paired 95 % interval.

    Parameters
    ----------
    value : float
    low, high, p : float or None
        None where too few frames allow none.
    """

    value: float
    low: float | None = None
    high: float | None = None
    p: float | None = None

    @classmethod
    def of(cls, found: Difference | None) -> Gap | None:
        """Return the same for a file; None for None."""
        if found is None:
            return None
        return cls(value=found.value, low=found.low, high=found.high, p=found.p)


class Place(_Part):
    """A model in the ranking of a task; see `aptbench.metrics.significance.Ranked`.

    Parameters
    ----------
    model : str
    value : float
    low, high : float or None
    group : int
        From 1.
    to_leader : Gap or None
        From the best of its group, p adjusted by Holm; None for that one.
    to_best : Gap or None
        From the best of all, p not adjusted; None for that one.
    trivial : bool
        Whether it is not significantly better than the mean charge of each species would be.
    """

    model: str
    value: float
    low: float | None = None
    high: float | None = None
    group: int = Field(ge=1)
    to_leader: Gap | None = None
    to_best: Gap | None = None
    trivial: bool = False

    @classmethod
    def of(cls, one: Ranked, *, trivial: bool = False) -> Place:
        """Return the same for a file."""
        return cls(
            model=one.name,
            value=one.value,
            low=one.low,
            high=one.high,
            group=one.group,
            to_leader=Gap.of(one.to_leader),
            to_best=Gap.of(one.to_best),
            trivial=trivial,
        )


class Comparison(_Part):
    """The ranking of a task by one metric.

    Parameters
    ----------
    task : str
        With its version.
    of : str
        ``tensors`` of the test frames, or the ``spectrum`` of the stretch that they span.
    metric, unit : str
    test_frames : int
    confidence : float
        Of intervals.
    level : float
        Of significance.
    noise_floor : float or None
        Root mean square noise of the labels in e: what a perfect model is expected to show. None
        where it was not measured.
    noise : dict of str to float
        The same by element, where it is known.
    places : tuple of Place
        Best first.
    """

    task: str
    of: Literal["tensors", "spectrum"] = "tensors"
    metric: str
    unit: str
    test_frames: int
    confidence: float
    level: float
    noise_floor: float | None = None
    noise: dict[str, float] = Field(default_factory=dict)
    places: tuple[Place, ...]

    @property
    def groups(self) -> tuple[tuple[Place, ...], ...]:
        """The places, group by group."""
        last = max((place.group for place in self.places), default=0)
        return tuple(
            tuple(place for place in self.places if place.group == group)
            for group in range(1, last + 1)
        )


def archived_means(
    task: Task, dataset: Dataset, results: Path, metrics: Sequence[str] = (METRIC,)
) -> dict[str, Means]:
    """Return the means of every model whose predictions of a task are archived, by name.

    Parameters
    ----------
    task : Task
    dataset : Dataset
    results : Path
        Folder with ``DATASET/SPLIT/MODEL.npz``.
    metrics : sequence of str

    Raises
    ------
    AlignmentError, InputError
        If predictions do not fit the task.
    """
    return {
        path.stem: accumulate_predictions(
            task, dataset, read_task_predictions(path, task.systems), metrics
        )
        for path in sorted((results / task.name).glob("*.npz"))
    }


def compare_models(
    task: Task,
    dataset: Dataset,
    models: Mapping[str, Means],
    metric: str = METRIC,
    *,
    level: float = LEVEL,
) -> Comparison:
    """Rank models on a task by a metric of which less is better.

    Parameters
    ----------
    task : Task
    dataset : Dataset
    models : mapping of str to means
        From `archived_means`, with ``normalized_rmse`` among the metrics if trivial ones are to be
        marked.
    metric : str
    level : float

    Raises
    ------
    InputError
        If there is no model, or the metric has no value for one: no label that it is of.
    """
    if not models:
        raise InputError(
            f"There are no predictions for the task {task.identity} to compare.",
            do=f"make some: aptbench run {task.name} --archive leaderboard/results",
        )
    bootstrap = LabelBlocks.of(task, dataset).bootstrap
    ranked = rank(dict(models), metric, bootstrap, level=level)
    without = [one.name for one in ranked if not math.isfinite(one.value)]
    if without:
        raise InputError(
            f"The metric {metric!r} is not a number on the test of {task.identity}.",
            got=f"no value for {', '.join(without)}",
            expected="a metric of something that the test labels have, and that is not zero there",
            do="compare by another one, such as rmse",
        )
    noise = noise_by_element(dataset) if metric == METRIC else {}
    return Comparison(
        task=task.identity,
        metric=metric,
        unit=score_means(models[ranked[0].name], [metric])[metric].unit,
        test_frames=task.n_test,
        confidence=bootstrap.confidence,
        level=level,
        noise_floor=noise.pop("all", None),
        noise=noise,
        places=tuple(
            Place.of(one, trivial=_is_trivial(models[one.name], bootstrap)) for one in ranked
        ),
    )


def noise_floor(dataset: Dataset) -> float | None:
    """Return the rms numerical noise of the labels in e, as the store or the study beside it says.

    A perfect model is expected to show it as its error. It knows nothing of what is systematic
    (basis, functional). None where nothing is known.
    """
    return noise_by_element(dataset).get("all")


def noise_by_element(dataset: Dataset) -> dict[str, float]:
    """Return the noise of `noise_floor` by element and for ``all``, as far as it is known."""
    figures = dataset_noise(dataset)
    if isinstance(figures, Mapping):
        return {name: float(value) for name, value in figures["noise"].items()}
    return {} if figures is None else {"all": float(figures)}


def comparison_path(folder: Path, task_name: str, of: str = "tensors") -> Path:
    """Return where the comparison of a task is kept below a folder.

    >>> comparison_path(Path("."), "water/iid", "spectrum").as_posix()
    'water/iid.spectrum.json'
    """
    return folder / f"{task_name}{'' if of == 'tensors' else f'.{of}'}.json"


def write_comparison(comparison: Comparison, folder: str | Path) -> Path:
    """Write a comparison below a folder, atomically, and return its path."""
    path = comparison_path(Path(folder), comparison.task.partition("@")[0], comparison.of)
    return write_atomically(path, comparison.model_dump_json(indent=1) + "\n")


def read_comparison(path: str | Path) -> Comparison:
    """Read a file of `write_comparison`.

    Raises
    ------
    InputError
        If it is absent or damaged.
    """
    return read_json(Comparison, path, "comparison", "make it with: aptbench compare TASK --write")


def comparison_of(folder: str | Path | None, task: str, of: str = "tensors") -> Comparison | None:
    """Return the kept comparison of a task, None if there is none of this version of it.

    Parameters
    ----------
    folder : path or None
    task : str
        With its version.
    of : str
        ``tensors`` or ``spectrum``.
    """
    if folder is None:
        return None
    path = comparison_path(Path(folder), task.partition("@")[0], of)
    if not path.is_file() or (found := read_comparison(path)).task != task:
        return None
    return found


def archived_comparisons(folder: str | Path) -> list[Comparison]:
    """Return all comparisons below a folder, in the order of their paths.

    Raises
    ------
    InputError
        If a file is damaged.
    """
    return [read_comparison(path) for path in sorted(Path(folder).rglob("*.json"))]


def _is_trivial(means: Means, bootstrap: BlockBootstrap) -> bool:
    try:
        return is_trivial(score_means(means, [_SPREAD], bootstrap)[_SPREAD])
    except KeyError:
        return False
