"""`print_findings`: what was looked at, one line each, with what to do below it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from aptbench.evaluate.doctor import Finding

_COLOURS = {"ok": "green", "advice": "yellow", "error": "red"}


def print_findings(findings: Iterable[Finding], console: Console, error: str = "error") -> None:
    """Print findings; ``error`` is what one that has to be repaired is called."""
    from rich.text import Text

    width = max(len("advice"), len(error))
    for one in findings:
        word = error if one.severity == "error" else one.severity
        mark = (f"{word:<{width}}", _COLOURS[one.severity])
        console.print(Text.assemble(mark, f"  {one.what}: {one.words}"), soft_wrap=True)
        if one.do:
            console.print(Text(f"{'':<{width}}  {one.do}", style="dim"), soft_wrap=True)
