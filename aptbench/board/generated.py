"""`refresh_blocks`: generated parts of hand-written Markdown, so that no number is typed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from aptbench.atomic import write_atomically
from aptbench.errors import InputError

_BLOCK = re.compile(
    r"(<!-- generated: (?P<name>[\w-]+) -->\n)(?P<body>.*?)(<!-- end generated -->)", re.DOTALL
)


def refresh_blocks(text: str, blocks: Mapping[str, str], source: str = "the file") -> str:
    """Return a text with the body of every generated block replaced.

    Parameters
    ----------
    text : str
        Markdown with blocks ``<!-- generated: NAME -->`` to ``<!-- end generated -->``.
    blocks : mapping of name to str
        Body of each block; those that the text does not have are not used.
    source : str
        What the text is, for the message of an error.

    Raises
    ------
    InputError
        If the text has a block that cannot be generated.

    Examples
    --------
    >>> print(refresh_blocks("<!-- generated: n -->\\nold\\n<!-- end generated -->", {"n": "new"}))
    <!-- generated: n -->
    <BLANKLINE>
    new
    <BLANKLINE>
    <!-- end generated -->
    """

    def replace(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in blocks:
            raise InputError(
                f"The generated block {name!r} of {source} cannot be made.",
                expected=f"one of {', '.join(sorted(blocks))}",
                do="correct its name, or make what it is generated from",
            )
        # Blank lines: a comment right below a table would be a row of it.
        return f"{match[1]}\n{blocks[name].strip()}\n\n{match[4]}"

    return _BLOCK.sub(replace, text)


def refresh_file(path: Path, blocks: Mapping[str, str], *, check: bool = False) -> bool:
    """Refresh the blocks of a file; return whether it had drifted from what it is made of.

    Parameters
    ----------
    path : Path
    blocks : mapping of name to str
    check : bool
        Only tell, do not write.
    """
    old = path.read_text(encoding="utf-8")
    new = refresh_blocks(old, blocks, path.name)
    if new != old and not check:
        write_atomically(path, new)
    return new != old


def markdown_table(
    head: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: bool = True
) -> str:
    """Return a Markdown table; columns of numbers, all but the first, are aligned to the right.

    >>> print(markdown_table(["a", "b"], [["x", 1]]))
    | a | b |
    | :-- | --: |
    | x | 1 |
    """
    rule = [":--", *["--:" if numbers else ":--"] * (len(head) - 1)]
    lines: list[Sequence[object]] = [head, rule, *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
