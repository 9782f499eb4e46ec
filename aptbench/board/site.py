"""`build_site`: static pages from archived results, readable from the file system."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

from aptbench.atomic import write_atomically
from aptbench.board.across_tasks import AcrossTasks, shade
from aptbench.board.cards import Cards
from aptbench.board.glossary_terms import term_of
from aptbench.board.guides import Guides
from aptbench.board.links import Links
from aptbench.board.pages import GENERATOR, STYLE, environment
from aptbench.board.selection_page import write_track_pages
from aptbench.board.snapshot import archived_snapshots
from aptbench.board.task_page import Sources, task_page
from aptbench.board.temperatures import Temperatures
from aptbench.evaluate.archive import archived_results
from aptbench.evaluate.result import Result
from aptbench.evaluate.table import interval
from aptbench.tasks.frozen import read_frozen

MAIN_TASK: Final = "water/iid"
"""The task that every list of tasks begins with."""


def build_site(
    results: str | Path,
    out: str | Path,
    *,
    models: str | Path | None = None,
    datasets: str | Path | None = None,
    comparisons: str | Path | None = None,
    submissions: str | Path | None = None,
    spectra: str | Path | None = None,
    learning: str | Path | None = None,
    snapshots: str | Path | None = None,
    frozen: str | Path | None = None,
    selections: str | Path | None = None,
    docs: str | Path | None = None,
) -> Path:
    """Build the pages of the leaderboard; the same inputs give the same bytes.

    Parameters
    ----------
    results : path
        Folder of archived results, ``DATASET/SPLIT/MODEL.json``.
    out : path
        Folder for ``index.html``, ``results.json`` with all numbers, a page for each task under
        ``tasks``, and the cards under ``models`` and ``data``.
    models, datasets : path, optional
        Folders in which ``NAME/card.md`` is looked for.
    submissions : path, optional
        Folder in which ``NAME/submission.yaml`` is looked for.
    comparisons, spectra, learning : path, optional
        As in `Sources`.
    snapshots : path, optional
        Folder of frozen rows; they are listed, and copied beside the pages.
    frozen : path, optional
        File of released tasks; what differs between training and test is said from it.
    selections : path, optional
        Folder of data-selection tracks, ``DATASET/SPLIT``.
    docs : path, optional
        Folder of the documentation, of which the pages of `GUIDES` and all that are linked are
        shown; how to begin is from the README beside it.

    Returns
    -------
    Path
        Of ``index.html``.

    Raises
    ------
    InputError
        If a result file is damaged, or a snapshot was changed.
    AlignmentError
        If results of one task were made with different data or splits.
    """
    out = Path(out)
    before = {path: path.stat() for path in out.glob("*/*.html")}
    write_atomically(out / "style.css", STYLE.read_text(encoding="utf-8"))
    templates = environment()
    archived = _by_task(archived_results(results))
    links = Links(out, None if docs is None else Path(docs).resolve().parent)
    cards = Cards(templates, links, models, datasets, submissions, archived)
    guides = Guides(templates, links, None if docs is None else Path(docs))
    titles = guides.write()
    sources = Sources(
        Path(results),
        *(None if one is None else Path(one) for one in (comparisons, spectra, learning)),
    )
    numbers = [one.model_dump(mode="json") for one in sorted(archived, key=lambda r: r.task)]
    data = json.dumps(numbers, indent=1) + "\n"
    write_atomically(out / "results.json", data)
    dated = [] if snapshots is None else archived_snapshots(snapshots)
    for snapshot in dated:
        write_atomically(out / "snapshots" / snapshot.file_name, snapshot.text)
    released = {} if frozen is None else read_frozen(frozen)
    axes = {name: (one.axis or "time").replace("-", " ") for name, one in released.items()}
    temperatures = Temperatures()
    tasks = []
    for name, group in groupby(archived, key=lambda r: r.task):
        task = task_page(name, list(group), sources, cards, out, temperatures)
        task["axis"] = axes.get(name)
        page = templates.get_template("task.html.j2").render(
            title=f"{name}: aptbench leaderboard", task=task, term_of=term_of
        )
        write_atomically(out / "tasks" / f"{task['anchor']}.html", page)
        tasks.append(task)
    tracks = {} if selections is None else write_track_pages(Path(selections), templates, out)
    across = AcrossTasks.of(archived)
    page = templates.get_template("index.html.j2").render(
        title="aptbench leaderboard",
        tasks=tasks,
        guides=titles,
        data={task["data"].name: task["card"] for task in tasks if task["card"]},
        across=across,
        tracks=tracks,
        cards={model: cards.page("models", model) for model in across.errors},
        shade=shade,
        interval=interval,
        snapshots=dated[::-1],
        unchanged=bool(dated) and _by_task(dated[-1].rows.results) == archived,
    )
    _remove_stale(before)
    return write_atomically(out / "index.html", page)


def _remove_stale(before: Mapping[Path, os.stat_result]) -> None:
    """Remove pages of an earlier build that this one has not written: nothing leads to them."""
    for path, old in before.items():
        now = path.stat()
        untouched = (now.st_ino, now.st_mtime_ns) == (old.st_ino, old.st_mtime_ns)
        if untouched and GENERATOR in path.read_text(encoding="utf-8"):
            path.unlink()


def _by_task(results: Iterable[Result]) -> list[Result]:
    """Return results with those of the main task first, then by the names of the tasks."""
    return sorted(results, key=lambda one: (one.task.partition("@")[0] != MAIN_TASK, one.task))
