"""`build_site`: static pages from archived results, readable from the file system."""

from __future__ import annotations

import hashlib
import json
from itertools import groupby
from pathlib import Path

from aptbench.atomic import write_atomically
from aptbench.board.cards import Cards
from aptbench.board.pages import environment
from aptbench.board.task_page import Sources, task_page
from aptbench.evaluate.archive import archived_results
from aptbench.evaluate.table import TRIVIAL


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
    templates = environment()
    archived = sorted(archived_results(results), key=lambda r: r.task)
    cards = Cards(templates, out, models, datasets, submissions, archived)
    sources = Sources(
        Path(results),
        *(None if one is None else Path(one) for one in (comparisons, spectra, learning)),
    )
    numbers = [result.model_dump(mode="json") for result in archived]
    data = json.dumps(numbers, indent=1) + "\n"
    write_atomically(out / "results.json", data)
    snapshot = hashlib.sha256(data.encode()).hexdigest()
    tasks = []
    for name, group in groupby(archived, key=lambda r: r.task):
        task = task_page(name, list(group), sources, cards, out)
        page = templates.get_template("task.html.j2").render(
            title=f"{name}: aptbench leaderboard", task=task, trivial=TRIVIAL
        )
        write_atomically(out / "tasks" / f"{task['anchor']}.html", page)
        tasks.append(task)
    page = templates.get_template("index.html.j2").render(
        title="aptbench leaderboard", tasks=tasks, snapshot=snapshot
    )
    return write_atomically(out / "index.html", page)
