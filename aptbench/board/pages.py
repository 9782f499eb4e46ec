"""`environment` and `write_page`: templates of the leaderboard, and Markdown as HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aptbench
from aptbench.atomic import write_atomically
from aptbench.evaluate.cost_table import compact
from aptbench.evaluate.table import number

if TYPE_CHECKING:
    from jinja2 import Environment
    from markdown_it.token import Token

TEMPLATES = Path(__file__).parent / "templates"
STYLE = Path(aptbench.__file__).parent / "evaluate" / "templates" / "style.css"
GENERATOR = '<meta name="generator" content="aptbench'
"""What every page has in its head."""


def environment() -> Environment:
    """Return the templates, with what all pages share."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
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


def as_html(markdown: str, moved: Callable[[str], str | None] | None = None) -> Any:
    """Return Markdown as HTML; HTML in it is shown, not run.

    Parameters
    ----------
    markdown : str
        Front matter, which is for machines, and comments, which mark generated parts, are left out.
    moved : callable, optional
        From a link to where it leads from the page, or None: then its words stay without a link,
        and a picture is its description.
    """
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    text = re.sub(r"\A---\n.*?\n---\n", "", markdown, flags=re.DOTALL)
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = renderer.parse(re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL))
    taken: set[str] = set()
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", _free(anchor(tokens[place + 1].content).strip("-"), taken))
        elif token.type == "inline" and moved is not None:
            token.children = _linked(token.children or [], moved)
    return Markup(renderer.renderer.render(tokens, renderer.options, {}))


def _linked(tokens: Sequence[Token], moved: Callable[[str], str | None]) -> list[Token]:
    """Return tokens with their links moved, and without those that lead nowhere."""
    from markdown_it.token import Token

    kept: list[Token] = []
    opened: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            target = moved(str(token.attrs["href"]))
            opened.append(target is not None)
            if target is None:
                continue
            token.attrs["href"] = target
        elif token.type == "link_close" and not opened.pop():
            continue
        elif token.type == "image":
            target = moved(str(token.attrs["src"]))
            if target is None:
                token = Token("text", "", 0, content=token.content)
            else:
                token.attrs["src"] = target
        kept.append(token)
    return kept


def _free(name: str, taken: set[str]) -> str:
    """Return a name that no heading of the page has yet, as addresses of headings are made."""
    found, number = name, 0
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    taken.add(found)
    return found
