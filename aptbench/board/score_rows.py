"""`score_rows`, `score_table`: results as rows of a table of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aptbench.board.cards import Cards
from aptbench.evaluate.comparison import Place
from aptbench.evaluate.result import Metric, Result
from aptbench.evaluate.table import Column, interval, number, ranked


def score_rows(
    results: Sequence[Result], shown: Sequence[Column], cards: Cards
) -> list[dict[str, Any]]:
    """Return a row for every result, the best first: name, card and cells."""
    return [
        {
            "name": result.model.name,
            "card": cards.page("models", result.model.name),
            "cells": _cells(result, results, shown),
        }
        for result in ranked(results)
    ]


def score_table(
    results: Sequence[Result], shown: Sequence[Column], cards: Cards
) -> dict[str, Any] | None:
    """Return columns and rows of a table, without rows that have nothing in it."""
    rows = [row for row in score_rows(results, shown, cards) if any(row["cells"])]
    return {"columns": shown, "rows": rows} if rows else None


def cell(metric: Metric, best: bool = False) -> dict[str, Any]:
    """Return what a cell shows, and what it is sorted by."""
    return {
        "raw": repr(metric.value),
        "value": number(metric.value),
        "interval": interval(metric),
        "best": best,
    }


def gap_in_words(place: Place | None) -> str:
    """Say how far a model is behind, for a tooltip."""
    if place is None or place.to_best is None:
        return ""
    gap = place.to_best
    text = f"{number(gap.value)} above the best"
    if gap.low is not None and gap.high is not None:
        text += f", 95 % interval {number(gap.low)} to {number(gap.high)}"
    leader = place.to_leader
    if leader is not None and leader.p is not None:
        text += f"; the best of its group is not significantly better (p = {leader.p:.2g})"
    return text


def _cells(
    result: Result, results: Sequence[Result], shown: Sequence[Column]
) -> list[dict[str, Any] | None]:
    cells: list[dict[str, Any] | None] = []
    for column in shown:
        metric = column.of(result)
        cells.append(
            None
            if metric is None
            else cell(metric, len(results) > 1 and column.is_best(metric, results))
            | {"raw": repr(column.distance(metric.value))}  # what the table is sorted by
        )
    return cells
