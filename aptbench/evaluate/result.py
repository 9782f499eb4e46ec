"""`Result`: the scores of one model on one task, with what they rest on, as a JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from aptbench.atomic import write_atomically
from aptbench.json_file import read_json

if TYPE_CHECKING:
    from aptbench.data import Dataset

SCHEMA_VERSION = 4
"""Files of version 1 lack `Training` and `Cost`, of version 2 `SystemScores`, of version 3 the
scores of the spectrum; they are read."""

TrainingStatus = Literal["matches the task", "other split", "other data", "not trained", "unknown"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class Metric(_Part):
    """A number with its confidence interval; no interval where it cannot be had.

    Parameters
    ----------
    value : float
    low, high : float or None
        Ends of the 95 % interval.
    unit : str
    """

    value: float = Field(allow_inf_nan=False)
    low: float | None = Field(default=None, allow_inf_nan=False)
    high: float | None = Field(default=None, allow_inf_nan=False)
    unit: str


class Data(_Part):
    """The data that was scored on."""

    name: str
    version: str
    content_hash: str
    system: str

    @classmethod
    def of(cls, dataset: Dataset, system: str) -> Data:
        """Say which content of a data set a number rests on; several systems with commas."""
        return cls(
            name=dataset.name,
            version=dataset.version,
            content_hash=dataset.content_hash,
            system=system,
        )


class Model(_Part):
    """The model that was scored."""

    name: str
    title: str
    fingerprint: str | None = None


class Check(_Part):
    """A property that every model must have, as the conformance kit measured it.

    Parameters
    ----------
    value : float or None
        Largest violation in e; None if the model failed in the check.
    tolerance : float or None
        Largest value that passes; None where the value is only reported.
    passed : bool
    note : str
        The error of the model, if there was one.
    """

    value: float | None = Field(default=None, allow_inf_nan=False)
    tolerance: float | None = None
    passed: bool
    note: str = ""


class Training(_Part):
    """What the weights of a model say they were trained on; see `training_record`.

    Parameters
    ----------
    status : str
        ``matches the task``: only on training and validation labels of it. ``other split``: on
        other labels of the same data, none of them a test label. ``other data``: on something else.
        ``not trained``: there is nothing to train. ``unknown``: the weights do not say.
    task : str
        Task that was trained for, with its version; empty if not known.
    data : str
        Name and version of the data set; empty if not known.
    content_hash, split_hash : str or None
        Of data and split that the weights were trained on.
    note : str
        What there is to add, such as why a leak cannot be excluded.
    """

    status: TrainingStatus
    task: str = ""
    data: str = ""
    content_hash: str | None = None
    split_hash: str | None = None
    note: str = ""


class Inference(_Part):
    """What prediction costs, measured in a process of its own; see `aptbench.evaluate.cost`.

    Parameters
    ----------
    atoms_per_second : float
        From the median time of a batch.
    memory_mb : float or None
        What predicting adds to the memory of the process that holds model and frames, in MB
        (10^6 bytes) of the host; None where the system does not tell.
    atoms, frames : int
        Atoms in a frame, and frames in a batch.
    repeats : int
        Batches timed.
    threads : int
        Threads that the numerical libraries were allowed.
    device, processor : str
        Where it ran.
    """

    atoms_per_second: float = Field(gt=0, allow_inf_nan=False)
    memory_mb: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    atoms: int = Field(ge=1)
    frames: int = Field(ge=1)
    repeats: int = Field(ge=1)
    threads: int = Field(ge=1)
    device: str = "cpu"
    processor: str = ""


class Cost(_Part):
    """What a model costs: to train, in labels, and to predict.

    Everything but ``inference`` is a property of the weights and the same on every machine.

    Parameters
    ----------
    parameters : int or None
        Learned numbers in all, those of every member of a committee counted.
    training_seconds : float or None
        Wall time of the training, on the machine that trained.
    training_device : str
    training_threads : int or None
    training_labels, validation_labels : int or None
        Labelled frames that the weights were fitted on and selected by.
    label_core_hours : float or None
        What these labels took to compute, where the data set keeps records of it.
    inference : Inference or None
        The part that depends on the machine of the run; None if it was not measured.
    """

    parameters: int | None = Field(default=None, ge=0)
    training_seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    training_device: str = ""
    training_threads: int | None = None
    training_labels: int | None = Field(default=None, ge=0)
    validation_labels: int | None = Field(default=None, ge=0)
    label_core_hours: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    inference: Inference | None = None


class Timing(_Part):
    """How long a run took to predict, trajectory included; `Inference` is what is compared.

    Parameters
    ----------
    seconds_per_frame : float
        Wall time.
    peak_memory_mb : float or None
        Largest resident memory of the whole process while predicting, in MB.
    frames, atoms : int
        How many were predicted.
    threads : int
        Threads that the numerical libraries were allowed.
    """

    seconds_per_frame: float = Field(ge=0)
    peak_memory_mb: float | None = None
    frames: int
    atoms: int
    threads: int


class Band(_Part):
    """Integral of n(w) alpha(w) over a band.

    Parameters
    ----------
    low, high : float
        Limits in cm^-1.
    integral : float
        In cm^-2.
    """

    low: float
    high: float
    integral: float


class SpectrumSummary(_Part):
    """The infrared spectrum of the dense trajectory in a few numbers.

    Parameters
    ----------
    protocol : str
    frames : int
    time_step_fs, temperature_kelvin : float
    bands : dict of str to Band
    metrics : dict of str to Metric
        By metric and band, as in ``band_integral_error[bend]``; ``all`` is the whole grid.
    reference : str
        What it is compared with, in words; empty if with nothing.
    """

    protocol: str
    frames: int
    time_step_fs: float
    temperature_kelvin: float
    bands: dict[str, Band]
    metrics: dict[str, Metric] = Field(default_factory=dict)
    reference: str = ""


class SystemScores(_Part):
    """Scores of one model on one of several systems of a test.

    Parameters
    ----------
    test_frames : int
    metrics : dict of str to Metric
    """

    test_frames: int = Field(ge=1)
    metrics: dict[str, Metric]


class Result(_Part):
    """Scores of one model on one task.

    Parameters
    ----------
    task : str
        With its version, as in ``water/iid@1``.
    data : Data
    split_hash : str
    test_frames : int
    model : Model
    metrics : dict of str to Metric
        Over all systems of the test together.
    systems : dict of str to SystemScores
        Each system of the test alone; empty if there is one.
    conformance : dict of str to Check
        Empty for predictions that came as a file.
    spectrum : SpectrumSummary or None
    timing : Timing or None
        None for predictions that came as a file.
    training : Training or None
        What the weights were trained on; None for predictions that came as a file.
    cost : Cost or None
        None for predictions that came as a file.
    versions : dict of str to str
        Packages that the numbers were made with.
    """

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1, le=SCHEMA_VERSION)
    task: str = Field(pattern=r"^\w[\w.-]*/\w[\w.-]*@\d+$")
    data: Data
    split_hash: str
    test_frames: int = Field(ge=1)
    model: Model
    metrics: dict[str, Metric]
    systems: dict[str, SystemScores] = Field(default_factory=dict)
    conformance: dict[str, Check] = Field(default_factory=dict)
    spectrum: SpectrumSummary | None = None
    timing: Timing | None = None
    training: Training | None = None
    cost: Cost | None = None
    versions: dict[str, str]

    @property
    def task_name(self) -> str:
        """Name of the task without the version."""
        return self.task.partition("@")[0]


def write_result(result: Result, path: str | Path) -> Path:
    """Write a result as JSON, atomically, and return the path."""
    return write_atomically(Path(path), result.model_dump_json(indent=2) + "\n")


def read_result(path: str | Path) -> Result:
    """Read and validate a result file.

    Raises
    ------
    InputError
        If the file is absent, is not JSON, or does not have the fields of `Result`.
    """
    return read_json(Result, path, "result file")
