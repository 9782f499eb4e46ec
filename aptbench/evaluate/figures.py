"""Figures of a report: errors, parity by irrep and species, uncertainties, accuracy and cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.elements import SYMBOLS
from aptbench.evaluate.canvas import (
    SPECIES_COLOURS,
    SPECIES_MARKERS,
    model_colour,
    model_marker,
    new_figure,
    styled,
)
from aptbench.evaluate.result import Metric, Result
from aptbench.metrics import calibration_curve
from aptbench.metrics.irreps import irrep_part

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = npt.NDArray[np.float64]

IRREP_TITLES: Final = {
    0: "isotropic, L = 0",
    1: "antisymmetric, L = 1",
    2: "traceless symmetric, L = 2",
}


def parity_figure(
    prediction: Array, reference: Array, atomic_numbers: npt.NDArray[np.int64], title: str
) -> Figure:
    """Draw predicted against reference components, one panel an irrep, by species.

    Parameters
    ----------
    prediction, reference : array, shape (frame, atom, pol, disp)
        In e.
    atomic_numbers : array, shape (atom,)
    title : str
    """
    from matplotlib.ticker import MaxNLocator

    with styled():
        figure = new_figure(8.2, 3.35)
        panels = figure.subplots(1, 3)
        species = np.unique(atomic_numbers)[::-1]
        for irrep, axes in enumerate(panels):
            ours, theirs = (_components(x, irrep) for x in (prediction, reference))
            low = min(ours.min(), theirs.min())
            high = max(ours.max(), theirs.max())
            margin = 0.06 * (high - low) or 0.1
            limits = (low - margin, high + margin)
            axes.plot(limits, limits, color="#7a828e", linewidth=0.9, zorder=1)
            for k, number in enumerate(species):
                chosen = atomic_numbers == number
                axes.plot(
                    theirs[:, chosen].ravel(),
                    ours[:, chosen].ravel(),
                    SPECIES_MARKERS[k % len(SPECIES_MARKERS)],
                    color=SPECIES_COLOURS[k % len(SPECIES_COLOURS)],
                    markersize=3,
                    markeredgewidth=0,
                    alpha=0.45,
                    rasterized=True,
                    label=SYMBOLS[number],
                )
            axes.set(xlim=limits, ylim=limits, aspect="equal", title=IRREP_TITLES[irrep])
            axes.set_xlabel("reference (e)")
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_locator(MaxNLocator(4))
        panels[0].set_ylabel("prediction (e)")
        handles, labels = panels[0].get_legend_handles_labels()
        legend = figure.legend(
            handles, labels, loc="outside lower center", ncols=6, markerscale=2.2
        )
        for handle in legend.legend_handles:
            if handle is not None:
                handle.set_alpha(1)
        figure.suptitle(title, fontsize=10.5, fontweight="bold")
        return figure


def error_figure(rows: Mapping[str, Mapping[str, Metric]], names: Sequence[tuple[str, str]]) -> Any:
    """Draw the rms errors of all models with their intervals.

    The scale is logarithmic where errors differ by more than a factor of ten: the better models
    would all lie on the axis.

    Parameters
    ----------
    rows : mapping of model name to its metrics
    names : sequence of (metric name, label)
        What to show, from left to right.
    """
    with styled():
        figure = new_figure(8.2, 3.5)
        axes = figure.subplots()
        place = np.arange(len(names))
        step = 0.8 / max(1, len(rows))
        for index, (model, metrics) in enumerate(rows.items()):
            shown = [(k, metrics[name]) for k, (name, _) in enumerate(names) if name in metrics]
            x = np.array([place[k] for k, _ in shown]) + (index - (len(rows) - 1) / 2) * step
            y = np.array([metric.value for _, metric in shown])
            low = np.array([m.value if m.low is None else m.low for _, m in shown])
            high = np.array([m.value if m.high is None else m.high for _, m in shown])
            # a percentile interval of a biased estimate can lie beside its value
            spread = np.maximum(0, np.array([y - low, high - y]))
            axes.errorbar(
                x,
                y,
                spread,
                fmt=model_marker(index),
                color=model_colour(index),
                markersize=6 if len(rows) < 6 else 4.5,
                capsize=3 if len(rows) < 6 else 1.5,
                elinewidth=1.3,
                label=model,
            )
        axes.set_xticks(place, [label for _, label in names])
        axes.set(xlim=(-0.5, len(names) - 0.5), ylabel="rms error (e)")
        values = [m[name].value for m in rows.values() for name, _ in names if name in m]
        if values and max(values) > 10 * min(values) > 0:
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.grid(False, axis="x")
        for edge in place[:-1] + 0.5:
            axes.axvline(edge, color="#e3e6ea", linewidth=0.8)
        figure.legend(loc="outside lower center", ncols=min(5, max(1, len(rows))))
        return figure


def uncertainty_figure(
    errors: Mapping[str, tuple[Array, Array]], colours: Mapping[str, int]
) -> Figure:
    """Draw errors against predicted standard deviations, one panel a model.

    Parameters
    ----------
    errors : mapping of model name to (error, deviation), each (frame, atom, pol, disp)
        In e.
    colours : mapping of model name to int
        Place of each model in the table.
    """
    from matplotlib.ticker import NullFormatter

    columns = min(4, max(2, len(errors)))
    rows = -(-len(errors) // columns)
    with styled():
        figure = new_figure(8.2, 8.2 / columns * rows + 0.7)
        panels = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
        for axes, (model, (error, deviation)) in zip(panels, errors.items(), strict=False):
            sizes = [np.sqrt(np.mean(x**2, axis=(-2, -1))).ravel() for x in (deviation, error)]
            predicted, found = calibration_curve(error, deviation)
            colour = model_colour(colours[model])
            both = np.concatenate([*sizes, found, predicted])
            low, high = (float(f(both[both > 0])) for f in (np.min, np.max))
            axes.plot([low, high], [low, high], color="#7a828e", linewidth=0.9, label="calibrated")
            axes.plot(
                *sizes,
                ".",
                color="#9aa3b0",
                markersize=2.5,
                markeredgewidth=0,
                alpha=0.6,
                rasterized=True,
                label="an atom",
            )
            axes.plot(
                predicted, found, "o-", color=colour, markersize=4, label="components, binned"
            )
            axes.set(xscale="log", yscale="log", title=model)
            axes.set_aspect("equal", adjustable="datalim")
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.yaxis.set_minor_formatter(NullFormatter())
        for axes in panels[len(errors) :]:
            axes.set_axis_off()
        figure.supxlabel("predicted deviation (e)", fontsize=10)
        figure.supylabel("rms error (e)", fontsize=10)
        handles, labels = panels[0].get_legend_handles_labels()
        for handle in figure.legend(
            handles, labels, loc="outside upper center", ncols=3, markerscale=1.5
        ).legend_handles:
            if handle is not None:
                handle.set_alpha(1)
        return figure


def cost_figure(results: Sequence[Result]) -> Figure | None:
    """Draw accuracy against speed of the models whose speed was measured, None if none was.

    Parameters
    ----------
    results : sequence of Result
        Each model has the colour of its place.
    """
    points = [
        (index, result.model.name, result.cost.inference.atoms_per_second, result.metrics["rmse"])
        for index, result in enumerate(results)
        if result.cost and result.cost.inference and "rmse" in result.metrics
    ]
    if not points or any(metric.value <= 0 for *_, metric in points):
        return None
    with styled():
        figure = new_figure(8.2, 4.0)
        axes = figure.subplots()
        for index, name, speed, metric in points:
            axes.plot(
                speed,
                metric.value,
                model_marker(index),
                color=model_colour(index),
                markersize=8,
                linestyle="none",
                label=name,
            )
        axes.set(xscale="log", yscale="log", ylabel="rms error (e)")
        axes.set_xlabel("atoms predicted a second \N{RIGHTWARDS ARROW} faster")
        axes.margins(0.12)
        figure.legend(loc="outside right center")
        return figure


def _components(apt: Array, irrep: int) -> Array:
    part = irrep_part(np.asarray(apt, float), irrep)
    if irrep == 0:
        return part[..., 0, 0][..., None]
    if irrep == 1:
        return np.stack([part[..., 0, 1], part[..., 1, 2], part[..., 2, 0]], -1)
    pairs = [(0, 0), (1, 1), (0, 1), (1, 2), (2, 0)]
    return np.stack([part[..., i, j] for i, j in pairs], -1)
