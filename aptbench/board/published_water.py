"""`published_blocks`: the tables of the models on the published liquid water."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aptbench.board.generated import markdown_table
from aptbench.evaluate.table import number


def published_blocks(project: Path) -> dict[str, str]:
    """Return the tables of the published liquid water, where they were measured.

    Parameters
    ----------
    project : Path
        Root of the repository.

    Returns
    -------
    dict of name to Markdown
        ``published-water`` and ``grid-artifact``.
    """
    path = project / "benchmarks" / "results" / "published-water.json"
    if not path.exists():
        return {}
    runs = json.loads(path.read_text(encoding="utf-8"))
    return {"published-water": _published(runs), "grid-artifact": _artifacts(runs)}


def _published(runs: list[dict[str, Any]]) -> str:
    names = ("rmse", "rmse[O]", "rmse[H]", "rmse[L=0]", "rmse[L=1]", "rmse[L=2]")
    rows = []
    for run in runs:
        scores = [run["scores"][name]["value"] for name in names]
        without = run.get("rmse_without_grid", run["scores"]["rmse"])["value"]
        rows.append(
            (
                f"`{run['model']}`",
                run["train"],
                number(scores[0]),
                number(without),
                *map(number, scores[1:]),
                run["n_parameters"],
                f"{run['seconds']:.0f} s",
            )
        )
    head = ["model", "trained on", "RMSE / e", "without grid", "O", "H", "L=0", "L=1", "L=2"]
    return markdown_table([*head, "parameters", "training"], rows)


def _artifacts(runs: list[dict[str, Any]]) -> str:
    found = {run["train"]: run["grid_artifacts"] for run in runs}
    rows = [(name, wave) for name, waves in found.items() for wave in waves or ["none"]]
    return markdown_table(["training frames", "wave"], rows, numbers=False)
