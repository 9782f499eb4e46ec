"""`write_learning_files`: JSON, CSV and figures of a learning curve."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from aptbench.atomic import write_atomically
from aptbench.evaluate.canvas import save_figure
from aptbench.evaluate.learning_curve import LearningCurve, write_learning_curve
from aptbench.evaluate.learning_figure import learning_figure

STEM = "learning-curves"


def write_learning_files(curve: LearningCurve, folder: Path) -> Path:
    """Write ``learning-curves.json``, ``.csv``, ``.png`` and ``.svg``; return the folder.

    The CSV has a row for every model, budget, seed and metric.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_learning_curve(curve, folder / f"{STEM}.json")
    write_atomically(folder / f"{STEM}.csv", learning_csv(curve))
    save_figure(learning_figure(curve), folder / STEM)
    return folder


def learning_csv(curve: LearningCurve) -> str:
    """Return all numbers as comma-separated values, one a line."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    head = ("model", "labels", "seed", "metric", "value", "low", "high", "unit")
    writer.writerow(head)
    for p in curve.points:
        for name, m in p.metrics.items():
            writer.writerow([p.model, p.labels, p.seed, name, m.value, m.low, m.high, m.unit])
    return stream.getvalue()
