"""Figures of spectra: models against the reference, and the channels of an assignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.evaluate.canvas import line_style, model_colour, new_figure, styled
from aptbench.evaluate.spectral_study import REFERENCE, SpectralStudy
from aptbench.evaluate.trajectory import DenseTrajectory
from aptbench.spectra.assignment import Assignment
from aptbench.spectra.molar import molar_absorption
from aptbench.spectra.power import PowerSpectrum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = npt.NDArray[np.float64]

REFERENCE_COLOUR: Final = "#222222"
BAND_COLOUR: Final = "#c9ced6"
CHANNEL_COLOURS: Final = (
    "#4477AA",
    "#EE6677",
    "#228833",
    "#CCBB44",
    "#AA3377",
    "#66CCEE",
    "#BB5500",
    "#777777",
)
FAMILY_TITLES: Final = {
    "species": "species and pairs of species",
    "range": "atoms, molecules, and between molecules",
    "mode": "modes of all molecules",
    "mode-self": "modes of each molecule by itself",
    "kind": "kinds of molecules",
    "solvation shell": "each molecule with its shells",
    "solute shell": "shells around the solutes",
}
_BESIDE: Final[dict[str, Any]] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
_HIGHEST: Final = 4000.0
_MOST_CHANNELS: Final = 6


def study_figure(study: SpectralStudy) -> Figure:
    """Draw the spectra of models and reference, and the errors of the models below.

    The grey band is the 95 % interval of the reference. Where there is none, the models have the
    interval of the dynamics.
    """
    reference = study.reference_spectrum()
    factor, unit = _scale(study.trajectory)
    with styled():
        compared = reference is not None and len(study.models) > 0
        figure = new_figure(8.2, 6.0 if compared else 4.3)
        ratios = (2.2, 1) if compared else (1,)
        panels = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)[
            :, 0
        ].tolist()
        top = panels[0]
        grid = study.spectra.wavenumber
        shown = grid <= _HIGHEST
        if reference is not None:
            spectrum, low, high = reference
            name = f"{study.reference.theory} labels" if study.reference else REFERENCE
            if not study.dense:
                name += f", debiased ({study.best_debiased})"
            ends = factor * low[shown], factor * high[shown]
            top.fill_between(grid[shown], *ends, color=BAND_COLOUR, linewidth=0, label="95 % band")
            top.plot(
                grid[shown],
                factor * spectrum.absorption[shown],
                color=REFERENCE_COLOUR,
                linewidth=2.0,
                label=name,
            )
            if compared:
                centre, below = spectrum.absorption, panels[1]
                ends = factor * (low - centre)[shown], factor * (high - centre)[shown]
                below.fill_between(grid[shown], *ends, color=BAND_COLOUR, linewidth=0)
                below.axhline(0, color=REFERENCE_COLOUR, linewidth=1.0)
                below.set_ylabel("model \N{MINUS SIGN} reference")
        for index, model in enumerate(study.models):
            look: dict[str, Any] = {"color": model_colour(index), "linestyle": line_style(index)}
            values = study.spectra.spectrum(model).absorption
            if reference is None:
                low, high = study.spectra.interval(model)
                ends = factor * low[shown], factor * high[shown]
                top.fill_between(grid[shown], *ends, color=look["color"], alpha=0.18, linewidth=0)
            else:
                panels[1].plot(
                    grid[shown], factor * (values - reference[0].absorption)[shown], **look
                )
            top.plot(grid[shown], factor * values[shown], label=model, **look)
        if study.from_dipole is not None:
            values = factor * study.from_dipole.absorption[shown]
            top.plot(grid[shown], values, color="#D55E00", linestyle=":", label="from dipoles")
        top.set_ylabel(unit)
        _finish(panels, study.trajectory.bands)
        figure.legend(loc="outside lower center", ncols=min(3, len(study.models) + 2))
        return figure


def channels_figure(assignment: Assignment, trajectory: DenseTrajectory) -> Figure:
    """Draw the channels of an assignment, one panel a family, over the total.

    Families with many channels show those of largest area; the sum of the others is one curve, so
    that what is drawn still adds up.
    """
    names = [
        name
        for name in assignment.families
        if name in FAMILY_TITLES and len(assignment.family(name).names) > 1
    ]
    factor, unit = _scale(trajectory)
    grid, total = assignment.total.wavenumber, factor * assignment.total.absorption
    shown = grid <= _HIGHEST
    rows = -(-len(names) // 2)
    with styled():
        figure = new_figure(13.0, 3.1 * rows + 0.3)
        panels = figure.subplots(rows, 2, sharex=True, squeeze=False).ravel().tolist()
        for axes, name in zip(panels, names, strict=False):
            axes.plot(
                grid[shown], total[shown], color=REFERENCE_COLOUR, linewidth=1.0, label="total"
            )
            for index, (label, values) in enumerate(main_channels(assignment, name).items()):
                axes.plot(
                    grid[shown],
                    factor * values[shown],
                    color=CHANNEL_COLOURS[index % len(CHANNEL_COLOURS)],
                    linestyle=line_style(index),
                    label=_short(label),
                )
            axes.axhline(0, color="#7a828e", linewidth=0.7)
            axes.set_title(FAMILY_TITLES[name], loc="left")
            axes.legend(fontsize=7.5, **_BESIDE)
        for axes in panels[len(names) :]:
            axes.set_visible(False)
        for axes in panels[: len(names) : 2]:
            axes.set_ylabel(unit, fontsize=8.5)
        _finish(panels[: len(names)], trajectory.bands, named=False)
        return figure


def stacked_figure(assignment: Assignment, trajectory: DenseTrajectory, family: str) -> Figure:
    """Draw the channels of a family as areas: what adds above zero, what takes away below it.

    The line is the total, the difference of the two stacks at every wavenumber.
    """
    factor, unit = _scale(trajectory)
    grid = assignment.total.wavenumber
    shown = grid <= _HIGHEST
    with styled():
        figure = new_figure(8.2, 4.3)
        axes = figure.subplots()
        above, below = np.zeros(shown.sum()), np.zeros(shown.sum())
        for index, (label, values) in enumerate(main_channels(assignment, family).items()):
            part = factor * values[shown]
            colour = CHANNEL_COLOURS[index % len(CHANNEL_COLOURS)]
            look: dict[str, Any] = {"color": colour, "linewidth": 0, "alpha": 0.75}
            look["rasterized"] = True  # areas of thousands of points make megabytes of SVG
            plus, minus = np.maximum(part, 0), np.minimum(part, 0)
            axes.fill_between(grid[shown], above, above + plus, label=_short(label), **look)
            axes.fill_between(grid[shown], below + minus, below, **look)
            above, below = above + plus, below + minus
        total = factor * assignment.total.absorption[shown]
        axes.plot(grid[shown], total, color=REFERENCE_COLOUR, linewidth=1.4, label="total")
        axes.axhline(0, color="#7a828e", linewidth=0.7)
        axes.set_ylabel(unit)
        _finish([axes], trajectory.bands)
        figure.legend(loc="outside lower center", ncols=4)
        return figure


def distance_figure(assignment: Assignment, trajectory: DenseTrajectory) -> Figure:
    """Draw how much the pairs of molecules at each distance absorb, per angstrom."""
    family = assignment.family("distance")
    factor, unit = _scale(trajectory)
    grid = assignment.total.wavenumber
    shown = grid <= _HIGHEST
    shells = [name for name in family.names if "-" in name]
    edges = np.array([float(name.split("-")[0]) for name in shells] + [_upper(shells[-1])])
    rows = np.array([family.index(name) for name in shells])
    density = factor * family.spectra[rows][:, shown] / np.diff(edges)[:, None]
    strength = np.abs(density).max(1)
    shells_seen = np.flatnonzero(strength >= 0.01 * strength.max())
    first, last = (int(shells_seen[k]) for k in (0, -1))
    with styled():
        figure = new_figure(8.2, 5.6)
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.6))
        alone = factor * family.spectra[family.index("self")][shown]
        top.plot(grid[shown], alone, color=CHANNEL_COLOURS[0], label="each molecule by itself")
        top.plot(
            grid[shown],
            factor * assignment.total.absorption[shown] - alone,
            color=CHANNEL_COLOURS[1],
            linestyle="--",
            label="all pairs",
        )
        top.axhline(0, color="#7a828e", linewidth=0.7)
        top.set_ylabel(unit, fontsize=8.5)
        figure.legend(loc="outside lower center", ncols=2)
        most = float(np.abs(density).max()) or 1.0
        mesh = below.pcolormesh(
            _cell_edges(grid[shown]),
            edges[first : last + 2],
            density[first : last + 1],
            cmap="RdBu_r",
            vmin=-most,
            vmax=most,
            rasterized=True,
        )
        below.set_ylabel("distance of the molecules (\N{ANGSTROM SIGN})")
        below.grid(False)
        bar = figure.colorbar(mesh, ax=below, pad=0.01)
        bar.set_label(f"{unit} per \N{ANGSTROM SIGN}", fontsize=8)
        _finish([top, below], trajectory.bands, shade=1)
        return figure


def power_figure(power: PowerSpectrum, bands: Mapping[str, tuple[float, float]]) -> Figure:
    """Draw the vibrational density of states of every group of atoms, and their sum."""
    shown = power.wavenumber <= _HIGHEST
    with styled():
        figure = new_figure(8.2, 4.0)
        axes = figure.subplots()
        axes.plot(power.wavenumber[shown], power.total[shown], color=REFERENCE_COLOUR, label="all")
        for index, group in enumerate(power.groups):
            axes.plot(
                power.wavenumber[shown],
                power.of(group)[shown],
                color=CHANNEL_COLOURS[index % len(CHANNEL_COLOURS)],
                linestyle=line_style(index),
                label=group,
            )
        axes.set_ylabel("density of states (modes / cm$^{-1}$)")
        _finish([axes], bands)
        figure.legend(loc="outside lower center", ncols=len(power.groups) + 1)
        return figure


def main_channels(assignment: Assignment, family: str) -> dict[str, Array]:
    """Return the largest channels of a family by name, and the sum of the others."""
    channels = assignment.family(family)
    area = np.abs(channels.spectra).sum(1)
    kept = set(np.argsort(area)[::-1][:_MOST_CHANNELS].tolist())
    if len(channels.names) <= _MOST_CHANNELS + 1:
        kept = set(range(len(channels.names)))
    found = {name: channels.spectra[k] for k, name in enumerate(channels.names) if k in kept}
    others = [k for k in range(len(channels.names)) if k not in kept]
    if others:
        found[f"{len(others)} others"] = channels.spectra[others].sum(0)
    return found


def _scale(trajectory: DenseTrajectory) -> tuple[float, str]:
    if trajectory.isolated:
        return molar_absorption(trajectory.volume), "km mol$^{-1}$ / cm$^{-1}$"
    return 1e-3, r"$n(\omega)\,\alpha(\omega)$ (10$^3$ cm$^{-1}$)"


def _short(label: str) -> str:
    return label.replace("symmetric stretch", "sym. stretch")


def _upper(name: str) -> float:
    return float(name.split("-")[1])


def _cell_edges(grid: Array) -> Array:
    middle = (grid[1:] + grid[:-1]) / 2
    return np.concatenate([[2 * grid[0] - middle[0]], middle, [2 * grid[-1] - middle[-1]]])


def _finish(
    panels: Sequence[Any],
    bands: Mapping[str, tuple[float, float]],
    *,
    named: bool = True,
    shade: int | None = None,
) -> None:
    """Mark the bands in all panels (or the first ``shade``), name them in the first one."""
    top = panels[0]
    if named:
        low, high = top.get_ylim()
        top.set_ylim(low, high + 0.1 * (high - low))
    for axes in list(panels)[:shade]:
        for low, high in bands.values():
            axes.axvspan(low, high, color="#f1f3f6", zorder=0, linewidth=0)
    for axes in panels:
        axes.grid(False, axis="x")
        axes.set_xlim(0, _HIGHEST)
    panels[-1].set_xlabel("wavenumber (cm$^{-1}$)")
    if named:
        for name, (low, high) in bands.items():
            top.text(
                (low + high) / 2,
                0.99,
                name.replace(" ", "\n", 1) if high - low < 400 else name,
                transform=top.get_xaxis_transform(),
                ha="center",
                va="top",
                fontsize=8.5 if high - low > 280 else 7.5,
                color="#4a5260",
            )
