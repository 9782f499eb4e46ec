"""`LearningCurve`: errors of models against the number of labels that they were trained on."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from aptbench.atomic import write_atomically
from aptbench.evaluate.result import Data, Metric
from aptbench.json_file import read_json

SCHEMA_VERSION = 1


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Point(_Part):
    """One model, trained once on one budget of labels, and scored on the test.

    Parameters
    ----------
    model, title : str
    labels : int or None
        Training labels; None for a model that is not trained.
    seed : int or None
        None where training is not random.
    metrics : dict of str to Metric
        By the names of `aptbench.metrics`, and ``current_error[BAND]`` for the bands.
    n_parameters : int or None
        Learned numbers in all.
    seconds : float or None
        Of the training, wall time.
    """

    model: str
    title: str
    labels: int | None = Field(default=None, ge=1)
    seed: int | None = None
    metrics: dict[str, Metric]
    n_parameters: int | None = None
    seconds: float | None = None


class Band(_Part):
    """A band that the error of the current is divided over.

    Parameters
    ----------
    low, high : float
        In cm^-1.
    coverage : float
        Share of the filter that lies in the trajectory, mean over the test labels; the rest is
        mirrored at its ends.
    """

    low: float
    high: float
    coverage: float


class LearningCurve(_Part):
    """What `measure_learning_curve` found.

    Parameters
    ----------
    task : str
        With its version.
    data : Data
    split_hash : str
    test_frames, validation_labels : int
        The validation labels are the same for every budget, and only select.
    budgets : dict of int to list of int
        Training labels of every budget; each contains the smaller ones.
    bands : dict of str to Band
        Empty if there is no trajectory.
    label_noise : float or None
        Root mean square error of the labels themselves in e, if it is known.
    committee : int or None
        Largest number of networks in a model; None where every model had its own number.
    selection : str or None
        Name of the order in which labels were spent, if it is not `nested_order`.
    points : list of Point
    versions : dict of str to str
    """

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1, le=SCHEMA_VERSION)
    task: str
    data: Data
    split_hash: str
    test_frames: int
    validation_labels: int
    budgets: dict[int, list[int]]
    bands: dict[str, Band]
    label_noise: float | None = Field(default=None, gt=0)
    committee: int | None = Field(default=None, ge=1)
    selection: str | None = None
    points: list[Point]
    versions: dict[str, str]

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order that they were given in."""
        return list(dict.fromkeys(point.model for point in self.points))

    @property
    def species(self) -> list[str]:
        """Chemical symbols of the system, in the order of the metrics."""
        names = {name for point in self.points for name in point.metrics}
        inner = sorted(n[5:-1] for n in names if n.startswith("rmse[") and n[5:-1].isalpha())
        return inner[::-1]

    def of(self, model: str, labels: int | None) -> list[Point]:
        """Return the points of a model and a budget, one a seed."""
        return [p for p in self.points if p.model == model and p.labels == labels]

    def budgets_of(self, model: str) -> list[int | None]:
        """Return the budgets of a model, rising; one None for a model that is not trained."""
        found = {point.labels for point in self.points if point.model == model}
        return sorted(found, key=lambda labels: labels or 0)


def mean_metric(points: list[Point], name: str) -> Metric | None:
    """Return a metric, mean over seeds, or None where it was not scored.

    The interval is that of the test frames for one seed, and from the least to the largest value
    for several.

    Examples
    --------
    >>> one, two = (
    ...     Point(model="a", title="A", metrics={"rmse": Metric(value=v, unit="e")})
    ...     for v in (0.25, 0.75)
    ... )
    >>> found = mean_metric([one, two], "rmse")
    >>> found.value, found.low, found.high
    (0.5, 0.25, 0.75)
    """
    found = [point.metrics[name] for point in points if name in point.metrics]
    if not found:
        return None
    if len(found) == 1:
        return found[0]
    values = [metric.value for metric in found]
    mean = sum(values) / len(values)
    return Metric(value=mean, low=min(values), high=max(values), unit=found[0].unit)


def write_learning_curve(curve: LearningCurve, path: str | Path) -> Path:
    """Write a learning curve as JSON, atomically, and return the path."""
    return write_atomically(Path(path), curve.model_dump_json(indent=1) + "\n")


def read_learning_curve(path: str | Path) -> LearningCurve:
    """Read and validate a file of `write_learning_curve`.

    Raises
    ------
    InputError
        If the file is absent, is not JSON, or does not have the fields of `LearningCurve`.
    """
    return read_json(LearningCurve, path, "learning curve", "make it with 'aptbench learn'")
