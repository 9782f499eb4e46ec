"""`write_report`: tables, figures and provenance of one run as a single HTML file."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import aptbench
from aptbench.atomic import write_atomically
from aptbench.errors import InputError
from aptbench.evaluate.canvas import model_colour, save_figure
from aptbench.evaluate.cost_table import cost_columns, measured_with
from aptbench.evaluate.evaluation import Evaluation
from aptbench.evaluate.figures import (
    cost_figure,
    error_figure,
    parity_figure,
    uncertainty_figure,
)
from aptbench.evaluate.result import Result, write_result
from aptbench.evaluate.scoring import atoms_in_a_row, labels_of_test
from aptbench.evaluate.spectral_files import write_assignment, write_study
from aptbench.evaluate.spectral_study import REFERENCE, SpectralStudy
from aptbench.evaluate.spectral_table import (
    integral_unit,
    percent,
    percent_interval,
    with_interval,
)
from aptbench.evaluate.table import (
    Column,
    columns,
    interval,
    is_trivial,
    number,
    uncertainty_columns,
)
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
    study: SpectralStudy | None = None,
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
    study : SpectralStudy, optional
        The spectra of the models.
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
    reference, numbers = atoms_in_a_row(labels)
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
        figure = parity_figure(_atoms(evaluation, "apt"), reference, numbers, name)
        save_figure(figure, folder / f"parity-{name}")
        parity.append({"name": name, "data": _embedded(folder / f"parity-{name}.png")})
    save_figure(errors, folder / "errors")
    page = {
        "task": task.identity,
        "style": (TEMPLATES / "style.css").read_text(encoding="utf-8"),
        "rows": _rows(results, shown),
        "columns": shown,
        "test_frames": task.n_test,
        "atoms": " or ".join(map(str, sorted({one.frames.n_atoms for one in labels.values()}))),
        "data": results[0].data,
        "errors": _embedded(folder / "errors.svg"),
        "spectrum": _spectrum(evaluations, folder, study),
        "assignment": _assignment(evaluations, folder, study),
        "no_spectrum": no_spectrum,
        "parity": parity,
        "uncertainty": _uncertainty(evaluations, reference, folder),
        "cost": _cost(results, folder),
        "conformance": _conformance(evaluations),
        "split_hash": task.split.hash,
        "rule": task.split.rule,
        "parts": ", ".join(
            f"{sum(one.n_labels for one in sets)} {name}" for name, sets in task.parts.items()
        ),
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
    write_atomically(path, environment.get_template("report.html.j2").render(page))
    return path


def _atoms(evaluation: Evaluation, name: str) -> npt.NDArray[np.float64]:
    """Return tensors of the test as if all atoms were in one frame, shape (1, atom, pol, disp)."""
    tensors = [getattr(one, name) for one in evaluation.predictions.values()]
    return np.concatenate([one.reshape(1, -1, 3, 3) for one in tensors], axis=1)


def _safe(text: Any) -> Any:
    from markupsafe import Markup

    return Markup(text)


def _rows(results: Sequence[Result], shown: Sequence[Column]) -> list[dict[str, Any]]:
    best = {column.metric: column.best(results) for column in shown}
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
        rows.append(
            {
                "name": result.model.name,
                "title": result.model.title if result.model.title != result.model.name else "",
                "colour": model_colour(index),
                "trivial": is_trivial(result.metrics.get("normalized_rmse")),
                "cells": cells,
            }
        )
    return rows


def _uncertainty(
    evaluations: Sequence[Evaluation], reference: Any, folder: Path
) -> dict[str, Any] | None:
    results = [evaluation.result for evaluation in evaluations]
    shown = uncertainty_columns(results)
    if not shown:
        return None
    errors = {
        e.result.model.name: (_atoms(e, "apt") - reference, _atoms(e, "std"))
        for e in evaluations
        if all(one.std is not None for one in e.predictions.values())
    }
    places = {result.model.name: index for index, result in enumerate(results)}
    save_figure(uncertainty_figure(errors, places), folder / "uncertainty")
    rows = [row for row in _rows(results, shown) if any(row["cells"])]
    return {"columns": shown, "rows": rows, "image": _embedded(folder / "uncertainty.png")}


def _cost(results: Sequence[Result], folder: Path) -> dict[str, Any] | None:
    shown = cost_columns(results)
    if not shown:
        return None
    figure = cost_figure(results)
    if figure is not None:
        save_figure(figure, folder / "cost")
    rows = [
        {
            "name": result.model.name,
            "colour": model_colour(index),
            "cells": [column.text(result) for column in shown],
        }
        for index, result in enumerate(results)
    ]
    return {
        "columns": shown,
        "rows": rows,
        "image": None if figure is None else _embedded(folder / "cost.svg"),
        "conditions": list(dict.fromkeys(filter(None, map(measured_with, results)))),
        "notes": [
            {"name": r.model.name, "status": r.training.status, "note": r.training.note}
            for r in results
            if r.training is not None
            and r.training.status not in ("matches the task", "not trained")
        ],
    }


def _spectrum(
    evaluations: Sequence[Evaluation], folder: Path, study: SpectralStudy | None
) -> dict[str, Any] | None:
    if study is None:
        return None
    summary = write_study(study, folder, zarr=False)
    places = summary["band_integrals_cm-2"]
    factor, unit = integral_unit(study.trajectory.isolated, study.trajectory.volume)
    scores = {(s.model, s.band, s.metric): s for s in study.scores}
    rows = []
    for index, evaluation in enumerate(evaluations):
        name = evaluation.result.model.name
        if name not in study.models:
            continue
        cells = []
        for place, row in places.items():
            error = scores.get((name, place, "band_integral_error"))
            cells.append(
                {
                    "integral": f"{factor * row['models'][name][0]:.3f}",
                    "error": error and percent(error.value),
                    "interval": error and percent_interval(error.low, error.high),
                }
            )
        current = scores.get((name, "all", "current_error"))
        rows.append(
            {
                "name": name,
                "colour": model_colour(index),
                "cells": cells,
                "current_error": "–"
                if current is None
                else with_interval(current.value, current.low, current.high),
            }
        )
    reference = [
        with_interval(*(factor * value for value in row[REFERENCE]))
        if REFERENCE in row and None not in row[REFERENCE]
        else "–"
        for row in places.values()
    ]
    return {
        "image": _embedded(folder / "spectrum.svg"),
        "frames": len(study.trajectory.frames),
        "step": f"{study.trajectory.time_step:g}",
        "temperature": f"{study.trajectory.temperature:.4g}",
        "protocol": study.trajectory.protocol.name,
        "kind": "dense" if study.dense else "debiased" if study.debiased else "none",
        "theory": summary["reference"],
        "held_out": summary["n_labels"],
        "left_out": summary["labels_left_out"],
        "best": study.best_debiased,
        "bands": [(name, *(f"{end:g}" for end in row["cm-1"])) for name, row in places.items()],
        "isolated": study.trajectory.isolated,
        "unit": _superscript(unit),
        "reference": reference,
        "rows": rows,
    }


def _assignment(
    evaluations: Sequence[Evaluation], folder: Path, study: SpectralStudy | None
) -> dict[str, Any] | None:
    found = {e.result.model.name: e.assignment for e in evaluations if e.assignment is not None}
    if study is None or not found:
        return None
    result = write_assignment(found, study.trajectory, folder, zarr=False)
    ranked = [e for e in evaluations if "rmse" in e.result.metrics and e.assignment is not None]
    best = min(ranked, key=lambda e: e.result.metrics["rmse"].value).result.model.name
    images = [
        (kind, name, folder / f"{kind}-{name}.png")
        for kind, names in (("modes", found), ("channels", [best]), ("distance", [best]))
        for name in names
    ]
    return {
        "missing": [name for name in study.models if name not in found],
        "images": [
            {"kind": kind, "name": name, "data": _embedded(path)}
            for kind, name, path in images
            if path.exists()
        ],
        "additivity": f"{max(m['additivity'] for m in result['models'].values()):.0e}",
    }


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


def _superscript(unit: str) -> str:
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    return re.sub(r"\^(-?\d+)", lambda power: power[1].translate(raised), unit)


def _embedded(path: Path) -> str:
    kind = {".svg": "image/svg+xml", ".png": "image/png"}[path.suffix]
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
