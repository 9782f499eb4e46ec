"""`write_report`: tables, figures and provenance of one run as a single HTML file."""

from __future__ import annotations

import base64
import csv
import io
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import aptbench
from aptbench.errors import InputError
from aptbench.evaluate.evaluation import Evaluation
from aptbench.evaluate.figures import (
    Curve,
    error_figure,
    model_colour,
    parity_figure,
    save_figure,
    spectrum_figure,
)
from aptbench.evaluate.result import write_result
from aptbench.evaluate.scoring import labels_of_test
from aptbench.evaluate.table import Column, columns, interval, is_trivial, number
from aptbench.evaluate.trajectory import DenseTrajectory
from aptbench.tasks import Task

if TYPE_CHECKING:
    from aptbench.data import Dataset

TEMPLATES = Path(__file__).parent / "templates"


def write_report(
    task: Task,
    dataset: Dataset,
    evaluations: Sequence[Evaluation],
    folder: str | Path,
    *,
    trajectory: DenseTrajectory | None = None,
    no_spectrum: str = "none was asked for.",
) -> Path:
    """Write ``report.html`` and, beside it, figures (PNG, SVG), spectra (CSV) and results (JSON).

    The HTML file holds its figures and can be sent alone.

    Parameters
    ----------
    task : Task
    dataset : Dataset
    evaluations : sequence of Evaluation
        In the order of the tables; each model keeps one colour in all figures.
    folder : path
    trajectory : DenseTrajectory, optional
        What the spectra were made from.
    no_spectrum : str
        Why there is no spectrum, if there is none.

    Returns
    -------
    Path
        Of the HTML file.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    if not evaluations:
        raise InputError("A report needs the evaluation of a model.", got="none")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    labels = labels_of_test(task, dataset)
    results = [evaluation.result for evaluation in evaluations]
    shown = columns(results)
    for result in results:
        write_result(result, folder / f"{result.model.name}.json")
    errors = error_figure(
        {result.model.name: result.metrics for result in results},
        [
            (c.metric, c.heading.removeprefix("RMSE").strip() or "all")
            for c in shown
            if c.metric.startswith("rmse")
        ],
    )
    parity = []
    for evaluation in evaluations:
        name = evaluation.result.model.name
        figure = parity_figure(
            evaluation.predictions.apt, labels.apt, labels.frames.atomic_numbers, name
        )
        save_figure(figure, folder / f"parity-{name}")
        parity.append({"name": name, "data": _embedded(folder / f"parity-{name}.png")})
    save_figure(errors, folder / "errors")
    page = {
        "task": task.identity,
        "style": (TEMPLATES / "style.css").read_text(encoding="utf-8"),
        "rows": _rows(results, shown),
        "columns": shown,
        "test_frames": len(labels),
        "atoms": labels.frames.n_atoms,
        "labels": len(dataset.label_frames(task.system)),
        "data": results[0].data,
        "errors": _embedded(folder / "errors.svg"),
        "spectrum": _spectrum(evaluations, folder, trajectory),
        "no_spectrum": no_spectrum,
        "parity": parity,
        "conformance": _conformance(evaluations),
        "split_hash": task.split.hash,
        "rule": task.split.rule,
        "parts": ", ".join(f"{len(part)} {name}" for name, part in task.split.parts.items()),
        "versions": ", ".join(f"{k} {v}" for k, v in results[0].versions.items()),
        "command": _command(task, results),
        "version": aptbench.__version__,
    }
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    # our own style sheet: quotes in it must stay quotes
    page["style"] = _safe(page["style"])
    path = folder / "report.html"
    _write_text(path, environment.get_template("report.html.j2").render(page))
    return path


def _safe(text: Any) -> Any:
    from markupsafe import Markup

    return Markup(text)


def _rows(results: Sequence[Any], shown: Sequence[Column]) -> list[dict[str, Any]]:
    best = {
        column.metric: min(
            r.metrics[column.metric].value for r in results if column.metric in r.metrics
        )
        for column in shown
    }
    rows = []
    for index, result in enumerate(results):
        cells = []
        for column in shown:
            metric = result.metrics.get(column.metric)
            cells.append(
                metric
                and {
                    "value": number(metric.value),
                    "interval": interval(metric),
                    "best": len(results) > 1 and metric.value == best[column.metric],
                }
            )
        timing = result.timing
        rows.append(
            {
                "name": result.model.name,
                "title": result.model.title if result.model.title != result.model.name else "",
                "colour": model_colour(index),
                "trivial": is_trivial(result),
                "cells": cells,
                "time": f"{1000 * timing.seconds_per_frame:.3g}" if timing else "–",
            }
        )
    return rows


def _spectrum(
    evaluations: Sequence[Evaluation], folder: Path, trajectory: DenseTrajectory | None
) -> dict[str, Any] | None:
    have = [
        (index, evaluation)
        for index, evaluation in enumerate(evaluations)
        if evaluation.spectrum is not None
    ]
    if trajectory is None or not have:
        return None
    curves = {
        e.result.model.name: Curve(
            np.asarray(e.spectrum.wavenumber), np.asarray(e.spectrum.absorption), model_colour(i)
        )
        for i, e in have
        if e.spectrum is not None
    }
    save_figure(spectrum_figure(curves, trajectory.bands), folder / "spectrum")
    _write_text(folder / "spectrum.csv", _csv(curves))
    rows = []
    for index, evaluation in have:
        summary = evaluation.result.spectrum
        error = evaluation.result.metrics.get("current_error")
        rows.append(
            {
                "name": evaluation.result.model.name,
                "colour": model_colour(index),
                "integrals": [
                    f"{round(band.integral / 1e6, 3) + 0.0:.3f}"
                    for band in (summary.bands if summary else {}).values()
                ],
                "current_error": number(error.value) if error else "–",
            }
        )
    summary = have[0][1].result.spectrum
    assert summary is not None
    return {
        "image": _embedded(folder / "spectrum.svg"),
        "frames": summary.frames,
        "step": f"{summary.time_step_fs:g}",
        "temperature": f"{summary.temperature_kelvin:.4g}",
        "protocol": summary.protocol,
        "bands": [(n, f"{b.low:g}", f"{b.high:g}") for n, b in summary.bands.items()],
        "rows": rows,
    }


def _csv(curves: dict[str, Curve]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["wavenumber_cm-1", *(f"{name} n*alpha_cm-1" for name in curves)])
    first = next(iter(curves.values()))
    writer.writerows(
        [f"{value:.6g}" for value in row]
        for row in zip(
            first.wavenumber, *(curve.absorption for curve in curves.values()), strict=True
        )
    )
    return stream.getvalue()


def _conformance(evaluations: Sequence[Evaluation]) -> dict[str, Any] | None:
    tested = [e.result for e in evaluations if e.result.conformance]
    if not tested:
        return None
    names = list(dict.fromkeys(name for result in tested for name in result.conformance))
    rows = []
    for name in names:
        cells = []
        for result in tested:
            check = result.conformance.get(name)
            if check is None:
                cells.append("–")
            elif check.value is None:
                cells.append(f"failed: {check.note}")
            else:
                cells.append(number(check.value) + ("" if check.passed else " ✗"))
        rows.append({"name": name.replace("_", " "), "cells": cells})
    return {"models": [result.model.name for result in tested], "rows": rows}


def _command(task: Task, results: Sequence[Any]) -> str:
    words = ["aptbench", "run", task.name]
    for result in results:
        words += ["--model", result.model.name]
    return shlex.join(words)


def _embedded(path: Path) -> str:
    kind = {".svg": "image/svg+xml", ".png": "image/png"}[path.suffix]
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
