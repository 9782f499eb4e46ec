"""`learning_figure`: errors against the number of labels, a log-log panel for each error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aptbench.evaluate.canvas import line_style, model_colour, new_figure, styled
from aptbench.evaluate.learning_curve import LearningCurve, mean_metric

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_COLUMNS = 4
_SQUEEZE = 1.04
_ERROR, _CURRENT = "rms error (e)", "relative error of the current"


def learning_figure(curve: LearningCurve) -> Figure:
    """Draw the total error and species, the irreps, and the bands of the motion, row by row.

    One colour a model; the panels of a row have one scale. Bars are 95 % intervals over the test
    frames, or from least to largest where several seeds were trained. A model that is not trained
    is a horizontal line.
    """
    species = [(f"rmse[{symbol}]", symbol) for symbol in curve.species]
    groups = [
        (_ERROR, [("rmse", "all atoms"), *species]),
        (_ERROR, [(f"rmse[L={k}]", f"L = {k}") for k in range(3)]),
        (_CURRENT, [(f"current_error[{band}]", band) for band in curve.bands]),
    ]
    rows = [
        (unit, panels[k : k + _COLUMNS])
        for unit, panels in groups
        for k in range(0, len(panels), _COLUMNS)
    ]
    columns = max(len(panels) for _, panels in rows)
    with styled():
        figure = new_figure(0.6 + 2.5 * columns, 0.9 + 2.4 * len(rows))
        grid = figure.subplots(len(rows), columns, squeeze=False, sharey="row")
        for line, (unit, panels) in zip(grid, rows, strict=True):
            for axes, panel in zip(line, [*panels, *[None] * columns], strict=False):
                if panel is None:
                    axes.set_visible(False)
                    continue
                _panel(axes, curve, panel[0])
                axes.set_title(panel[1], loc="left")
                axes.set_xlabel("training labels")
            _scale(line[0], [value for name, _ in panels for value in _values(curve, name)])
            line[0].set_ylabel(unit)
        if curve.label_noise is not None:
            _noise(grid[0, 0], curve.label_noise)
        handles = [figure.axes[0].plot([], [], **_look(k))[0] for k in range(len(curve.models))]
        figure.legend(handles, curve.models, loc="outside lower center", ncols=columns)
        return figure


def _look(index: int) -> dict[str, Any]:
    return {
        "color": model_colour(index),
        "linestyle": line_style(index),
        "marker": _MARKERS[index % len(_MARKERS)],
        "markersize": 4,
    }


def _panel(axes: Any, curve: LearningCurve, name: str) -> None:
    from matplotlib.ticker import NullLocator

    budgets = sorted(curve.budgets)
    for index, model in enumerate(curve.models):
        found = [(n, mean_metric(curve.of(model, n), name)) for n in curve.budgets_of(model)]
        shown = [(n, metric) for n, metric in found if metric is not None and metric.value > 0]
        for n, metric in shown:
            if n is None:
                look = {**_look(index), "marker": "", "linewidth": 1.2}
                axes.axhline(metric.value, **look)
        trained = [(n, metric) for n, metric in shown if n is not None]
        if not trained:
            continue
        # models at one budget stand side by side, so that their bars can be told apart
        shift = _SQUEEZE ** (index - (len(curve.models) - 1) / 2)
        y = np.array([metric.value for _, metric in trained])
        low = np.array([m.value if m.low is None else m.low for _, m in trained])
        high = np.array([m.value if m.high is None else m.high for _, m in trained])
        # a percentile interval of a biased estimate can lie beside its value
        spread = np.maximum(0, np.array([y - low, high - y]))
        x = [n * shift for n, _ in trained]
        axes.errorbar(x, y, spread, elinewidth=0.8, capsize=1.5, **_look(index))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(budgets, _tick_labels(budgets))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(budgets[0] / 1.35, budgets[-1] * 1.35)


def _tick_labels(budgets: Sequence[int]) -> list[str]:
    """Return a label a tick, empty where the next one would be written over it."""
    nexts = [*budgets[1:], np.inf]
    return [str(n) if after >= 1.4 * n else "" for n, after in zip(budgets, nexts, strict=True)]


def _values(curve: LearningCurve, name: str) -> list[float]:
    """Return the values of a metric and the ends of its intervals, where they are positive."""
    found = [mean_metric(curve.of(m, n), name) for m in curve.models for n in curve.budgets_of(m)]
    ends = [x for metric in found if metric for x in (metric.value, metric.low, metric.high)]
    return [x for x in ends if x is not None and x > 0]


def _scale(axes: Any, values: list[float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    if values:
        low, high = min(values) / 1.2, max(values) * 1.2
        # at least a factor of five, so that there are two ticks and noise does not look like news
        widen = max(1.0, (5 * low / high) ** 0.5)
        axes.set_ylim(low / widen, high * widen)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _noise(axes: Any, noise: float) -> None:
    low, _ = axes.get_ylim()
    axes.set_ylim(bottom=min(low, noise / 1.5))
    axes.axhline(noise, color="#7a828e", linestyle=(0, (1, 2)))
    place = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom"}
    axes.annotate("noise of the labels", (1, noise), fontsize=8, color="#7a828e", **place)
