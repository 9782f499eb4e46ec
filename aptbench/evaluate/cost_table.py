"""The columns of a table of costs, and how each is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from aptbench.evaluate.result import Result

TRAINED_ON: Final = {
    "matches the task": "this task",
    "other split": "other split",
    "other data": "other data",
    "not trained": "nothing",
    "unknown": "not said",
}
"""What the column `trained on` says for each status of a training record."""


@dataclass(frozen=True)
class CostColumn:
    """One column of costs.

    Parameters
    ----------
    heading, unit : str
    explanation : str
        One sentence for a tooltip.
    value : callable
        Number to sort a result by, None where it is not known.
    write : callable
        Text of a result whose number is known.
    larger_is_better : bool
    """

    heading: str
    unit: str
    explanation: str
    value: Callable[[Result], float | None]
    write: Callable[[Result], str]
    larger_is_better: bool = False

    def text(self, result: Result) -> str:
        """Return the text of a cell, a dash where the number is not known."""
        return "–" if self.value(result) is None else self.write(result)

    @property
    def label(self) -> str:
        """Heading with the unit."""
        return f"{self.heading} ({self.unit})" if self.unit else self.heading


def cost_columns(results: Iterable[Result]) -> list[CostColumn]:
    """Return the columns that at least one of the results can fill, in the order of the tables."""
    results = list(results)
    return [c for c in COST_COLUMNS if any(c.value(result) is not None for result in results)]


def compact(value: float) -> str:
    """Write a number with two digits, as a timing deserves.

    >>> compact(2073.0), compact(40e6), compact(312.4), compact(8.44)
    ('2.1k', '40M', '310', '8.4')
    """
    scale, letter = next(
        (pair for pair in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if value >= pair[0]), (1.0, "")
    )
    scaled = value / scale
    text = f"{scaled:.1f}" if scaled < 9.95 else f"{float(f'{scaled:.2g}'):.0f}"
    return text + letter


def duration(seconds: float) -> str:
    """Write a time in the unit that fits.

    >>> duration(0.004), duration(42.3), duration(131.0), duration(900.0), duration(9000.0)
    ('< 1 s', '42 s', '2.2 min', '15 min', '2.5 h')
    """
    if seconds < 1:
        return "< 1 s"
    scale, unit = (1, "s") if seconds < 99.5 else (60, "min") if seconds < 5970 else (3600, "h")
    scaled = seconds / scale
    return f"{scaled:.{0 if scaled >= 9.95 or unit == 's' else 1}f} {unit}"


def measured_with(result: Result) -> str:
    """Say in words on what speed and memory were measured; empty if they were not.

    >>> from aptbench.evaluate.result import Cost, Inference
    >>> inference = Inference(atoms_per_second=1.0, atoms=192, frames=7, repeats=3, threads=1)
    >>> measured_with(Result.model_construct(cost=Cost(inference=inference)))
    '7 frames of 192 atoms, 1 thread, cpu'
    """
    if result.cost is None or result.cost.inference is None:
        return ""
    found = result.cost.inference
    frames = f"{found.frames} frame{'s' if found.frames != 1 else ''} of {found.atoms} atoms"
    threads = f"{found.threads} thread{'s' if found.threads != 1 else ''}"
    place = f"{found.device} ({found.processor})" if found.processor else found.device
    return f"{frames}, {threads}, {place}"


def _speed(result: Result) -> float | None:
    inference = None if result.cost is None else result.cost.inference
    return None if inference is None else inference.atoms_per_second


def _memory(result: Result) -> float | None:
    inference = None if result.cost is None else result.cost.inference
    return None if inference is None else inference.memory_mb


def _parameters(result: Result) -> float | None:
    return None if result.cost is None else result.cost.parameters


def _training(result: Result) -> float | None:
    return None if result.cost is None else result.cost.training_seconds


def _labels(result: Result) -> float | None:
    if result.cost is None or result.cost.training_labels is None:
        return None
    return result.cost.training_labels + (result.cost.validation_labels or 0)


def _label_hours(result: Result) -> float | None:
    return None if result.cost is None else result.cost.label_core_hours


def _trained_on(result: Result) -> float | None:
    return None if result.training is None else list(TRAINED_ON).index(result.training.status)


def _write_labels(result: Result) -> str:
    assert result.cost is not None
    selected = result.cost.validation_labels
    return f"{result.cost.training_labels}" + (f" + {selected}" if selected else "")


def _write_memory(result: Result) -> str:
    value = _memory(result) or 0.0
    return f"{value:.0f}" if value >= 1 else "< 1"


COST_COLUMNS: Final = (
    CostColumn(
        "atoms/s",
        "",
        "Atoms predicted a second: median batch of test frames, in a process of its own.",
        _speed,
        lambda result: compact(_speed(result) or 0.0),
        larger_is_better=True,
    ),
    CostColumn(
        "memory",
        "MB",
        "What predicting adds to the memory of the process that holds model and frames.",
        _memory,
        _write_memory,
    ),
    CostColumn(
        "parameters",
        "",
        "Learned numbers in all, every member of a committee counted.",
        _parameters,
        lambda result: f"{_parameters(result):,}",
    ),
    CostColumn(
        "training",
        "",
        "Wall time of the training, as the weights say.",
        _training,
        lambda result: duration(_training(result) or 0.0),
    ),
    CostColumn(
        "labels",
        "",
        "Labelled frames that the model was fitted on, + those that only selected.",
        _labels,
        _write_labels,
    ),
    CostColumn(
        "label cost",
        "core-h",
        "Core-hours that the calculation of these labels took.",
        _label_hours,
        lambda result: f"{_label_hours(result):.1f}",
    ),
    CostColumn(
        "trained on",
        "",
        "What the weights say they were trained on, compared with the task.",
        _trained_on,
        lambda result: TRAINED_ON[result.training.status] if result.training else "–",
    ),
)
"""All columns, in the order of the tables."""
