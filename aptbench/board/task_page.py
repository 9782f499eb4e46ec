"""`task_page`: everything that the page of one task shows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aptbench.board.cards import Cards
from aptbench.board.cost_chart import cost_chart
from aptbench.board.learning import learning_table
from aptbench.board.pages import anchor, as_html
from aptbench.board.result_tables import spectra_table
from aptbench.board.spectrum_chart import spectrum_chart
from aptbench.errors import AlignmentError, AptbenchError, MissingExtraError
from aptbench.evaluate.canvas import save_figure
from aptbench.evaluate.comparison import Comparison, Place, comparison_of
from aptbench.evaluate.cost_table import cost_columns, measured_with
from aptbench.evaluate.learning_curve import read_learning_curve
from aptbench.evaluate.result import Metric, Result
from aptbench.evaluate.table import (
    Column,
    assignment_columns,
    columns,
    interval,
    is_trivial,
    number,
    ranked,
    spectrum_columns,
    uncertainty_columns,
)


@dataclass(frozen=True)
class Sources:
    """Folders that the pages are made of; each may be None or lack what is looked for.

    Parameters
    ----------
    results : Path
        Archived results and predictions, ``DATASET/SPLIT/MODEL.json`` and ``.npz``.
    comparisons : Path or None
        ``DATASET/SPLIT.json``, as `aptbench compare --write` makes them.
    spectra : Path or None
        ``DATASET/SPLIT/spectrum.png`` and what else `aptbench spectrum` and `assign` make.
    learning : Path or None
        ``DATASET/SPLIT/learning-curves.json`` and ``.png``, as `aptbench learn` makes them.
    """

    results: Path
    comparisons: Path | None = None
    spectra: Path | None = None
    learning: Path | None = None


def task_page(
    name: str, results: Sequence[Result], sources: Sources, cards: Cards, out: Path
) -> dict[str, Any]:
    """Return what the template of a task shows; pictures are written to ``out/pictures``.

    Parameters
    ----------
    name : str
        Of the task, with its version.
    results : sequence of Result
        All archived results of it.
    sources : Sources
    cards : Cards
    out : Path
        Folder of the site.

    Raises
    ------
    AlignmentError
        If the results were made with different data or splits.
    """
    first = results[0]
    for result in results:
        if (result.data, result.split_hash) != (first.data, first.split_hash):
            raise AlignmentError(
                f"Archived results of the task {name} were made with different data or splits.",
                got=f"{result.model.name}: data {result.data.content_hash}, "
                f"split {result.split_hash}",
                expected=f"{first.model.name}: data {first.data.content_hash}, "
                f"split {first.split_hash}",
                do="run the models again on the same data, or remove the old results",
            )
    comparison = comparison_of(sources.comparisons, name)
    places = {} if comparison is None else {one.model: one for one in comparison.places}
    # a comparison that is older than a row, or of other rows, names no best model
    grouped = bool(places) and {result.model.name for result in results} <= set(places)
    rows = _rows(results, columns(results), cards)
    for row, result in zip(rows, ranked(results), strict=True):
        place = places.get(result.model.name)
        row |= {
            "title": result.model.title if result.model.title != result.model.name else "",
            "trivial": is_trivial(result.metrics.get("normalized_rmse")),
            "submitted": result.model.name in cards.submissions,
            "place": place,
            "gap": _gap(place),
        }
    pictures = _Pictures(out, anchor(name))
    return {
        "name": name,
        "anchor": anchor(name),
        "data": first.data,
        "card": cards.page("data", first.data.name),
        "test_frames": first.test_frames,
        "training": _training(name),
        "split_hash": first.split_hash,
        "columns": columns(results),
        "rows": rows,
        "grouped": grouped,
        "best": _first_group(results, comparison) if grouped and comparison else [],
        "noise_floor": comparison.noise_floor if comparison else None,
        "noise": [] if comparison is None else _noise(comparison, columns(results)),
        "systems": _systems(results, cards),
        "assignment": _table(results, assignment_columns(results), cards),
        "spectrum": _spectrum(results, cards, comparison_of(sources.comparisons, name, "spectrum")),
        "chart": _chart(sources.spectra, name),
        "spectra": _spectra(sources.spectra, name, pictures),
        "parity": _parity(sources.results, name, results, pictures),
        "learning": _learning(sources.learning, name, pictures),
        "uncertainty": _table(results, uncertainty_columns(results), cards),
        "cost": _cost(results, cards),
    }


class _Pictures:
    """Pictures of one task, in the folder that all pages share."""

    def __init__(self, out: Path, task: str) -> None:
        self.folder, self.task = out / "pictures", task

    def copy(self, source: Path, caption: str) -> dict[str, str]:
        """Copy a picture, and say what it shows."""
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"{self.task}-{source.name}"
        shutil.copyfile(source, target)
        return self.shown(target, caption)

    def shown(self, target: Path, caption: str) -> dict[str, str]:
        """Return address and caption of a picture that is there."""
        return {"file": f"../pictures/{target.name}", "caption": caption}


def _rows(results: Sequence[Result], shown: Sequence[Column], cards: Cards) -> list[dict[str, Any]]:
    """Return a row for every result, the best first."""
    return [
        {
            "name": result.model.name,
            "card": cards.page("models", result.model.name),
            "cells": _cells(result, results, shown),
        }
        for result in ranked(results)
    ]


def _table(
    results: Sequence[Result], shown: Sequence[Column], cards: Cards
) -> dict[str, Any] | None:
    """Return columns and rows of a table, without rows that have nothing in it."""
    rows = [row for row in _rows(results, shown, cards) if any(row["cells"])]
    return {"columns": shown, "rows": rows} if rows else None


def _spectrum(
    results: Sequence[Result], cards: Cards, comparison: Comparison | None
) -> dict[str, Any] | None:
    """Errors of the spectrum, the best first: as compared, else by the error of the current."""
    shown = spectrum_columns(results)
    table = _table(results, shown, cards)
    if table is None:
        return None
    summary = next(r.spectrum for r in results if r.spectrum is not None and r.spectrum.metrics)
    places = {} if comparison is None else {one.model: one for one in comparison.places}
    grouped = all(row["name"] in places for row in table["rows"])
    for row in table["rows"]:
        row |= {"place": places.get(row["name"]), "gap": _gap(places.get(row["name"]))}
    order = {name: number for number, name in enumerate(places)} if grouped else {}
    table["rows"].sort(
        key=lambda row: order.get(
            row["name"], float(row["cells"][0]["raw"]) if row["cells"][0] else 1e9
        )
    )
    ends = summary.bands
    bands = ", ".join(f"{band} {one.low:g} to {one.high:g} cm⁻¹" for band, one in ends.items())
    return table | {
        "summary": summary,
        "dense": any(column.metric.startswith("relative_l1") for column in shown),
        "absent": [r.model.name for r in results if r.spectrum is None],
        "bands": bands,
        "comparison": comparison if grouped else None,
    }


def _noise(comparison: Comparison, shown: Sequence[Column]) -> list[str]:
    """Return the noise of the labels under every column that it belongs to."""
    by_element = {f"rmse[{element}]": value for element, value in comparison.noise.items()}
    known = {"rmse": comparison.noise_floor, **by_element}
    values = (known.get(column.metric) for column in shown)
    return ["" if value is None else number(value) for value in values]


def _training(name: str) -> str:
    """Say what a task trains on; nothing without its definition."""
    from aptbench.tasks import load_task

    try:
        task = load_task(name)
    except AptbenchError:
        return ""
    train, validation = (
        " and ".join(f"{one.n_labels} of {one.dataset}" for one in task.parts[part])
        for part in ("train", "validation")
    )
    more = f", for validation {validation}" if validation else ""
    return f"Labels for training: {train}{more}."


def _parity(
    folder: Path, name: str, results: Sequence[Result], pictures: _Pictures
) -> list[dict[str, str]]:
    """Draw predicted against reference components by irrep; nothing without data of the task."""
    from aptbench.data import open_dataset
    from aptbench.evaluate.figures import parity_figure
    from aptbench.evaluate.predictions import read_task_predictions
    from aptbench.evaluate.scoring import atoms_in_a_row, labels_of_test
    from aptbench.tasks import load_task

    try:
        task = load_task(name)
        labels = labels_of_test(task, open_dataset(task.dataset))
    except AptbenchError:
        return []
    reference, numbers = atoms_in_a_row(labels)
    shown = []
    for result in ranked(results):
        model = result.model.name
        path = folder / task.name / f"{model}.npz"
        if not path.is_file():
            continue
        found = read_task_predictions(path, task.systems)
        tensors = [found[system].apt.reshape(1, -1, 3, 3) for system in labels]
        try:
            figure = parity_figure(np.concatenate(tensors, axis=1), reference, numbers, model)
        except MissingExtraError:
            return []
        pictures.folder.mkdir(parents=True, exist_ok=True)
        stem = pictures.folder / f"{pictures.task}-parity-{model}"
        save_figure(figure, stem, dpi=110, vector=False)
        words = f"{model}: predicted against reference components, by irrep and species."
        shown.append(pictures.shown(stem.with_name(f"{stem.name}.png"), words))
    return shown


def _learning(folder: Path | None, name: str, pictures: _Pictures) -> dict[str, Any] | None:
    """Copy the learning curves of this version of a task, with their table."""
    if folder is None:
        return None
    place = folder / name.partition("@")[0]
    picture, numbers = place / "learning-curves.png", place / "learning-curves.json"
    if not picture.is_file() or not numbers.is_file():
        return None
    curve = read_learning_curve(numbers)
    if curve.task != name:
        return None
    words = "Errors of every model against the number of training labels, both logarithmic."
    return {"picture": pictures.copy(picture, words), "table": as_html(learning_table(curve))}


def _chart(folder: Path | None, name: str) -> dict[str, Any] | None:
    """Return the spectra of a task as JSON for the script, and its bands as a table."""
    from markupsafe import Markup

    if folder is None:
        return None
    place = folder / name.partition("@")[0]
    table, said = place / "spectrum.csv", place / "spectrum.json"
    if not table.is_file() or not said.is_file():
        return None
    summary = json.loads(said.read_text(encoding="utf-8"))
    # inside a script element nothing is escaped but its end
    text = json.dumps(spectrum_chart(table, summary), separators=(",", ":"))
    return {"json": Markup(text.replace("<", "\\u003c")), "table": as_html(spectra_table(summary))}


def _spectra(folder: Path | None, name: str, pictures: _Pictures) -> list[dict[str, str]]:
    """Copy the pictures of spectra of a task, and say what they show."""
    if folder is None:
        return []
    place = folder / name.partition("@")[0]
    words = {
        "spectrum.png": "Infrared absorption of one trajectory by several models, against the "
        "reference with its 95 % band.",
        **{
            path.name: "Which molecular motion makes which band, by "
            f"{path.stem.removeprefix('modes-')}."
            for path in sorted(place.glob("modes-*.png"))
        },
    }
    return [
        pictures.copy(place / file, caption)
        for file, caption in words.items()
        if (place / file).is_file()
    ]


def _cells(
    result: Result, results: Sequence[Result], shown: Sequence[Column]
) -> list[dict[str, Any] | None]:
    cells: list[dict[str, Any] | None] = []
    for column in shown:
        metric = column.of(result)
        cells.append(
            None
            if metric is None
            else _cell(metric, len(results) > 1 and column.is_best(metric, results))
            | {"raw": repr(column.distance(metric.value))}  # what the table is sorted by
        )
    return cells


def _cell(metric: Metric, best: bool = False) -> dict[str, Any]:
    return {
        "raw": repr(metric.value),
        "value": number(metric.value),
        "interval": interval(metric),
        "best": best,
    }


def _first_group(results: Sequence[Result], comparison: Comparison) -> list[str]:
    names = {result.model.name for result in results}
    return [one.model for one in comparison.groups[0] if one.model in names]


def _gap(place: Place | None) -> str:
    """Say how far a model is behind, for a tooltip."""
    if place is None or place.to_best is None:
        return ""
    gap = place.to_best
    text = f"{number(gap.value)} above the best"
    if gap.low is not None and gap.high is not None:
        text += f", 95 % interval {number(gap.low)} to {number(gap.high)}"
    leader = place.to_leader
    if leader is not None and leader.p is not None:
        text += f"; the best of its group is not significantly better (p = {leader.p:.2g})"
    return text


def _systems(results: Sequence[Result], cards: Cards) -> dict[str, Any] | None:
    """Errors in each system, of a task with several."""
    names = list(dict.fromkeys(name for result in results for name in result.systems))
    if not names:
        return None
    rows = [
        {
            "name": result.model.name,
            "card": cards.page("models", result.model.name),
            "cells": [
                _cell(metric) if (metric := result.systems[name].metrics.get("rmse")) else None
                for name in names
            ],
        }
        for result in ranked(results)
        if set(names) <= set(result.systems)
    ]
    return {"names": names, "rows": rows}


def _cost(results: Sequence[Result], cards: Cards) -> dict[str, Any] | None:
    shown = cost_columns(results)
    if not shown:
        return None
    rows = [
        {
            "name": result.model.name,
            "card": cards.page("models", result.model.name),
            "rmse": result.metrics.get("rmse"),
            "cells": [
                {"raw": repr(value), "value": column.text(result)}
                if (value := column.value(result)) is not None
                else None
                for column in shown
            ],
        }
        for result in ranked(results)
    ]
    return {
        "columns": shown,
        "rows": rows,
        "conditions": list(dict.fromkeys(filter(None, map(measured_with, results)))),
        "chart": cost_chart(ranked(results), cards),
    }
