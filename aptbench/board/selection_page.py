"""`write_track_pages`: a page for every data-selection track."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from aptbench.board.pages import anchor, as_html, write_page
from aptbench.board.selection_table import selection_table
from aptbench.evaluate.selection_standings import Standings
from aptbench.evaluate.selection_track import FILE, PICTURE, read_scores, read_track

if TYPE_CHECKING:
    from jinja2 import Environment

CAPTION = (
    "Error after so many labels, over the mean of labels drawn at random; the range of these draws "
    "is shaded. Below one, a selection is better than chance."
)


def scored_tracks(folder: Path) -> Iterator[tuple[Path, Standings]]:
    """Yield every track below a folder that has scores, in the order of their paths."""
    for path in sorted(folder.glob(f"*/*/{FILE}")):
        scores = read_scores(path.parent)
        if scores:
            yield path.parent, Standings(read_track(path.parent), scores)


def write_track_pages(folder: Path, templates: Environment, out: Path) -> dict[str, str]:
    """Write the pages below ``out/tasks``; return their file names by the task of the track.

    Raises
    ------
    InputError
        If a file of a track is damaged.
    """
    pages = {}
    for place, standings in scored_tracks(folder):
        name = standings.track.task
        file = f"selection-{anchor(name)}"
        parts = [selection_table(standings)]
        if (place / PICTURE).is_file():
            (out / "pictures").mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place / PICTURE, out / "pictures" / f"{file}.png")
            parts += [f"![{CAPTION}](../pictures/{file}.png)", CAPTION]
        parts.append(
            "The model is trained on the first labels of every selection with the same settings, "
            "and scored on the same test; a selection has seen positions and times of the pool, "
            "and no label but those that come earlier in its order."
        )
        write_page(
            templates,
            out / "tasks" / f"{file}.html",
            f"Data selection, {name}",
            name=name,
            kind="Data-selection track: which frames to label",
            content=as_html("\n\n".join(parts)),
        )
        pages[name] = f"{file}.html"
    return pages
