"""`learning_blocks`: the generated tables of ``docs/learning-curves.md``."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from aptbench.board.generated import markdown_table
from aptbench.evaluate.learning_curve import LearningCurve, mean_metric, read_learning_curve
from aptbench.evaluate.table import number

_NOT_YET = "Not measured yet: `{}`."


def learning_blocks(project: Path) -> dict[str, str]:
    """Return the blocks ``learning-curves`` and ``band-current``.

    Parameters
    ----------
    project : Path
        Root of the repository; the measurements are in ``benchmarks/results``.
    """
    results = project / "benchmarks" / "results"
    blocks = {"learning-curves": _NOT_YET.format("aptbench learn")}
    blocks["band-current"] = _NOT_YET.format("python benchmarks/band_current.py")
    if (results / "learning-curves.json").is_file():
        curve = read_learning_curve(results / "learning-curves.json")
        blocks["learning-curves"] = learning_table(curve)
    if (results / "band-current.json").is_file():
        rows = json.loads((results / "band-current.json").read_text(encoding="utf-8"))
        blocks["band-current"] = band_table(rows)
    return blocks


def learning_table(curve: LearningCurve) -> str:
    """Return one row for every model and budget, in Markdown."""
    names = {"rmse": "RMSE / e", **{f"rmse[{s}]": s for s in curve.species}}
    names |= {f"rmse[L={k}]": f"L={k}" for k in range(3)}
    names |= {f"current_error[{band}]": band for band in curve.bands}
    rows = []
    for model in curve.models:
        for budget in curve.budgets_of(model):
            points = curve.of(model, budget)
            cells = [_cell(curve, points, name) for name in names]
            rows.append((model, "–" if budget is None else budget, *cells))
    seeds = max((len(curve.of(p.model, p.labels)) for p in curve.points), default=1)
    several = f" Means over up to {seeds} seeds, with the least and largest." if seeds > 1 else ""
    networks = ""
    if curve.committee is not None:
        networks = (
            f" Committees have {curve.committee} network{'s' if curve.committee > 1 else ''}."
        )
    note = (
        f"{curve.task}, {curve.test_frames} test frames, {curve.validation_labels} validation "
        "labels at every budget. Errors in e, then by band the relative error of the current."
        f"{several}{networks}"
    )
    return f"{note}\n\n{markdown_table(['model', 'labels', *names.values()], rows)}"


def band_table(rows: list[dict[str, Any]]) -> str:
    """Return the error of the current in a band, true and estimated, in Markdown."""
    head = ["system, band", "model", "true", "from all labels", f"from {rows[0]['few']} labels"]
    body = [
        (
            f"{row['system']}, {row['band']}",
            row["model"],
            f"{row['true']:.3f}",
            f"{row['all_labels']:.3f}",
            f"{row['few_labels_low']:.3f}–{row['few_labels_high']:.3f}",
        )
        for row in rows
    ]
    return f"{markdown_table(head, body)}\n\n{_agreement(rows)}"


def _agreement(rows: list[dict[str, Any]]) -> str:
    parts = []
    for model in dict.fromkeys(row["model"] for row in rows):
        ratios = [row["all_labels"] / row["true"] for row in rows if row["model"] == model]
        parts.append(
            f"*{model}* {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
        )
    return f"Estimate from all labels over true error, median (range): {', '.join(parts)}."


def _cell(curve: LearningCurve, points: list[Any], name: str) -> str:
    metric = mean_metric(points, name)
    if metric is None:
        return "–"
    if len(points) > 1 and metric.low is not None and metric.high is not None:
        return f"{number(metric.value)} ({number(metric.low)}–{number(metric.high)})"
    return number(metric.value)
