"""`readme_blocks`: the generated tables of the README."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from aptbench.board.dataset_table import dataset_table_blocks
from aptbench.board.generated import markdown_table
from aptbench.board.published_water import published_blocks
from aptbench.board.result_tables import result_blocks, spectra_table
from aptbench.evaluate.archive import archived_results
from aptbench.evaluate.comparison import Comparison, comparison_of
from aptbench.evaluate.result import Result
from aptbench.evaluate.spectral_comparison import DENSE_METRIC
from aptbench.evaluate.table import number

SHOWN: Final = "water/iid"
"""The task that the README has in full."""


def readme_blocks(project: Path) -> dict[str, str]:
    """Return the generated blocks of the README of a project.

    Parameters
    ----------
    project : Path
        Root of the repository.

    Returns
    -------
    dict of name to Markdown
        ``data``, ``results``, ``winners``, ``cost`` and, where they were measured,
        ``uncertainty``, ``spectra`` and ``published-water``.
    """
    blocks = dataset_table_blocks(project)
    results = archived_results(project / "leaderboard" / "results")
    if results:
        blocks["winners"] = _winners(project, results)
        # the README has one task in full, docs/results.md all of them
        blocks |= result_blocks([r for r in results if r.task_name == SHOWN] or results)
    spectra = project / "leaderboard" / "spectra" / "water" / "iid" / "spectrum.json"
    if spectra.exists():
        blocks["spectra"] = spectra_table(json.loads(spectra.read_text()))
    return blocks | published_blocks(project)


def _winners(project: Path, results: list[Result]) -> str:
    rows = []
    for task in sorted({result.task for result in results}):
        folder = project / "leaderboard" / "comparisons"
        found = comparison_of(folder, task)
        if found is None:
            continue
        spectra = comparison_of(folder, task, "spectrum")
        first, *rest = found.groups
        best = first[0]
        ends = "" if best.low is None else f" [{number(best.low)}, {number(best.high or 0)}]"
        behind = "–"
        if rest and rest[0][0].to_best is not None:
            gap = rest[0][0].to_best
            p = "" if gap.p is None else f", p {'< 0.001' if gap.p < 0.001 else f'= {gap.p:.3f}'}"
            behind = f"`{rest[0][0].model}`, +{number(gap.value)}{p}"
        trivial = [place.value for place in found.places if place.trivial]
        rows.append(
            (
                f"`{task}`",
                ", ".join(f"`{place.model}`" for place in first),
                f"{number(best.value)}{ends}",
                behind,
                _best_spectrum(spectra),
                number(min(trivial)) if trivial else "–",
                "–" if found.noise_floor is None else number(found.noise_floor),
            )
        )
    if not rows:
        return "Not compared yet: `aptbench compare --write`."
    head = ["task", "best", "RMSE / e", "next, significantly worse", "best current"]
    return markdown_table([*head, "best trivial / e", "noise / e"], rows, numbers=False)


def _best_spectrum(found: Comparison | None) -> str:
    if found is None:
        return "–"
    names = ", ".join(f"`{place.model}`" for place in found.groups[0])
    return f"{names} (by spectrum)" if found.metric == DENSE_METRIC else names
