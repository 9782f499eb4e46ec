"""`Guides`: pages of the documentation, each written when it is first linked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aptbench.board.links import Links
from aptbench.board.pages import TEMPLATES, as_html, write_page

if TYPE_CHECKING:
    from jinja2 import Environment

GUIDES: Final = {
    "submitting": ("How to submit", "Guide"),
    "statistics": ("How models are compared", "Guide"),
    "published-water": ("Published liquid water", "Third-party data"),
}
"""Pages of ``docs`` that the index links, with title and kind."""
GLOSSARY: Final = "glossary"
START: Final = ("Two commands", "Score your model", "Submit it")
"""Sections of the README that tell how to begin."""


class Guides:
    """Pages below ``guides``: those of `GUIDES`, and what they and the cards link to.

    Parameters
    ----------
    templates : jinja2.Environment
    links : Links
        It is told of the pages.
    docs : Path or None
        Folder of the documentation, beside the README.
    """

    def __init__(self, templates: Environment, links: Links, docs: Path | None) -> None:
        self.templates, self.links = templates, links
        self.docs = None if docs is None else docs.resolve()
        self.out = links.out / "guides"
        self._written: set[str] = set()
        links.lead_to(self._page_of)

    def write(self) -> dict[str, str]:
        """Write the guides that are there; return their titles by name, `START` first."""
        self._write(GLOSSARY, "Glossary", "Guide", TEMPLATES / "glossary.md")
        titles = {}
        if self.docs is not None and self._write_start(self.docs.parent / "README.md"):
            titles["start"] = "Start here"
        for name, (title, _) in GUIDES.items():
            if self.docs is not None and self._page_of(self.docs / f"{name}.md"):
                titles[name] = title
        return titles | {GLOSSARY: "Glossary"}

    def _page_of(self, path: Path) -> str | None:
        """Return the address of the page of a document, written if it is not there yet."""
        if self.docs is None or path.parent != self.docs or path.suffix != ".md":
            return None
        if path.stem not in self._written:
            if not path.is_file():
                return None
            title, kind = GUIDES.get(path.stem, ("", "Documentation"))
            self._write(path.stem, title, kind, path)
        return f"guides/{path.stem}.html"

    def _write(
        self, name: str, title: str, kind: str, source: Path, text: str | None = None
    ) -> None:
        self._written.add(name)  # before its links are followed, which may lead back to it
        text = source.read_text(encoding="utf-8") if text is None else text
        heading = re.match(r"\s*# (.+)\n", text)
        title = title or (heading[1] if heading else name)
        # the title of the page is its heading already
        body = text if heading is None else text[heading.end() :]
        write_page(
            self.templates,
            self.out / f"{name}.html",
            title,
            name=title,
            kind=kind,
            content=as_html(body, self.links.of(source, self.out)),
        )

    def _write_start(self, readme: Path) -> bool:
        """Write how to begin, from sections of the README; return whether there are any."""
        if not readme.is_file():
            return False
        text = readme.read_text(encoding="utf-8")
        found = [section(text, heading) for heading in START]
        if not any(found):
            return False
        words = (
            "How to install aptbench, score a model of your own, and submit it. All happens in a "
            "clone of the repository that this site is made from.\n\n"
        )
        self._write("start", "Start here", "Guide", readme, words + "\n".join(found))
        return True


def section(markdown: str, heading: str) -> str:
    """Return a section of second level with its heading, empty if there is none.

    >>> section("# T\\n\\n## A\\n\\na\\n\\n## B\\n\\nb\\n", "A")
    '## A\\n\\na\\n\\n'
    """
    found = re.search(
        rf"^## {re.escape(heading)}\n.*?(?=^## |\Z)", markdown, re.DOTALL | re.MULTILINE
    )
    return found[0] if found else ""
