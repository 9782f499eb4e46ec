"""`environment` and `write_page`: templates of the leaderboard, and Markdown as HTML."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aptbench
from aptbench.atomic import write_atomically
from aptbench.evaluate.cost_table import compact
from aptbench.evaluate.table import number

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
STYLE = Path(aptbench.__file__).parent / "evaluate" / "templates" / "style.css"


def environment() -> Environment:
    """Return the templates, with what all pages share."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    made.globals["style"] = Markup(STYLE.read_text(encoding="utf-8"))
    made.globals["chart_script"] = Markup((TEMPLATES / "chart.js").read_text("utf-8"))
    made.globals["number"] = number
    made.globals["compact"] = compact
    made.globals["version"] = aptbench.__version__
    return made


def write_page(
    templates: Environment, path: Path, title: str, *, name: str, kind: str, content: Any
) -> Path:
    """Write a page of prose that is no card of a model or of data, and return its path."""
    page = templates.get_template("card.html.j2").render(
        title=f"{title}: aptbench leaderboard",
        name=name,
        kind=kind,
        content=content,
        submission=None,
        tasks=[],
    )
    return write_atomically(path, page)


def anchor(name: str) -> str:
    """Return a name as it can be in a file name or after a # of an address."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())


def as_html(markdown: str, source: Path | None = None, out: Path | None = None) -> Any:
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
