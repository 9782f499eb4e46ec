"""Canvas of all figures: colours, style, and files that are the same for the same figure.

Colours are those of Okabe and Ito for the first models and of Paul Tol for further ones and for
species: they can be told apart with every kind of colour vision, and lines and markers differ in
shape as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from aptbench.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODEL_COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#D55E00",
    "#56B4E9",
    "#000000",
    "#882255",
    "#999933",
    "#7F7F7F",
    "#332288",
)
MODEL_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
SPECIES_COLOURS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377")
SPECIES_MARKERS = ("o", "^", "s", "D", "v", "P")

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


def model_colour(index: int) -> str:
    """Return the colour of the model at a place in the table."""
    return MODEL_COLOURS[index % len(MODEL_COLOURS)]


def model_marker(index: int) -> str:
    """Return the marker of the model at a place in the table."""
    return MODEL_MARKERS[index % len(MODEL_MARKERS)]


def line_style(index: int) -> Any:
    return LINE_STYLES[index % len(LINE_STYLES)]


def new_figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def styled() -> Any:
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot") from error
    return mpl.rc_context(_STYLE)


def save_figure(figure: Figure, stem: Path, *, dpi: int = 200, vector: bool = True) -> None:
    """Write a figure as ``stem.png`` and ``stem.svg``; the same figure gives the same bytes."""
    with styled():
        figure.savefig(stem.with_name(f"{stem.name}.png"), dpi=dpi, metadata={"Software": None})
        if vector:
            figure.savefig(stem.with_name(f"{stem.name}.svg"), dpi=dpi, metadata={"Date": None})
