"""The columns of a table of results, and how a number is written with its interval."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aptbench.evaluate.result import Metric, Result

if TYPE_CHECKING:
    from rich.table import Table

TRIVIAL = 0.95
"""Normalised error from which a model knows no more than the mean charge of each species."""


@dataclass(frozen=True)
class Column:
    """One column.

    Parameters
    ----------
    metric : str
        Name of the metric.
    heading : str
    unit : str
    explanation : str
        One sentence for a tooltip.
    """

    metric: str
    heading: str
    unit: str
    explanation: str


def columns(results: Iterable[Result]) -> list[Column]:
    """Return the columns that at least one of the results can fill, in the order of the tables."""
    metrics = {name: m.unit for result in results for name, m in result.metrics.items()}
    species = sorted(
        (m[1] for name in metrics if (m := re.fullmatch(r"rmse\[([A-Z][a-z]?)\]", name))),
        reverse=True,
    )
    wanted = [("rmse", "RMSE", "Root mean square error over atoms and nine components.")]
    wanted += [(f"rmse[{s}]", f"RMSE {s}", f"The same for {s} atoms.") for s in species]
    parts = ("isotropic", "antisymmetric", "symmetric traceless")
    wanted += [
        (f"rmse[L={k}]", f"RMSE L={k}", f"The {part} part; the three squares add up to the total.")
        for k, part in enumerate(parts)
    ]
    wanted += [
        (
            "normalized_rmse",
            "normalised",
            "Error over the spread of the labels; 1 is predicting the mean charge of a species.",
        ),
        (
            "current_error",
            "current error",
            "rms error of the current dM/dt over the rms current; its square is lost intensity.",
        ),
        ("sum_rule_residual", "sum rule", "rms acoustic sum over the atoms of a cell."),
        ("equivariance_error", "equivariance", "Largest violation under a rotation or inversion."),
    ]
    return [
        Column(name, heading, "" if metrics[name] in ("", "1") else metrics[name], explanation)
        for name, heading, explanation in wanted
        if name in metrics
    ]


def number(value: float) -> str:
    """Write a number with as many digits as tables need.

    >>> number(0.02263), number(1.234), number(3e-7), number(0.0)
    ('0.0226', '1.234', '3.0e-07', '0')
    """
    if value == 0:
        return "0"
    if abs(value) < 5e-4 or abs(value) >= 1e5:
        return f"{value:.1e}"
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.3f}"


def interval(metric: Metric) -> str:
    """Write the interval of a metric, or nothing where there is none or it is a point.

    >>> interval(Metric(value=0.1, low=0.08, high=0.12, unit="e"))
    '0.0800–0.1200'
    """
    if metric.low is None or metric.high is None or metric.low == metric.high:
        return ""
    return f"{number(metric.low)}–{number(metric.high)}"


def is_trivial(result: Result) -> bool:
    """Return whether a model is no better than the mean charge of each species."""
    metric = result.metrics.get("normalized_rmse")
    return metric is not None and metric.value > TRIVIAL


def ranked(results: Iterable[Result]) -> list[Result]:
    """Return results with the smallest error first."""
    return sorted(results, key=lambda r: (r.metrics["rmse"].value, r.model.name))


def terminal_table(results: Sequence[Result], title: str) -> Table:
    """Return the table for the terminal: a row a metric, a column a model.

    A model a column keeps the lines short, however many metrics there are.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("metric", no_wrap=True)
    for result in results:
        table.add_column(result.model.name, justify="right", overflow="fold")
    for column in columns(results):
        metrics = [result.metrics.get(column.metric) for result in results]
        best = min((m.value for m in metrics if m is not None), default=None)
        label = column.heading + (f" ({column.unit})" if column.unit else "")
        cells = []
        for metric in metrics:
            if metric is None:
                cells.append(Text("–", style="dim"))
                continue
            style = "bold" if metric.value == best and len(results) > 1 else ""
            text = Text(number(metric.value), style=style)
            if interval(metric):
                text.append(f"\n{interval(metric)}", style="dim")
            cells.append(text)
        table.add_row(label, *cells)
    if any(result.timing for result in results):
        times = [f"{1000 * r.timing.seconds_per_frame:.3g}" if r.timing else "–" for r in results]
        table.add_row("time (ms/frame)", *times)
    return table
