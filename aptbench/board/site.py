"""`build_site`: static pages from archived results, readable from the file system."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aptbench
from aptbench.errors import AlignmentError, MissingExtraError
from aptbench.evaluate.archive import archived_results
from aptbench.evaluate.canvas import embedded_svg
from aptbench.evaluate.cost_table import cost_columns, measured_with
from aptbench.evaluate.result import Result
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

TEMPLATES = Path(__file__).parent / "templates"
STYLE = Path(aptbench.__file__).parent / "evaluate" / "templates" / "style.css"


def build_site(
    results: str | Path,
    out: str | Path,
    *,
    models: str | Path | None = None,
    datasets: str | Path | None = None,
) -> Path:
    """Build the pages of the leaderboard.

    Parameters
    ----------
    results : path
        Folder of archived results, ``DATASET/SPLIT/MODEL.json``.
    out : path
        Folder for ``index.html``, and the cards under ``models`` and ``data``.
    models, datasets : path, optional
        Folders in which ``NAME/card.md`` is looked for.

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
    cards = _Cards(environment, out, models, datasets, archived)
    tasks = [
        _task(name, list(group), cards) for name, group in groupby(archived, key=lambda r: r.task)
    ]
    page = environment.get_template("index.html.j2").render(
        title="aptbench leaderboard", tasks=tasks, trivial=TRIVIAL
    )
    return _write(out / "index.html", page)


def _task(name: str, results: Sequence[Result], cards: _Cards) -> dict[str, Any]:
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
    rows = [
        {
            "name": result.model.name,
            "title": result.model.title if result.model.title != result.model.name else "",
            "trivial": is_trivial(result),
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
            else {
                "raw": repr(metric.value),
                "value": number(metric.value),
                "interval": interval(metric),
                "best": len(results) > 1 and metric.value == column.best(results),
            }
        )
    return cells


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
        results: Sequence[Result],
    ) -> None:
        self.environment, self.out, self.results = environment, out, results
        self.sources = {"models": models, "data": datasets}
        self.written: dict[tuple[str, str], str] = {}

    def page(self, kind: str, name: str) -> str | None:
        """Return the link to the page of a card, None if there is no card."""
        if (kind, name) in self.written:
            return self.written[kind, name]
        source = self.sources[kind]
        # a name from an archived file must not lead out of the folder
        if source is None or not re.fullmatch(r"[\w][\w.+-]*", name):
            return None
        path = Path(source) / name / "card.md"
        if not path.is_file():
            return None
        text = self.environment.get_template("card.html.j2").render(
            title=f"{name}: aptbench",
            name=name,
            kind={"models": "Model card", "data": "Data card"}[kind],
            content=_html(path.read_text(encoding="utf-8")),
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


def _html(markdown: str) -> Any:
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    # front matter is for machines, and HTML in a card is shown, not run
    text = re.sub(r"\A---\n.*?\n---\n", "", markdown, flags=re.DOTALL)
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    # Cards mark their generated parts with comments; HTML of a card is shown, never run.
    return Markup(renderer.render(re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)))


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    environment.globals["style"] = Markup(STYLE.read_text(encoding="utf-8"))
    environment.globals["number"] = number
    environment.globals["version"] = aptbench.__version__
    return environment


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
    return path
