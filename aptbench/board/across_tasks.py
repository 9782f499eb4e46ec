"""`AcrossTasks`: the normalised error of every model on every task, side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from aptbench.board.generated import markdown_table
from aptbench.evaluate.result import Metric, Result
from aptbench.evaluate.table import number

METRIC: Final = "normalized_rmse"
_DEEPEST: Final = 0.05
"""Error that has the deepest shade; one of 1, that of mean charges, has none."""


@dataclass(frozen=True)
class AcrossTasks:
    """Normalised errors by model and task; there is no mean over tasks on purpose.

    Parameters
    ----------
    tasks : tuple of str
        With their versions, in alphabetical order.
    errors : mapping of str to mapping of str to Metric
        By model, in alphabetical order, and by task; a model has the tasks that it was scored on.

    Notes
    -----
    The error over that of the best mean charge of each species in the test itself, so 1 means that
    nothing was learned of what the test varies, whatever the task.
    """

    tasks: tuple[str, ...]
    errors: Mapping[str, Mapping[str, Metric]]

    @classmethod
    def of(cls, results: Iterable[Result]) -> AcrossTasks:
        """Gather the results that have such an error."""
        found: dict[str, dict[str, Metric]] = {}
        for result in results:
            if METRIC in result.metrics:
                found.setdefault(result.model.name, {})[result.task] = result.metrics[METRIC]
        tasks = sorted({task for row in found.values() for task in row})
        return cls(tuple(tasks), dict(sorted(found.items())))

    def markdown(self) -> str:
        """Return the table; the least error of a task is in bold."""
        least = {task: self.least(task) for task in self.tasks}
        rows = []
        for model, row in self.errors.items():
            cells = []
            for task in self.tasks:
                text = number(row[task].value) if task in row else "–"
                cells.append(f"**{text}**" if model == least[task] else text)
            rows.append((f"`{model}`", *cells))
        return markdown_table(["model", *(f"`{task}`" for task in self.tasks)], rows)

    def least(self, task: str) -> str:
        """Return the model with the least error of a task."""
        rows = ((row[task].value, model) for model, row in self.errors.items() if task in row)
        return min(rows)[1]


def shade(error: float) -> float:
    """Return how deep the cell of an error is shaded, 0 to 1, linear in its logarithm.

    >>> [shade(error) for error in (2.0, 1.0, 0.05, 0.01)]
    [0.0, 0.0, 1.0, 1.0]
    >>> round(shade(0.2236), 2)
    0.5
    """
    if error <= _DEEPEST:
        return 1.0
    return max(0.0, math.log(error) / math.log(_DEEPEST))
