"""The archive of the leaderboard: a result and its test predictions for each task and model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aptbench.evaluate.predictions import write_task_predictions
from aptbench.evaluate.result import Result, read_result, write_result

if TYPE_CHECKING:
    from aptbench.evaluate.evaluation import Evaluation


def archive_evaluation(evaluation: Evaluation, folder: str | Path) -> Path:
    """Write ``TASK/MODEL.json`` and ``TASK/MODEL.npz`` below a folder and return the former.

    The predictions are archived with the result, so that it can be computed again.
    """
    result = evaluation.result
    path = Path(folder) / result.task_name / f"{result.model.name}.json"
    write_task_predictions(evaluation.predictions, path.with_suffix(".npz"))
    return write_result(result, path)


def archived_results(folder: str | Path) -> list[Result]:
    """Return all results of an archive, in the order of their paths.

    Raises
    ------
    InputError
        If a file is damaged; the message names it.
    """
    return [read_result(path) for path in sorted(Path(folder).glob("*/*/*.json"))]
