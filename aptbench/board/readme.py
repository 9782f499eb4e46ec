"""`readme_blocks`: the generated tables of the README."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from aptbench.board.dataset_table import dataset_table_blocks
from aptbench.board.generated import markdown_table
from aptbench.evaluate.archive import archived_results
from aptbench.evaluate.comparison import Comparison, comparison_of
from aptbench.evaluate.cost_table import cost_columns, measured_with
from aptbench.evaluate.result import Metric, Result
from aptbench.evaluate.spectral_table import percent, percent_interval, with_interval
from aptbench.evaluate.table import (
    Column,
    assignment_columns,
    columns,
    number,
    ranked,
    spectrum_columns,
    uncertainty_columns,
)

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


def result_blocks(results: list[Result]) -> dict[str, str]:
    """Return the blocks ``results``, ``cost`` and, where models predict them, ``uncertainty``."""
    blocks = {"results": _results(results), "cost": _costs(results)}
    if uncertainty_columns(results):
        blocks["uncertainty"] = _uncertainties(results)
    return blocks


def motion_blocks(results: list[Result]) -> dict[str, str]:
    """Return the blocks ``assignment`` and ``spectrum``: errors by motion and by band."""
    found: dict[str, Callable[[Iterable[Result]], list[Column]]] = {
        "assignment": assignment_columns,
        "spectrum": spectrum_columns,
    }
    blocks = {}
    for name, columns_of in found.items():
        parts = []
        for task, rows in _by_task(results):
            head = columns_of(rows)
            body = [
                (
                    f"`{result.model.name}`",
                    *("–" if (m := c.of(result)) is None else _with_ends(m) for c in head),
                )
                for result in rows
                if any(c.of(result) is not None for c in head)
            ]
            if body:
                reference = next((r.spectrum.reference for r in rows if r.spectrum), "")
                words = f"; reference: {reference}" if name == "spectrum" else ""
                table = markdown_table(["model", *(c.heading for c in head)], body)
                parts.append(f"Task `{task}`{words}:\n\n{table}")
        blocks[name] = "\n\n".join(parts) or "No results yet."
    return blocks


def _by_task(results: Iterable[Result]) -> list[tuple[str, list[Result]]]:
    """Return the results of each task, the best first."""
    ordered = sorted(results, key=lambda result: result.task)
    return [(task, ranked(some)) for task, some in groupby(ordered, lambda result: result.task)]


def _with_ends(metric: Metric) -> str:
    if metric.low is None or metric.high is None:
        return number(metric.value)
    return f"{number(metric.value)} [{number(metric.low)}, {number(metric.high)}]"


def _results(results: list[Result]) -> str:
    parts = []
    for task, rows in _by_task(results):
        head = columns(rows)
        body = []
        for result in rows:
            cells = []
            for column in head:
                metric = column.of(result)
                if metric is None:
                    cells.append("–")
                else:
                    ends = column.metric == "rmse"
                    cells.append(_with_ends(metric) if ends else number(metric.value))
            body.append((result.model.title, *cells))
        names = [c.heading + (f" / {c.unit}" if c.unit else "") for c in head]
        parts.append(f"Task `{task}`, test labels:\n\n" + markdown_table(["model", *names], body))
    return "\n\n".join(parts)


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
    head = ["task", "best", "RMSE / e", "next that is told apart", "best spectrum"]
    return markdown_table([*head, "best trivial / e", "noise / e"], rows, numbers=False)


def _best_spectrum(found: Comparison | None) -> str:
    if found is None:
        return "–"
    return ", ".join(f"`{place.model}`" for place in found.groups[0])


def _costs(results: list[Result]) -> str:
    parts = []
    for task, rows in _by_task(results):
        head = cost_columns(rows)
        if not head:
            continue
        body = [
            (
                f"`{result.model.name}`",
                number(result.metrics["rmse"].value),
                *(column.text(result) for column in head),
            )
            for result in rows
        ]
        names = [c.heading + (f" / {c.unit}" if c.unit else "") for c in head]
        conditions = "; ".join(dict.fromkeys(filter(None, map(measured_with, rows))))
        note = f"Task `{task}`" + (f"; speed and memory: {conditions}" if conditions else "")
        parts.append(f"{note}:\n\n" + markdown_table(["model", "RMSE / e", *names], body))
    return "\n\n".join(parts)


def _uncertainties(results: list[Result]) -> str:
    parts = []
    for task, rows in _by_task(results):
        head = uncertainty_columns(rows)
        body = [
            (
                f"`{result.model.name}`",
                *(
                    number(result.metrics[column.metric].value)
                    if column.metric in result.metrics
                    else "–"
                    for column in head
                ),
            )
            for result in rows
            if any(column.metric in result.metrics for column in head)
        ]
        if body:
            table = markdown_table(["model", *(column.heading for column in head)], body)
            parts.append(f"Task `{task}`:\n\n{table}")
    return "\n\n".join(parts)


def spectra_table(summary: dict[str, Any]) -> str:
    """Return band integrals of models against the reference, from ``spectrum.json``."""
    places = summary["band_integrals_cm-2"]
    scores = {(s["model"], s["band"], s["metric"]): s for s in summary["scores"]}
    models = list(places["all"]["models"])
    rows = [
        (
            f"reference / 10^6 cm^-2 ({summary['debiased_with']} corrected by labels)",
            *(with_interval(*(1e-6 * x for x in row["reference"])) for row in places.values()),
            "–",
        )
    ]
    for model in models:
        error = scores[model, "all", "current_error"]
        cells = []
        for place in places:
            score = scores[model, place, "band_integral_error"]
            ends = percent_interval(score["low"], score["high"])
            cells.append(f"{percent(score['value'])} {ends}")
        of_current = with_interval(error["value"], error["low"], error["high"])
        rows.append((model, *cells, of_current))
    head = [
        "integral of the absorption",
        *("{}, {:.0f} to {:.0f}".format(name, *row["cm-1"]) for name, row in places.items()),
        "error of the current",
    ]
    note = (
        f"{summary['n_labels']} {summary['reference']} labels that no model was fitted to, "
        f"{summary['n_frames']} frames, protocol `{summary['protocol']}`; ends of bands in cm^-1, "
        "95 % intervals in brackets:"
    )
    return f"{note}\n\n{markdown_table(head, rows)}"


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
