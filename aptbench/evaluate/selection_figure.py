"""`selection_figure`: errors of selections against the number of labels, and what chance gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aptbench.evaluate.canvas import (
    line_style,
    model_colour,
    model_marker,
    new_figure,
    styled,
)
from aptbench.evaluate.selection_standings import Standings

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def selection_figure(standings: Standings) -> Figure:
    """Draw errors over the mean of the draws, one line a selection; the range of draws is shaded.

    A ratio, because the errors themselves fall by factors from budget to budget.
    """
    from matplotlib.ticker import NullLocator

    budgets = standings.track.budgets
    drawn = [standings.drawn(n) for n in budgets]
    with styled():
        figure = new_figure(7.2, 3.9)
        axes = figure.subplots()
        means = [float(errors.mean()) for errors in drawn]
        low, high = ([float(e[k]) / m for e, m in zip(drawn, means, strict=True)] for k in (0, -1))
        label = f"drawn at random, {len(drawn[0])} times: least to largest"
        axes.fill_between(budgets, low, high, color="#d5d9df", linewidth=0, label=label)
        axes.axhline(1.0, color="#7a828e", linewidth=1)
        for k, name in enumerate(standings.chosen):
            ratios = [
                standings.error(name, n).value / m for n, m in zip(budgets, means, strict=True)
            ]
            axes.plot(
                budgets,
                ratios,
                color=model_colour(k),
                linestyle=line_style(k),
                marker=model_marker(k),
                markersize=5,
                label=name,
            )
        axes.set_xscale("log")
        axes.set_xticks(budgets, [str(n) for n in budgets])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("labels spent")
        axes.set_ylabel("error / mean of the draws")
        figure.legend(loc="outside lower center", ncols=2)
        return figure
