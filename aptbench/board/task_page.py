"""`task_page`: everything that the page of one task shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aptbench.board.cards import Cards
from aptbench.board.cost_chart import cost_chart
from aptbench.board.learning import learning_table
from aptbench.board.pages import anchor, as_html
from aptbench.board.pictures import Pictures
from aptbench.board.score_rows import cell, gap_in_words, score_rows, score_table
from aptbench.board.spectrum_section import spectrum_section
from aptbench.board.temperatures import Temperatures
from aptbench.errors import AlignmentError, AptbenchError, MissingExtraError
from aptbench.evaluate.canvas import save_figure
from aptbench.evaluate.comparison import Comparison, comparison_of
from aptbench.evaluate.cost_table import cost_columns, measured_with
from aptbench.evaluate.learning_curve import read_learning_curve
from aptbench.evaluate.result import Result
from aptbench.evaluate.table import (
    Column,
    assignment_columns,
    columns,
    is_trivial,
    number,
    ranked,
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
    name: str,
    results: Sequence[Result],
    sources: Sources,
    cards: Cards,
    out: Path,
    temperatures: Temperatures,
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
    temperatures : Temperatures

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
    rows = score_rows(results, columns(results), cards)
    for row, result in zip(rows, ranked(results), strict=True):
        place = places.get(result.model.name)
        row |= {
            "title": result.model.title if result.model.title != result.model.name else "",
            "trivial": is_trivial(result.metrics.get("normalized_rmse")),
            "submitted": result.model.name in cards.submissions,
            "place": place,
            "gap": gap_in_words(place),
        }
    pictures = Pictures(out, anchor(name))
    return {
        "name": name,
        "anchor": anchor(name),
        "data": first.data,
        "card": cards.page("data", first.data.name),
        "test_frames": first.test_frames,
        **_trained_and_tested(name, results, temperatures),
        "split_hash": first.split_hash,
        "columns": columns(results),
        "rows": rows,
        "grouped": grouped,
        "best": _first_group(results, comparison) if grouped and comparison else [],
        "noise_floor": comparison.noise_floor if comparison else None,
        "noise": [] if comparison is None else _noise(comparison, columns(results)),
        "systems": _systems(results, cards),
        "assignment": score_table(results, assignment_columns(results), cards),
        **spectrum_section(
            sources.spectra,
            name,
            results,
            comparison_of(sources.comparisons, name, "spectrum"),
            cards,
            pictures,
        ),
        "parity": _parity(sources.results, name, results, pictures),
        "learning": _learning(sources.learning, name, pictures),
        "uncertainty": score_table(results, uncertainty_columns(results), cards),
        "cost": _cost(results, cards),
    }


def _noise(comparison: Comparison, shown: Sequence[Column]) -> list[str]:
    """Return the noise of the labels under every column that it belongs to."""
    by_element = {f"rmse[{element}]": value for element, value in comparison.noise.items()}
    known = {"rmse": comparison.noise_floor, **by_element}
    values = (known.get(column.metric) for column in shown)
    return ["" if value is None else number(value) for value in values]


def _trained_and_tested(
    name: str, results: Sequence[Result], temperatures: Temperatures
) -> dict[str, str]:
    """Say what a task trains on, and the temperatures; little without its definition and data."""
    from aptbench.tasks import load_task

    measured = [r.spectrum.temperature_kelvin for r in results if r.spectrum is not None]
    tested = f"{measured[0]:.0f} K" if measured else ""
    try:
        task = load_task(name)
    except AptbenchError:
        return {"training": "", "tested_at": tested, "trained_at": ""}
    train, validation = (
        " and ".join(f"{one.n_labels} of {one.dataset}" for one in task.parts[part])
        for part in ("train", "validation")
    )
    more = f", for validation {validation}" if validation else ""
    return {
        "training": f"Labels for training: {train}{more}.",
        "tested_at": tested or temperatures.of(task, "test"),
        "trained_at": temperatures.of(task, "train"),
    }


def _parity(
    folder: Path, name: str, results: Sequence[Result], pictures: Pictures
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


def _learning(folder: Path | None, name: str, pictures: Pictures) -> dict[str, Any] | None:
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


def _first_group(results: Sequence[Result], comparison: Comparison) -> list[str]:
    names = {result.model.name for result in results}
    return [one.model for one in comparison.groups[0] if one.model in names]


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
                cell(metric) if (metric := result.systems[name].metrics.get("rmse")) else None
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
        "shown": [columns(results)[0], *shown],
        "rows": rows,
        "conditions": list(dict.fromkeys(filter(None, map(measured_with, results)))),
        "chart": cost_chart(ranked(results), cards),
    }
