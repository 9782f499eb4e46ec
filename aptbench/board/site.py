"""`build_site`: static pages from archived results, readable from the file system."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aptbench
from aptbench.board.readme import spectra_table
from aptbench.board.spectrum_chart import spectrum_chart
from aptbench.board.submission import FILE, read_submission
from aptbench.errors import AlignmentError, MissingExtraError
from aptbench.evaluate.archive import archived_results
from aptbench.evaluate.canvas import embedded_svg
from aptbench.evaluate.comparison import Comparison, Place, read_comparison
from aptbench.evaluate.cost_table import cost_columns, measured_with
from aptbench.evaluate.result import Metric, Result
from aptbench.evaluate.table import (
    TRIVIAL,
    Column,
    columns,
    interval,
    is_trivial,
    number,
    ranked,
    uncertainty_columns,
)

if TYPE_CHECKING:
    from jinja2 import Environment

_NAME = re.compile(r"[\w][\w.+-]*")
TEMPLATES = Path(__file__).parent / "templates"
STYLE = Path(aptbench.__file__).parent / "evaluate" / "templates" / "style.css"


def build_site(
    results: str | Path,
    out: str | Path,
    *,
    models: str | Path | None = None,
    datasets: str | Path | None = None,
    comparisons: str | Path | None = None,
    submissions: str | Path | None = None,
    spectra: str | Path | None = None,
) -> Path:
    """Build the pages of the leaderboard; the same inputs give the same bytes.

    Parameters
    ----------
    results : path
        Folder of archived results, ``DATASET/SPLIT/MODEL.json``.
    out : path
        Folder for ``index.html``, ``results.json`` with all numbers, and the cards under ``models``
        and ``data``.
    models, datasets : path, optional
        Folders in which ``NAME/card.md`` is looked for.
    comparisons : path, optional
        Folder of ``DATASET/SPLIT.json``, as `aptbench compare --write` makes them, for the groups.
    submissions : path, optional
        Folder in which ``NAME/submission.yaml`` is looked for.
    spectra : path, optional
        Folder of ``DATASET/spectrum.png`` and what else `aptbench spectrum` and `assign` make.

    Returns
    -------
    Path
        Of ``index.html``.

    Raises
    ------
    InputError
        If a result file is damaged.
    AlignmentError
        If results of one task were made with different data or splits.
    """
    out = Path(out)
    environment = _environment()
    archived = sorted(archived_results(results), key=lambda r: r.task)
    cards = _Cards(environment, out, models, datasets, submissions, archived)
    tasks = []
    for name, group in groupby(archived, key=lambda r: r.task):
        task = _task(name, list(group), cards, _comparison(comparisons, name))
        task["spectra"] = _spectra(spectra, task["data"].name, out) if task["current"] else None
        task["chart"] = _chart(spectra, task["data"].name) if task["current"] else None
        tasks.append(task)
    numbers = [result.model_dump(mode="json") for result in archived]
    data = json.dumps(numbers, indent=1) + "\n"
    _write(out / "results.json", data)
    page = environment.get_template("index.html.j2").render(
        title="aptbench leaderboard",
        tasks=tasks,
        trivial=TRIVIAL,
        snapshot=hashlib.sha256(data.encode()).hexdigest(),
    )
    return _write(out / "index.html", page)


def _comparison(folder: str | Path | None, task: str) -> Comparison | None:
    """Return the comparison of a task, if there is one of this version of it."""
    name = task.partition("@")[0]
    if folder is None or not (Path(folder) / f"{name}.json").is_file():
        return None
    found = read_comparison(Path(folder) / f"{name}.json")
    return found if found.task == task else None


def _chart(folder: str | Path | None, dataset: str) -> dict[str, Any] | None:
    """Return the spectra of a data set as JSON for the script, and its bands as a table."""
    from markupsafe import Markup

    table, said = (Path(folder or "") / dataset / f"spectrum.{end}" for end in ("csv", "json"))
    if folder is None or not table.is_file() or not said.is_file():
        return None
    summary = json.loads(said.read_text(encoding="utf-8"))
    chart = spectrum_chart(table, summary)
    # inside a script element nothing is escaped but its end
    text = json.dumps(chart, separators=(",", ":")).replace("<", "\\u003c")
    return {"json": Markup(text), "table": _html(spectra_table(summary))}


def _spectra(folder: str | Path | None, dataset: str, out: Path) -> list[dict[str, str]] | None:
    """Copy the pictures of a data set, and say what they show."""
    if folder is None:
        return None
    words = {
        "spectrum.png": "Infrared absorption of one trajectory by several models, against the "
        "reference with its 95 % band; the numbers are in the README of the project.",
        **{
            path.name: "Which molecular motion makes which band, by "
            f"{path.stem.removeprefix('modes-')}."
            for path in sorted((Path(folder) / dataset).glob("modes-*.png"))
        },
    }
    shown = []
    for name, caption in words.items():
        source = Path(folder) / dataset / name
        if source.is_file():
            target = out / "pictures" / f"{dataset}-{name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            shown.append({"file": f"pictures/{target.name}", "caption": caption})
    return shown or None


def _task(
    name: str, results: Sequence[Result], cards: _Cards, comparison: Comparison | None = None
) -> dict[str, Any]:
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
    shown = columns(results)
    places = {} if comparison is None else {one.model: one for one in comparison.places}
    rows = [
        {
            "name": result.model.name,
            "title": result.model.title if result.model.title != result.model.name else "",
            "trivial": is_trivial(result),
            "submitted": result.model.name in cards.submissions,
            "place": places.get(result.model.name),
            "gap": _gap(places.get(result.model.name)),
            "card": cards.page("models", result.model.name),
            "cells": _cells(result, results, shown),
        }
        for result in ranked(results)
    ]
    return {
        "name": name,
        "anchor": _anchor(name),
        "data": first.data,
        "card": cards.page("data", first.data.name),
        "test_frames": first.test_frames,
        "split_hash": first.split_hash,
        "columns": shown,
        "rows": rows,
        "grouped": bool(places) and all(result.model.name in places for result in results),
        "best": [one.model for one in comparison.groups[0]] if places and comparison else [],
        "noise_floor": comparison.noise_floor if comparison else None,
        "current": any(result.spectrum is not None for result in results),
        "systems": _systems(results, cards),
        "uncertainty": _uncertainty(results, cards),
        "cost": _cost(results, cards),
    }


def _cells(
    result: Result, results: Sequence[Result], shown: Sequence[Column]
) -> list[dict[str, Any] | None]:
    cells: list[dict[str, Any] | None] = []
    for column in shown:
        metric = result.metrics.get(column.metric)
        cells.append(
            None
            if metric is None
            else _cell(metric, len(results) > 1 and metric.value == column.best(results))
        )
    return cells


def _cell(metric: Metric, best: bool = False) -> dict[str, Any]:
    return {
        "raw": repr(metric.value),
        "value": number(metric.value),
        "interval": interval(metric),
        "best": best,
    }


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
        text += f"; not told apart from the best of its group (adjusted p = {leader.p:.2g})"
    return text


def _systems(results: Sequence[Result], cards: _Cards) -> dict[str, Any] | None:
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


def _uncertainty(results: Sequence[Result], cards: _Cards) -> dict[str, Any] | None:
    shown = uncertainty_columns(results)
    rows = [
        {
            "name": result.model.name,
            "card": cards.page("models", result.model.name),
            "cells": _cells(result, results, shown),
        }
        for result in ranked(results)
        if any(column.metric in result.metrics for column in shown)
    ]
    return {"columns": shown, "rows": rows} if shown else None


def _cost(results: Sequence[Result], cards: _Cards) -> dict[str, Any] | None:
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
        "picture": _picture(results),
    }


def _picture(results: Sequence[Result]) -> str | None:
    """Accuracy against speed; None without matplotlib or without speeds."""
    from aptbench.evaluate.figures import cost_figure

    if len(results) < 2:
        return None
    try:
        figure = cost_figure(ranked(results))
    except MissingExtraError:
        return None
    return None if figure is None else embedded_svg(figure)


def _anchor(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower())


class _Cards:
    """Pages of cards; each is written when it is first linked."""

    def __init__(
        self,
        environment: Environment,
        out: Path,
        models: str | Path | None,
        datasets: str | Path | None,
        submissions: str | Path | None,
        results: Sequence[Result],
    ) -> None:
        self.environment, self.out, self.results = environment, out, results
        paths = [] if submissions is None else sorted(Path(submissions).glob(f"*/{FILE}"))
        self.submissions = {path.parent.name: read_submission(path.parent) for path in paths}
        self.sources = {"models": models, "data": datasets}
        self.written: dict[tuple[str, str], str] = {}

    def page(self, kind: str, name: str) -> str | None:
        """Return the link to the page of a card, None if there is no card."""
        if (kind, name) in self.written:
            return self.written[kind, name]
        source = self.sources[kind]
        submission = self.submissions.get(name) if kind == "models" else None
        # a name from an archived file must not lead out of the folder
        if not _NAME.fullmatch(name) or (source is None and submission is None):
            return None
        path = Path(source or "") / name / "card.md"
        if submission is not None:
            content = _html(submission.description)
        elif source is not None and path.is_file():
            content = _html(path.read_text(encoding="utf-8"), path.parent, self.out / kind)
        else:
            return None
        text = self.environment.get_template("card.html.j2").render(
            title=f"{name}: aptbench",
            name=name,
            kind={"models": "Model card", "data": "Data card"}[kind],
            content=content,
            submission=submission,
            tasks=self._facts(name) if kind == "models" else [],
        )
        _write(self.out / kind / f"{name}.html", text)
        self.written[kind, name] = f"{kind}/{name}.html"
        return self.written[kind, name]

    def _facts(self, name: str) -> list[dict[str, Any]]:
        """What a model reached and cost on every task."""
        facts = []
        for result in (r for r in self.results if r.model.name == name):
            rows = []
            for column in (*columns([result]), *uncertainty_columns([result])):
                metric = result.metrics[column.metric]
                unit = f" {column.unit}" if column.unit else ""
                ends = f" [{interval(metric)}]" if interval(metric) else ""
                rows.append((column.heading, f"{number(metric.value)}{unit}{ends}"))
            for cost in cost_columns([result]):
                unit = f" {cost.unit}" if cost.unit else ""
                rows.append((cost.heading, f"{cost.text(result)}{unit}"))
            if measured_with(result):
                rows.append(("measured with", measured_with(result)))
            if result.training is not None and result.training.note:
                rows.append(("note", result.training.note))
            facts.append({"name": result.task, "anchor": _anchor(result.task), "rows": rows})
        return facts


def _html(markdown: str, source: Path | None = None, out: Path | None = None) -> Any:
    """Return Markdown as HTML; links of a file in ``source`` are those of a page in ``out``."""
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    # front matter is for machines, and HTML in a card is shown, not run
    text = re.sub(r"\A---\n.*?\n---\n", "", markdown, flags=re.DOTALL)
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    if source is not None and out is not None:
        usual = renderer.normalizeLink
        setattr(renderer, "normalizeLink", lambda url: usual(_moved(url, source, out)))  # noqa: B010
    # Cards mark their generated parts with comments; HTML of a card is shown, never run.
    return Markup(renderer.render(re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)))


def _moved(link: str, source: Path, out: Path) -> str:
    if re.match(r"[a-z]+:|#|/", link):
        return link
    return Path(os.path.relpath(source / link, out)).as_posix()


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    environment.globals["style"] = Markup(STYLE.read_text(encoding="utf-8"))
    environment.globals["chart_script"] = Markup((TEMPLATES / "chart.js").read_text("utf-8"))
    environment.globals["number"] = number
    environment.globals["version"] = aptbench.__version__
    return environment


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
    return path
