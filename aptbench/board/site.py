"""`build_site`: static pages from archived results, readable from the file system."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aptbench
from aptbench.errors import AlignmentError
from aptbench.evaluate.archive import archived_results
from aptbench.evaluate.result import Result
from aptbench.evaluate.table import TRIVIAL, columns, interval, is_trivial, number, ranked

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
    tasks = [
        _task(name, list(group), _Cards(environment, out, models, datasets))
        for name, group in groupby(
            sorted(archived_results(results), key=lambda r: r.task), key=lambda r: r.task
        )
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
    best = {
        column.metric: min(
            r.metrics[column.metric].value for r in results if column.metric in r.metrics
        )
        for column in shown
    }
    rows = []
    for result in ranked(results):
        metrics = [result.metrics.get(column.metric) for column in shown]
        timing = result.timing
        rows.append(
            {
                "name": result.model.name,
                "title": result.model.title if result.model.title != result.model.name else "",
                "trivial": is_trivial(result),
                "card": cards.page("models", result.model.name),
                "cells": [
                    metric
                    and {
                        "raw": repr(metric.value),
                        "value": number(metric.value),
                        "interval": interval(metric),
                        "best": len(results) > 1 and metric.value == best[column.metric],
                    }
                    for column, metric in zip(shown, metrics, strict=True)
                ],
                "seconds": timing.seconds_per_frame if timing else None,
                "time": f"{1000 * timing.seconds_per_frame:.3g}" if timing else "–",
            }
        )
    return {
        "name": name,
        "anchor": re.sub(r"[^a-z0-9]+", "-", name.lower()),
        "data": first.data,
        "card": cards.page("data", first.data.name),
        "test_frames": first.test_frames,
        "split_hash": first.split_hash,
        "columns": shown,
        "rows": rows,
    }


class _Cards:
    """Pages of cards; each is written when it is first linked."""

    def __init__(
        self,
        environment: Environment,
        out: Path,
        models: str | Path | None,
        datasets: str | Path | None,
    ) -> None:
        self.environment, self.out = environment, out
        self.sources = {"models": models, "data": datasets}

    def page(self, kind: str, name: str) -> str | None:
        """Return the link to the page of a card, None if there is no card."""
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
        )
        _write(self.out / kind / f"{name}.html", text)
        return f"{kind}/{name}.html"


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
    environment.globals["version"] = aptbench.__version__
    return environment


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
    return path
