"""What every spectral metric answers to a shift, a scale, a broadening and noise.

``python benchmarks/fidelity.py`` measures, writes ``results/fidelity.json``, and makes the tables
and the figure of ``docs/spectral-metrics.md`` anew. The network predicts a whole trajectory, which
takes minutes; ``--document`` only makes the tables and the figure from what was measured.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from aptbench.board.generated import markdown_table, refresh_file
from aptbench.spectra import IR1, Spectrum, absorption
from aptbench.spectra.fidelity import (
    HALF_AGAINST_HALF,
    band_current_error,
    current_error,
    fidelity,
    interval_of,
    noise_floor,
)
from aptbench.spectra.spectral_metrics import SPECTRAL_METRICS

PROJECT = Path(__file__).parents[1]
RESULTS = PROJECT / "benchmarks" / "results" / "fidelity.json"
DOCUMENT = PROJECT / "docs" / "spectral-metrics.md"
PICTURE = PROJECT / "docs" / "pictures" / "spectral-metrics.png"

GRID = IR1.wavenumber
STEP = IR1.grid[2]
PER_WIDTH = 1 / np.sqrt(8 * np.log(2))
DRAWS = 40
SYNTHETIC_LINES = ((190, 150, 1.5), (620, 350, 4.0), (1645, 90, 4.0), (3400, 350, 10.0))
"""Center and full width in cm^-1 and height in 10^3 cm^-1 of a spectrum like that of water."""
REFERENCE = "e3nn-reference"
MODELS = ("constant-charge", "point-charges")
Bands = Mapping[str, tuple[float, float]]


def lines(*parts: tuple[float, float, float]) -> np.ndarray:
    """Return Gaussian lines of a center, full width and height on the grid of the protocol."""
    return sum(
        height * np.exp(-(((GRID - center) / (width * PER_WIDTH)) ** 2) / 2)
        for center, width, height in parts
    )


def shifted(absorption: np.ndarray, amount: float, _: np.random.Generator) -> np.ndarray:
    return np.interp(GRID - amount, GRID, absorption)


def scaled(absorption: np.ndarray, amount: float, _: np.random.Generator) -> np.ndarray:
    return amount * absorption


def broadened(absorption: np.ndarray, amount: float, _: np.random.Generator) -> np.ndarray:
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(absorption, amount * PER_WIDTH / STEP, mode="nearest")


def noisy(absorption: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    noise = broadened(rng.normal(size=GRID.size), IR1.broadening, rng)
    return absorption + amount * absorption.max() * noise / noise.std()


PERTURBATIONS: Mapping[str, tuple[Callable[..., np.ndarray], tuple[float, ...]]] = {
    "shift": (shifted, (0.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0)),
    "scale": (scaled, (0.5, 0.7, 0.9, 1.0, 1.1, 1.5, 2.0)),
    "broadening": (broadened, (10.0, 20.0, 30.0, 50.0, 75.0, 100.0)),
    "noise": (noisy, (0.01, 0.02, 0.05, 0.1)),
}


def response(spectrum: Spectrum, band: tuple[float, float]) -> dict[str, Any]:
    """Return the metrics of a band for every amount of every perturbation of a spectrum."""
    rng = np.random.default_rng(0)
    answer: dict[str, Any] = {}
    for name, (perturb, amounts) in PERTURBATIONS.items():
        rows: dict[str, list[float]] = {metric: [] for metric in SPECTRAL_METRICS}
        for amount in amounts:
            draws = [
                replace(spectrum, absorption=perturb(spectrum.absorption, amount, rng))
                for _ in range(DRAWS if name == "noise" else 1)
            ]
            for label, metric in SPECTRAL_METRICS.items():
                values = np.array([metric(model, spectrum, band) for model in draws])
                if name == "noise" and metric.ideal == 0:
                    # of a signed number the mean over draws would hide the noise
                    values = np.abs(values)
                rows[label].append(_short(np.nanmean(values)))
        answer[name] = {"amounts": list(amounts), "metrics": rows}
    return answer


def doublet_response() -> dict[str, Any]:
    """Return the metrics of two lines 120 cm^-1 apart, on a background of 1 %, when shifted."""

    def doublet(shift: float) -> Spectrum:
        pair = lines((1640 + shift, 35, 1.0), (1760 + shift, 35, 1.0))
        return Spectrum(GRID, pair + 0.01, IR1)

    amounts = np.arange(0.0, 301.0, 10.0)
    band = (1000.0, 2400.0)
    rows = {
        name: [_short(metric(doublet(amount), doublet(0.0), band)) for amount in amounts]
        for name, metric in SPECTRAL_METRICS.items()
    }
    return {"amounts": amounts.tolist(), "band": band, "metrics": rows}


def half_factors(runs: int = 80) -> dict[str, Any]:
    """Return how much more the halves of a trajectory differ than the whole does from the truth.

    The current is a Gaussian process with one line, and the truth the mean over all runs.
    """
    rng = np.random.default_rng(2)
    protocol = replace(IR1, grid=(1000.0, 2400.0, 10.0))
    constants: dict[str, Any] = {"time_step": 2.0, "volume": 1000.0, "temperature": 300.0}
    frames, band = 8000, (1300.0, 2100.0)
    frequency = np.fft.rfftfreq(frames, constants["time_step"]) / 2.99792458e-5
    line = np.exp(-((frequency - 1700.0) ** 2) / (4 * 80.0**2))[:, None]
    spectra = []
    for _ in range(runs):
        white = np.fft.rfft(rng.normal(size=(frames, 3)), axis=0)
        series = 1e-3 * np.fft.irfft(white * line, frames, axis=0)
        parts = (slice(None), slice(0, frames // 2), slice(frames // 2, frames))
        spectra.append([absorption(series[p], **constants, protocol=protocol) for p in parts])
    mean = np.mean([whole.absorption for whole, _, _ in spectra], axis=0)
    truth = replace(spectra[0][0], absorption=mean)
    factors = {}
    for name, metric in SPECTRAL_METRICS.items():
        apart = [metric.distance(metric(first, second, band)) for _, first, second in spectra]
        away = [metric.distance(metric(whole, truth, band)) for whole, _, _ in spectra]
        factors[name] = _short(np.nanmean(apart) / np.nanmean(away))
    return factors


def model_current(name: str, frames: Any) -> np.ndarray:
    """Return the current of a model in e angstrom/fs, shape (frame, pol)."""
    from aptbench.models import load_model
    from aptbench.spectra import current

    model = load_model(name)
    parts = (frames[start : start + 50] for start in range(0, len(frames), 50))
    return np.concatenate([current(model.predict(part), part.velocities) for part in parts])


def measure() -> dict[str, Any]:
    """Return everything that the tables and the figure show."""
    from aptbench.data import open_dataset
    from aptbench.evaluate.trajectory import dense_trajectory
    from aptbench.spectra.sampled import sampled_spectra

    dataset = open_dataset("water")
    trajectory = dense_trajectory(dataset, dataset.systems[0])
    currents = {name: model_current(name, trajectory.frames) for name in (REFERENCE, *MODELS)}
    constants: dict[str, Any] = {
        "time_step": trajectory.time_step,
        "volume": trajectory.volume,
        "temperature": trajectory.temperature,
    }
    sampled = sampled_spectra(currents, **constants)
    reference = sampled.spectrum(REFERENCE)
    places = {"all": None, **trajectory.bands}
    models: dict[str, Any] = {}
    for name in MODELS:
        model = sampled.spectrum(name)
        pair = (model, reference, sampled.samples(name), sampled.samples(REFERENCE))
        difference = absorption(currents[name] - currents[REFERENCE], **constants)
        models[name] = {
            "current_error": _short(current_error(currents[name], currents[REFERENCE])),
            "bands": {
                place: {
                    **{
                        metric: _interval(interval_of(metric, *pair, band, 0.95, sampled.n_blocks))
                        for metric in SPECTRAL_METRICS
                    },
                    "band_current_error": {
                        "value": _short(band_current_error(difference, reference, band))
                    },
                }
                for place, band in places.items()
            },
        }
    apart = fidelity(sampled.spectrum(MODELS[0]), sampled.spectrum(MODELS[1]), trajectory.bands)
    floor = noise_floor(sampled.half(REFERENCE, 0), sampled.half(REFERENCE, 1), trajectory.bands)
    synthetic = Spectrum(GRID, 1000 * lines(*SYNTHETIC_LINES), IR1)
    return {
        "dataset": f"{dataset.name} {dataset.version}",
        "frames": len(trajectory.frames),
        "time_step_fs": trajectory.time_step,
        "reference": REFERENCE,
        "n_blocks": sampled.n_blocks,
        "bands": dict(trajectory.bands),
        "models": models,
        "charges_apart": {place: _rounded(row) for place, row in apart.items()},
        "halves": {place: _rounded(row) for place, row in floor.items()},
        "synthetic": response(synthetic, (3000.0, 3800.0)),
        "water": response(sampled.spectrum("point-charges"), trajectory.bands["stretch"]),
        "doublet": doublet_response(),
        "half_factors": half_factors(),
    }


def document_blocks(results: Mapping[str, Any]) -> dict[str, str]:
    """Return the generated tables of the document, from the measured results."""
    blocks = {"registry": _registry(), "doublet": _doublet(results["doublet"])}
    for name in ("synthetic", "water"):
        blocks[f"response-{name}"] = _response(results[name])
    blocks["models"] = _models(results)
    blocks["halves"] = _halves(results["half_factors"])
    return blocks


def _registry() -> str:
    yes = {True: "yes", False: "no"}
    rows = [
        (
            f"`{metric.name}`",
            "" if metric.unit == "1" else metric.unit,
            f"{metric.ideal:g}",
            yes[metric.ranked],
            yes[not metric.scale_free],
            yes[metric.shift_monotone],
            metric.meaning,
        )
        for metric in SPECTRAL_METRICS.values()
    ]
    head = ["metric", "unit", "ideal", "ranked", "sees intensity", "monotone in a shift", "meaning"]
    return markdown_table(head, rows, numbers=False)


def _response(measured: Mapping[str, Any]) -> str:
    shown = {
        "shift": (10.0, 50.0),
        "scale": (0.5, 2.0),
        "broadening": (30.0, 100.0),
        "noise": (0.02, 0.1),
    }
    words = {"shift": "shift {:g}", "scale": "x {:g}", "broadening": "width {:g}"}
    head, columns = ["metric"], []
    for name, amounts in shown.items():
        for amount in amounts:
            head.append(words.get(name, "noise {:.0%}").format(amount))
            columns.append((name, measured[name]["amounts"].index(amount)))
    rows = [
        (f"`{metric}`", *(_text(measured[name]["metrics"][metric][k]) for name, k in columns))
        for metric in SPECTRAL_METRICS
    ]
    return markdown_table(head, rows)


def _doublet(measured: Mapping[str, Any]) -> str:
    shown = (20.0, 60.0, 90.0, 120.0, 180.0, 240.0, 300.0)
    places = [measured["amounts"].index(amount) for amount in shown]
    names = ("wasserstein1", "peak_shift", "relative_l1", *_unranked())
    rows = [(f"`{name}`", *(_text(measured["metrics"][name][k]) for k in places)) for name in names]
    return markdown_table(["metric", *(f"{amount:g}" for amount in shown)], rows)


def _models(results: Mapping[str, Any]) -> str:
    names = ("relative_l1", "band_integral_error", "wasserstein1", *_unranked())
    head = ["", "band", *(f"`{name}`" for name in names), "current error"]
    rows: list[tuple[str, ...]] = []
    for model, row in results["models"].items():
        for place, metrics in row["bands"].items():
            cells = [_with_interval(metrics[name]) for name in names]
            rows.append((model, place, *cells, _text(metrics["band_current_error"]["value"])))
    for label, table in (
        ("halves of the reference", results["halves"]),
        ("constant-charge against point-charges", results["charges_apart"]),
    ):
        for place, metrics in table.items():
            rows.append((label, place, *(_text(metrics[name]) for name in names), ""))
    span = results["frames"] * results["time_step_fs"] / 1000
    note = f"Data set `{results['dataset']}`, {span:.1f} ps, {results['n_blocks']} blocks of time."
    return f"{markdown_table(head, rows)}\n\n{note}"


def _halves(factors: Mapping[str, Any]) -> str:
    rows = []
    for name, metric in SPECTRAL_METRICS.items():
        theory = "–" if metric.order is None else f"{HALF_AGAINST_HALF**metric.order:g}"
        rows.append((f"`{name}`", theory, _text(factors[name])))
    return markdown_table(["metric", "theory", "measured"], rows)


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Draw the distance from the ideal against the amount of every perturbation."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from aptbench.evaluate.figures import MODEL_COLOURS

    # the least upper end of an axis: rounding must not fill an empty panel
    rows = {
        "relative deviation": (0.1, ("relative_l1", "band_integral_error", "peak_height_ratio")),
        "deviation (cm$^{-1}$)": (10.0, ("wasserstein1", "peak_shift", "peak_width_error")),
        "1 - similarity": (0.1, _unranked()),
    }
    titles = {
        "shift": "shift (cm$^{-1}$)",
        "scale": "factor on intensity",
        "broadening": "broadening (cm$^{-1}$)",
        "noise": "noise / highest absorption",
        "doublet": "shift of a doublet (cm$^{-1}$)",
    }
    style = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    with mpl.rc_context(style):
        figure = Figure(figsize=(13.6, 6.9), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(len(rows), len(titles), sharex="col")
        for line, (label, (least, names)) in enumerate(rows.items()):
            for column, title in enumerate(titles):
                axes = panels[line, column]
                for name, colour in zip(names, MODEL_COLOURS, strict=False):
                    for source, pattern in (("synthetic", "-"), ("water", "--")):
                        if title == "doublet" and source == "water":
                            continue
                        measured = (
                            results["doublet"] if title == "doublet" else results[source][title]
                        )
                        ideal = SPECTRAL_METRICS[name].ideal
                        values = np.array(measured["metrics"][name], float)
                        axes.plot(
                            measured["amounts"],
                            np.abs(values - ideal),
                            pattern,
                            color=colour,
                            linewidth=1.4,
                            clip_on=False,
                            label=name if (column, source) == (0, "synthetic") else None,
                        )
                axes.set_ylim(0, max(least, axes.get_ylim()[1]))
                axes.margins(x=0.02)
                axes.grid(color="#e3e6ea", linewidth=0.6)
                if line == len(rows) - 1:
                    axes.set_xlabel(titles[title])
            panels[line, 0].set_ylabel(label)
            handles, labels = panels[line, 0].get_legend_handles_labels()
            panels[line, -1].legend(
                handles, labels, frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5)
            )
        figure.suptitle("stretch band: solid synthetic water, dashed simulated water", fontsize=9.5)
        figure.savefig(path, dpi=130, metadata={"Software": None})


def _unranked() -> tuple[str, ...]:
    return ("information_similarity", "pearson", "cosine")


def _short(value: float) -> float | None:
    if np.isnan(value):
        return None
    # rounding below is not a measurement
    return 0.0 if abs(value) < 1e-9 else float(f"{value:.5g}")


def _rounded(row: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _short(value) for name, value in row.items()}


def _interval(numbers: tuple[float, float, float]) -> dict[str, float | None]:
    return dict(zip(("value", "low", "high"), map(_short, numbers), strict=True))


def _text(value: float | None) -> str:
    if value is None:
        return "–"
    if abs(value) < 5e-4:
        return "0"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}".rstrip("0").rstrip(".")


def _with_interval(number: Mapping[str, float | None]) -> str:
    if number["low"] is None:
        return _text(number["value"])
    return f"{_text(number['value'])} [{_text(number['low'])}, {_text(number['high'])}]"


def main() -> None:
    """Measure unless told not to; write results, tables and figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--document", action="store_true", help="do not measure again")
    if not parser.parse_args().document:
        RESULTS.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    refresh_file(DOCUMENT, document_blocks(results))
    draw(results, PICTURE)


if __name__ == "__main__":
    main()
