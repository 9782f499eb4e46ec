"""`result_blocks`, `motion_blocks`: results as tables, one a task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from aptbench.board.generated import markdown_table
from aptbench.evaluate.cost_table import CostColumn, cost_columns, measured_with
from aptbench.evaluate.result import Result
from aptbench.evaluate.spectral_table import (
    integral_unit,
    percent,
    percent_interval,
    with_interval,
)
from aptbench.evaluate.table import (
    Column,
    assignment_columns,
    columns,
    number,
    ranked,
    spectrum_columns,
    uncertainty_columns,
)


def result_blocks(results: list[Result]) -> dict[str, str]:
    """Return the blocks ``results``, ``cost`` and, where models predict them, ``uncertainty``."""
    blocks = {
        "results": _tables(
            results,
            columns,
            lambda c, result: (_interval if c.metric == "rmse" else _value)(c, result),
            note=lambda _: ", test labels",
            name=lambda result: result.model.title,
        ),
        "cost": _tables(results, _cost_columns, _cost, note=_conditions),
    }
    uncertainty = _tables(results, uncertainty_columns, _value)
    return blocks | ({"uncertainty": uncertainty} if uncertainty else {})


def motion_blocks(results: list[Result]) -> dict[str, str]:
    """Return the blocks ``assignment`` and ``spectrum``: errors by motion and by band."""
    blocks = {
        "assignment": _tables(results, assignment_columns, _interval),
        "spectrum": _tables(results, spectrum_columns, _interval, note=_reference),
    }
    return {name: tables or "No results yet." for name, tables in blocks.items()}


def spectra_table(summary: dict[str, Any]) -> str:
    """Return band integrals of models against the reference, from ``spectrum.json``."""
    places = summary["band_integrals_cm-2"]
    scores = {(s["model"], s["band"], s["metric"]): s for s in summary["scores"]}
    models = list(places["all"]["models"])
    anchor = summary["debiased_with"]
    made = "labels of every frame" if anchor is None else f"{anchor} corrected by labels"
    isolated = bool(summary.get("isolated"))
    factor, unit = integral_unit(isolated, summary.get("volume_angstrom3", 0.0))
    rows = [
        (
            f"reference / {unit} ({made})",
            *(with_interval(*(factor * x for x in row["reference"])) for row in places.values()),
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
        "integral of the molar absorption" if isolated else "integral of the absorption",
        *("{}, {:.0f} to {:.0f}".format(name, *row["cm-1"]) for name, row in places.items()),
        f"current error, whole segment{'' if anchor is None else ' (estimated)'}",
    ]
    note = (
        f"{summary['n_labels']} {summary['reference']} labels that no model was fitted to, "
        f"{summary['n_frames']} frames, protocol `{summary['protocol']}`; ends of bands in cm^-1, "
        "95 % intervals in brackets:"
    )
    if isolated:
        note = f"Molar, per mole of the whole system, since an isolated one has no volume. {note}"
    return f"{note}\n\n{markdown_table(head, rows)}"


def _tables(
    results: Iterable[Result],
    columns_of: Callable[[list[Result]], Sequence[Column | CostColumn]],
    text: Callable[[Any, Result], str | None],
    *,
    note: Callable[[list[Result]], str] = lambda _: "",
    name: Callable[[Result], str] = lambda result: f"`{result.model.name}`",
) -> str:
    """Return a table a task, the best result first, without rows that have no number."""
    parts = []
    ordered = sorted(results, key=lambda result: result.task)
    for task, some in groupby(ordered, lambda result: result.task):
        rows = ranked(some)
        head = columns_of(rows)
        body = []
        for result in rows:
            cells = [text(column, result) for column in head]
            if any(cells):
                body.append((name(result), *(cell or "–" for cell in cells)))
        if body:
            names = [c.heading + (f" / {c.unit}" if c.unit else "") for c in head]
            parts.append(f"Task `{task}`{note(rows)}:\n\n{markdown_table(['model', *names], body)}")
    return "\n\n".join(parts)


def _value(column: Column, result: Result) -> str | None:
    metric = column.of(result)
    return None if metric is None else number(metric.value)


def _interval(column: Column, result: Result) -> str | None:
    metric = column.of(result)
    if metric is None or metric.low is None or metric.high is None:
        return _value(column, result)
    return f"{number(metric.value)} [{number(metric.low)}, {number(metric.high)}]"


def _cost_columns(rows: list[Result]) -> list[Column | CostColumn]:
    found = cost_columns(rows)
    return [Column("rmse", "RMSE", "e", ""), *found] if found else []


def _cost(column: Column | CostColumn, result: Result) -> str | None:
    return _value(column, result) if isinstance(column, Column) else column.text(result)


def _conditions(rows: list[Result]) -> str:
    conditions = "; ".join(dict.fromkeys(filter(None, map(measured_with, rows))))
    return f"; speed and memory: {conditions}" if conditions else ""


def _reference(rows: list[Result]) -> str:
    return f"; reference: {next((r.spectrum.reference for r in rows if r.spectrum), '')}"
