"""`Links`: where a link of a Markdown file leads in the site: to a page, to a copy, or nowhere."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import unquote

COPIED: Final = frozenset(
    {".png", ".svg", ".jpg", ".yaml", ".json", ".csv", ".inp", ".txt", ".xyz", ".extxyz"}
)
"""Kinds of files that are copied into the site when a page links to one."""
_ELSEWHERE: Final = re.compile(r"[a-z][a-z+.-]*:|#", re.IGNORECASE)

Maker = Callable[[Path], str | None]


class Links:
    """Keeps the links of all pages inside the site, which then can be hosted alone.

    Parameters
    ----------
    out : Path
        Folder of the site.
    project : Path or None
        Folder whose files may be copied into ``out/files``; nothing is copied if None.
    """

    def __init__(self, out: Path, project: Path | None = None) -> None:
        self.out = out
        self.project = None if project is None else project.resolve()
        self._makers: list[Maker] = []

    def lead_to(self, maker: Maker) -> None:
        """Let links lead to the pages of a function from a file to its address in the site."""
        self._makers.append(maker)

    def of(self, source: Path, folder: Path) -> Callable[[str], str | None]:
        """Return how links of the file ``source`` are written in a page in ``folder``.

        The function returns None for what the site does not have. Addresses of the web, and places
        in the page itself, stay as they are.
        """

        def moved(link: str) -> str | None:
            if _ELSEWHERE.match(link):
                return link
            path, mark, place = link.partition("#")
            target = (source.parent / unquote(path)).resolve()
            made = (maker(target) for maker in self._makers)
            address = next((one for one in made if one is not None), None) or self._copy(target)
            if address is None:
                return None
            return Path(os.path.relpath(self.out / address, folder)).as_posix() + mark + place

        return moved

    def _copy(self, path: Path) -> str | None:
        if self.project is None or not path.is_relative_to(self.project):
            return None
        if path.suffix not in COPIED or not path.is_file():
            return None
        address = Path("files") / path.relative_to(self.project)
        (self.out / address).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, self.out / address)
        return address.as_posix()


def only_outside(link: str) -> str | None:
    """Return a link that leads to the web or stays in the page, None for one to a file.

    >>> only_outside("https://example.org"), only_outside("../secret.md")
    ('https://example.org', None)
    """
    return link if _ELSEWHERE.match(link) else None
