"""Evaluation: predictions against test labels, results, tables and reports.

Nothing outside this layer reads the labels of test frames.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aptbench.evaluate.evaluation import Evaluation as Evaluation
    from aptbench.evaluate.evaluation import evaluate_file as evaluate_file
    from aptbench.evaluate.evaluation import evaluate_model as evaluate_model
    from aptbench.evaluate.predictions import Predictions as Predictions
    from aptbench.evaluate.report import write_report as write_report
    from aptbench.evaluate.result import Result as Result
    from aptbench.evaluate.result import read_result as read_result
    from aptbench.evaluate.result import write_result as write_result
    from aptbench.evaluate.scoring import score_predictions as score_predictions
    from aptbench.evaluate.trajectory import DenseTrajectory as DenseTrajectory
    from aptbench.evaluate.trajectory import dense_trajectory as dense_trajectory

_PUBLIC = {
    "DenseTrajectory": "trajectory",
    "Evaluation": "evaluation",
    "Predictions": "predictions",
    "Result": "result",
    "dense_trajectory": "trajectory",
    "evaluate_file": "evaluation",
    "evaluate_model": "evaluation",
    "read_result": "result",
    "score_predictions": "scoring",
    "write_report": "report",
    "write_result": "result",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"aptbench.evaluate.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'aptbench.evaluate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
