"""`Cards`: the pages of models and data sets, written when they are first linked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aptbench.atomic import write_atomically
from aptbench.board.links import Links, only_outside
from aptbench.board.pages import anchor, as_html
from aptbench.board.submission import FILE, read_submission
from aptbench.evaluate.cost_table import cost_columns, measured_with
from aptbench.evaluate.result import Result
from aptbench.evaluate.table import (
    Column,
    assignment_columns,
    columns,
    interval,
    number,
    spectrum_columns,
    uncertainty_columns,
)

if TYPE_CHECKING:
    from jinja2 import Environment

_NAME = re.compile(r"[\w][\w.+-]*")


class Cards:
    """Pages of cards; each is written when it is first linked."""

    def __init__(
        self,
        environment: Environment,
        links: Links,
        models: str | Path | None,
        datasets: str | Path | None,
        submissions: str | Path | None,
        results: Sequence[Result],
    ) -> None:
        self.environment, self.links, self.results = environment, links, results
        paths = [] if submissions is None else sorted(Path(submissions).glob(f"*/{FILE}"))
        self.submissions = {path.parent.name: read_submission(path.parent) for path in paths}
        self.sources = {"models": models, "data": datasets}
        self.written: dict[tuple[str, str], str] = {}
        links.lead_to(self._page_of)

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
        if submission is None and not path.is_file():
            return None
        # before its links are followed, which may lead back to it
        self.written[kind, name] = f"{kind}/{name}.html"
        out = self.links.out / self.written[kind, name]
        content = (
            as_html(submission.description, only_outside)
            if submission is not None
            else as_html(path.read_text(encoding="utf-8"), self.links.of(path, out.parent))
        )
        text = self.environment.get_template("card.html.j2").render(
            title=f"{name}: aptbench",
            name=name,
            kind={"models": "Model card", "data": "Data card"}[kind],
            content=content,
            submission=submission,
            tasks=self._facts(name) if kind == "models" else [],
        )
        write_atomically(out, text)
        return self.written[kind, name]

    def _page_of(self, path: Path) -> str | None:
        """Return the address of the page of the file of a card."""
        for kind, folder in self.sources.items():
            if (
                folder is not None
                and path == (Path(folder) / path.parent.name / "card.md").resolve()
            ):
                return self.page(kind, path.parent.name)
        return None

    def _facts(self, name: str) -> list[dict[str, Any]]:
        """What a model reached and cost on every task."""
        facts = []
        for result in (r for r in self.results if r.model.name == name):
            rows = []
            for column in _columns(result):
                metric = column.of(result)
                assert metric is not None  # a column of this result
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
            facts.append({"name": result.task, "anchor": anchor(result.task), "rows": rows})
        return facts


def _columns(result: Result) -> list[Column]:
    return [
        *columns([result]),
        *(
            replace(one, heading=f"assignment, {one.heading}")
            for one in assignment_columns([result])
        ),
        *(
            replace(one, heading=f"spectrum, {one.heading}")
            for one in spectrum_columns([result])
            if one.spectral
        ),
        *uncertainty_columns([result]),
    ]
