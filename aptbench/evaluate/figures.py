"""Figures of a report: errors, parity by irrep and species, and the infrared spectrum.

Colours are those of Okabe and Ito for models and of Paul Tol for species: both can be told apart
with every kind of colour vision, and lines and markers differ in shape as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from aptbench.elements import SYMBOLS
from aptbench.errors import MissingExtraError
from aptbench.evaluate.result import Metric
from aptbench.metrics.irreps import irrep_part

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = npt.NDArray[np.float64]

MODEL_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
SPECIES_COLOURS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377")
SPECIES_MARKERS = ("o", "^", "s", "D", "v", "P")
IRREP_TITLES = {0: "isotropic, L = 0", 1: "antisymmetric, L = 1", 2: "traceless symmetric, L = 2"}

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e6ea",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "svg.hashsalt": "aptbench",
    "savefig.facecolor": "white",
}


@dataclass(frozen=True, eq=False)
class Curve:
    """A spectrum to draw: wavenumber in cm^-1, n(w) alpha(w) in cm^-1, and its colour."""

    wavenumber: Array
    absorption: Array
    colour: str


def model_colour(index: int) -> str:
    """Return the colour of the model at a place in the table."""
    return MODEL_COLOURS[index % len(MODEL_COLOURS)]


def _line_style(index: int) -> Any:
    return LINE_STYLES[index % len(LINE_STYLES)]


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _styled() -> Any:
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot") from error
    return mpl.rc_context(_STYLE)


def save_figure(figure: Figure, stem: Path) -> None:
    """Write a figure as ``stem.png`` and ``stem.svg``; the same figure gives the same bytes."""
    with _styled():
        figure.savefig(stem.with_name(f"{stem.name}.png"), dpi=200, metadata={"Software": None})
        figure.savefig(stem.with_name(f"{stem.name}.svg"), dpi=200, metadata={"Date": None})


def spectrum_figure(
    curves: Mapping[str, Curve], bands: Mapping[str, tuple[float, float]], *, highest: float = 4000
) -> Figure:
    """Draw the infrared spectra of all models in absolute units.

    Parameters
    ----------
    curves : mapping of model name to Curve
    bands : mapping of band name to its limits in cm^-1
    highest : float
        Right end of the axis in cm^-1.
    """
    with _styled():
        figure = _figure(8.2, 4.3)
        axes = figure.subplots()
        top = 0.0
        for index, (name, curve) in enumerate(curves.items()):
            shown = curve.wavenumber <= highest
            absorption = curve.absorption[shown] / 1000
            top = max(top, float(absorption.max(initial=0)))
            axes.plot(
                curve.wavenumber[shown],
                absorption,
                label=name,
                color=curve.colour,
                linestyle=_line_style(index),
            )
        top = top or 1.0
        axes.set(xlim=(0, highest), ylim=(min(0, axes.get_ylim()[0]), 1.16 * top))
        for name, (low, high) in bands.items():
            axes.axvspan(low, high, color="#f1f3f6", zorder=0, linewidth=0)
            label = name.replace(" ", "\n", 1) if high - low < 400 else name
            axes.text(
                (low + high) / 2,
                1.145 * top,
                label,
                ha="center",
                va="top",
                fontsize=8.5 if high - low > 280 else 7.5,
                color="#4a5260",
            )
        axes.set_xlabel("wavenumber (cm$^{-1}$)")
        axes.set_ylabel(r"$n(\omega)\,\alpha(\omega)$ (10$^3$ cm$^{-1}$)")
        axes.grid(False, axis="x")
        # below the axes, where it cannot cover a curve
        figure.legend(loc="outside lower center", ncols=min(4, max(1, len(curves))))
        return figure


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

    with _styled():
        figure = _figure(8.2, 3.35)
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

    Parameters
    ----------
    rows : mapping of model name to its metrics
    names : sequence of (metric name, label)
        What to show, from left to right.
    """
    with _styled():
        figure = _figure(8.2, 3.5)
        axes = figure.subplots()
        place = np.arange(len(names))
        step = 0.7 / max(1, len(rows))
        markers = ("o", "s", "^", "D", "v", "P", "X")
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
                fmt=markers[index % len(markers)],
                color=model_colour(index),
                markersize=6,
                capsize=3,
                elinewidth=1.3,
                label=model,
            )
        axes.set_xticks(place, [label for _, label in names])
        axes.set(xlim=(-0.5, len(names) - 0.5), ylabel="rms error (e)")
        axes.set_ylim(bottom=0)
        axes.grid(False, axis="x")
        for edge in place[:-1] + 0.5:
            axes.axvline(edge, color="#e3e6ea", linewidth=0.8)
        figure.legend(loc="outside lower center", ncols=min(4, max(1, len(rows))))
        return figure


def _components(apt: Array, irrep: int) -> Array:
    part = irrep_part(np.asarray(apt, float), irrep)
    if irrep == 0:
        return part[..., 0, 0][..., None]
    if irrep == 1:
        return np.stack([part[..., 0, 1], part[..., 1, 2], part[..., 2, 0]], -1)
    pairs = [(0, 0), (1, 1), (0, 1), (1, 2), (2, 0)]
    return np.stack([part[..., i, j] for i, j in pairs], -1)
