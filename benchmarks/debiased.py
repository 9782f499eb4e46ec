"""Validate debiased spectra where every frame has a label: coverage, width, bias, gain.

    python benchmarks/debiased.py                                # the synthetic liquid
    python benchmarks/debiased.py --source DATASET:SYSTEM        # a store labelled at every frame

Labels are drawn many times from the dense ones; the truth is the spectrum of the dense reference
current on the same trajectory. Trajectory and finished rows are kept in ``reports/.cache``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aptbench.atomic import write_archive, write_atomically
from aptbench.board.generated import markdown_table, refresh_file
from aptbench.data import open_dataset
from aptbench.frames import Frames, LabelledFrames
from aptbench.models.constant import ConstantCharge
from aptbench.oracle import PolarizableWater, liquid, velocity_verlet
from aptbench.spectra import (
    IR1,
    WATER_BANDS,
    absorption,
    current,
    uniform_time_step,
)
from aptbench.spectra.debiased import debiased_spectrum

Array = npt.NDArray[np.float64]

PROJECT = Path(__file__).parents[1]
CACHE = PROJECT / "reports" / ".cache" / "debiased"
RESULTS = PROJECT / "benchmarks" / "results"
SPECTRA = PROJECT / "aptbench" / "spectra"
MODULES = ("debiased", "label_estimate", "label_sample", "residual")

# points every 10 cm^-1 still resolve lines of 30 cm^-1
PROTOCOL = replace(IR1, name="ir@1, every 10 cm^-1", grid=(0.0, 4000.0, 10.0))
LABELS = (8, 16, 32, 64, 128)
BURST = 6
CLUSTERS = 3
DESIGNS = (("random", True), ("random", False), ("even", True), ("burst", True))
INSIDE = (50.0, 4000.0)
GENERAL_BANDS = {
    "below 1000": (50.0, 1000.0),
    "1000-2000": (1000.0, 2000.0),
    "above 2000": (2000.0, 4000.0),
}
ORACLE = {"n_molecules": 8, "n_frames": 8000, "time_step": 0.5, "stride": 4, "seed": 1}
CHUNK = 500
PERTURBED = PolarizableWater(charge=0.35, flux_bond=0.12, alpha_oxygen=0.90, alpha_hydrogen=0.25)


@dataclass(frozen=True, eq=False)
class Truth:
    """A trajectory with its dense reference current and the currents of models."""

    name: str
    reference: Array
    models: dict[str, Array]
    bands: dict[str, tuple[float, float]]
    time_step: float
    volume: float
    temperature: float
    channels: Array | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What every spectrum of the trajectory is made with."""
        return {
            "time_step": self.time_step,
            "volume": self.volume,
            "temperature": self.temperature,
            "protocol": PROTOCOL,
        }


def oracle() -> Truth:
    """Return the synthetic liquid, of which each chunk is kept as soon as it is made."""
    folder = CACHE / "oracle"
    folder.mkdir(parents=True, exist_ok=True)
    water = PolarizableWater()
    parts, last = [], None
    for number in range(ORACLE["n_frames"] // CHUNK):
        path = folder / f"chunk-{number:03d}.npz"
        if not path.is_file():
            if last is None:
                settings = {key: ORACLE[key] for key in ("n_molecules", "time_step", "stride")}
                settings["equilibration"] = 4000
                frames = liquid(n_frames=CHUNK, seed=ORACLE["seed"], **settings)
            else:
                steps = {"time_step": ORACLE["time_step"], "stride": ORACLE["stride"]}
                frames = velocity_verlet(water, last, n_frames=CHUNK + 1, **steps)[1:]
            _save(path, frames, water.predict(frames), PERTURBED.predict(frames))
        arrays = np.load(path)
        molecule = np.repeat(np.arange(ORACLE["n_molecules"]), 3)
        numbers = np.tile([8, 1, 1], ORACLE["n_molecules"])
        frames = Frames(
            numbers, arrays["positions"], arrays["cell"], arrays["velocities"], molecule
        )
        last = frames[len(frames) - 1]
        parts.append((frames, arrays["apt"], arrays["perturbed"]))
    frames = parts[0][0].replace(
        positions=np.concatenate([part[0].positions for part in parts]),
        velocities=np.concatenate([part[0].velocities for part in parts]),
        cell=parts[0][0].cell[0],
    )
    apt, perturbed = (np.concatenate([part[k] for part in parts]) for k in (1, 2))
    train = _training()
    constant = ConstantCharge().fit(train).predict(frames)
    # the two hydrogens of a molecule are told apart, which no tensor does: wrong out of phase
    unequal = constant * np.tile([1.0, 1.5, 0.5], ORACLE["n_molecules"])[:, None, None]
    models = {
        "unequal hydrogens": unequal,
        "constant charges": constant,
        "mean molecular tensors": mean_molecular_tensors(train, frames),
        "changed parameters": perturbed,
    }
    turns = molecular_rotations(frames)
    velocities = frames.velocities.reshape(len(frames), -1, 3, 3)
    inside = np.einsum("fmxk,fmax->fmak", turns, velocities)
    channels = np.einsum("fmpj,fmak->fpjak", turns, inside).reshape(len(frames), 3, 27)
    return Truth(
        "oracle",
        current(apt, frames.velocities),
        {name: current(tensors, frames.velocities) for name, tensors in models.items()},
        {name: (low, high) for name, low, high in WATER_BANDS},
        ORACLE["time_step"] * ORACLE["stride"],
        float(frames.volumes[0]),
        float(frames.temperatures.mean()),
        channels,
    )


def stored(source: str) -> Truth:
    """Return a system of a data set whose every frame is labelled."""
    name, system = source.split(":")
    dataset = open_dataset(name)
    if not np.array_equal(dataset.label_frames(system), np.arange(dataset.n_frames(system))):
        raise SystemExit(f"{source}: not every frame is labelled, so that there is no truth.")
    data = dataset.labelled(system)
    frames = data.frames
    # two numbers a species and one tensor an atom, against all labels: nothing to overfit
    models = {
        "constant charges": ConstantCharge().fit(data).predict(frames),
        "mean molecular tensors": mean_molecular_tensors(data, frames),
    }
    stated = dataset.attrs.get("infrared_bands")
    if stated is not None:
        bands = {str(key): (float(low), float(high)) for key, (low, high) in stated.items()}
    elif set(frames.atomic_numbers.tolist()) == {1, 8}:
        bands = {key: (low, high) for key, low, high in WATER_BANDS}
    else:
        bands = GENERAL_BANDS
    return Truth(
        source,
        current(data.apt, frames.velocities),
        {key: current(tensors, frames.velocities) for key, tensors in models.items()},
        bands,
        uniform_time_step(dataset.times(system)),
        float(frames.volumes.mean()) if frames.periodic else 1000.0,
        float(frames.temperatures.mean()),
    )


def molecular_rotations(frames: Frames) -> Array:
    """Return rotations from the geometry of the first molecule, (frame, molecule, 3, 3)."""
    table = np.zeros(frames.n_atoms, int) if frames.molecule is None else frames.molecule
    atoms = np.array([np.flatnonzero(table == name) for name in np.unique(table)])
    relative = frames.positions[:, atoms] - frames.positions[:, atoms[:, :1]]
    if frames.cell is not None:
        cell = frames.cell[0]
        relative = relative - np.round(relative @ np.linalg.inv(cell)) @ cell
    masses = frames.masses[atoms[0]]
    relative -= (masses @ relative / masses.sum())[..., None, :]
    covariance = np.einsum("fmax,a,ay->fmxy", relative, masses, relative[0, 0])
    left, _, right = np.linalg.svd(covariance)
    left[..., 2] *= np.linalg.det(left @ right)[..., None]
    return left @ right


def mean_molecular_tensors(train: LabelledFrames, frames: Frames) -> Array:
    """Predict the mean of the tensors in the frame of the molecule, turned with it."""
    table = np.zeros(frames.n_atoms, int) if frames.molecule is None else frames.molecule
    atoms = np.array([np.flatnonzero(table == name) for name in np.unique(table)])
    both = train.frames.replace(
        positions=np.concatenate([train.frames.positions[:1], frames.positions]),
        velocities=None,
        cell=None if frames.cell is None else frames.cell[0],
    )
    turns = molecular_rotations(train.frames)
    mean = np.einsum("fmxi,fmaxy,fmyj->aij", turns, train.apt[:, atoms], turns, optimize=True) / (
        turns.shape[0] * turns.shape[1]
    )
    # the first frame is that of the training, so that both have one geometry to refer to
    turns = molecular_rotations(both)[1:]
    tensors = np.empty((len(frames), frames.n_atoms, 3, 3))
    tensors[:, atoms] = np.einsum("fmxi,aij,fmyj->fmaxy", turns, mean, turns, optimize=True)
    return tensors


def label_sets(design: str, n_labels: int, n_frames: int, n: int, seed: int) -> Iterator[Array]:
    """Yield sets of label frames."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        if design == "random":
            yield np.sort(rng.permutation(n_frames)[:n_labels])
        elif design == "even":
            spacing = n_frames // n_labels
            yield rng.integers(spacing) + spacing * np.arange(n_labels)
        else:
            places = n_frames // (2 * BURST)
            starts = 2 * BURST * np.sort(rng.permutation(places)[: n_labels // BURST])
            shift = rng.integers(n_frames - 2 * BURST * places + BURST)
            yield (starts[:, None] + shift + np.arange(BURST)).ravel()


def row(truth: Truth, model: str, design: str, n_labels: int, control: bool, n: int) -> dict:
    """Return one row of the table: averages over ``n`` sets of labels."""
    m, ref, options = truth.models[model], truth.reference, truth.options
    exact = absorption(ref, **options)
    grid = exact.wavenumber
    inside = (grid >= INSIDE[0]) & (grid <= INSIDE[1])
    target = exact.absorption[inside]
    key = f"{design} {n_labels} {n}"
    results = []
    for frames in label_sets(design, n_labels, len(m), n, zlib.crc32(key.encode())):
        result = debiased_spectrum(
            m, frames, ref[frames], bands=truth.bands, control_variate=control, **options
        )
        low, high = result.low[inside], result.high[inside]
        value = result.spectrum.absorption[inside]
        covered = (low <= target) & (target <= high)
        bands = {}
        for name, ends in truth.bands.items():
            area = exact.integral(*ends)
            estimate, below, above = result.band_integral(*ends)
            bands[name] = [below <= area <= above, (above - below) / 2 / area, estimate / area - 1]
        systematic = sum(part[inside] for part in result._systematic) / 2
        eta = result.current_error
        results.append((value, covered, (high - low) / 2, systematic, bands, eta, result))
    values, covered, halves, systematic = (np.array([r[k] for r in results]) for k in range(4))
    mass = np.abs(target).sum()
    difference = ref - m
    true_eta = float(np.sqrt(np.mean(difference**2) / np.mean(ref**2)))
    strong = target > 0.05 * target.max()
    return {
        "model": model,
        "design": design,
        "labels": n_labels,
        "clusters": results[0][6].n_clusters,
        "control_variate": control,
        "label_sets": n,
        "coverage_points": float(covered.mean()),
        "coverage_strong_points": float(covered[:, strong].mean()),
        "coverage_bands": {
            name: float(np.mean([r[4][name][0] for r in results])) for name in truth.bands
        },
        "coverage_current_error": float(np.mean([r[5][1] <= true_eta <= r[5][2] for r in results])),
        "current_error": true_eta,
        "half_width": float(np.median(halves.sum(1)) / mass),
        "systematic_part": float(np.median(systematic.sum(1)) / mass),
        "half_width_bands": {
            name: float(np.median([r[4][name][1] for r in results])) for name in truth.bands
        },
        "bias_bands": {
            name: float(np.mean([r[4][name][2] for r in results])) for name in truth.bands
        },
        "error": float(np.median(np.abs(values - target).sum(1)) / mass),
        "bias": float(np.abs(values.mean(0) - target).sum() / mass),
        "error_of_model": float(
            np.abs(absorption(m, **options).absorption[inside] - target).sum() / mass
        ),
    }


def reuse(truth: Truth, n: int, n_labels: int = 16) -> dict[str, Any]:
    """Return what happens where the labels that fitted the model are used to debias it."""
    assert truth.channels is not None
    exact = absorption(truth.reference, **truth.options)
    out: dict[str, list[list[float]]] = {"same": [], "fresh": []}
    rng = np.random.default_rng(0)
    for _ in range(n):
        order = rng.permutation(len(truth.reference))
        fit, other = order[:n_labels], order[n_labels : 2 * n_labels]
        x = truth.channels[fit].reshape(-1, truth.channels.shape[-1])
        ridge = 1e-3 * np.mean(x**2) * len(x)
        gram = x.T @ x + ridge * np.eye(x.shape[1])
        weights = np.linalg.solve(gram, x.T @ truth.reference[fit].ravel())
        m = truth.channels @ weights
        eta = np.sqrt(np.mean((truth.reference - m) ** 2) / np.mean(truth.reference**2))
        for name, frames in (("same", fit), ("fresh", other)):
            result = debiased_spectrum(m, frames, truth.reference[frames], **truth.options)
            covered = [
                low <= exact.integral(*ends) <= high
                for ends in truth.bands.values()
                for _, low, high in [result.band_integral(*ends)]
            ]
            estimate, low, high = result.current_error
            out[name].append([estimate / eta, low <= eta <= high, float(np.mean(covered))])
    names = ("current_error_over_true", "coverage_current_error", "coverage_bands")
    return {
        name: dict(zip(names, map(float, np.mean(rows, 0)), strict=True))
        for name, rows in out.items()
    } | {"labels": n_labels, "label_sets": n}


def run(truth: Truth, n: int, jobs: int, labels: tuple[int, ...] = LABELS) -> Path:
    """Compute all rows that are not there yet, and write the results of the source."""
    text = "".join((SPECTRA / f"{name}.py").read_text(encoding="utf-8") for name in MODULES)
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    slug = truth.name.replace(":", "-")
    cache = CACHE / f"{slug}-{version}.json"
    done: dict[str, Any] = json.loads(cache.read_text()) if cache.is_file() else {}
    lean = replace(truth, channels=None)
    cases = {
        f"{model} {design} {control} {n_labels} {n} {len(truth.reference)}": (
            lean,
            model,
            design,
            n_labels,
            control,
            n,
        )
        for model in truth.models
        for design, control in DESIGNS
        for n_labels in labels
        if design != "burst" or n_labels // BURST >= CLUSTERS
    }
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        left = {key: case for key, case in cases.items() if key not in done}
        for key, made in zip(left, pool.imap(_row_of, left.values()), strict=True):
            done[key] = made
            write_atomically(cache, json.dumps(done))
            print(summary(made), flush=True)
    result = {
        "source": truth.name,
        "n_frames": len(truth.reference),
        "time_step_fs": truth.time_step,
        "confidence": 0.95,
        "rows": [done[key] for key in cases],
    }
    if truth.channels is not None:
        result["labels_of_the_fit"] = reuse(truth, n)
        print(result["labels_of_the_fit"])
    return write_atomically(RESULTS / f"debiased-{slug}.json", json.dumps(result, indent=1) + "\n")


def _row_of(case: tuple[Any, ...]) -> dict:
    return row(*case)


def summary(made: dict) -> str:
    """Return a row as a line of text."""
    bands = " ".join(f"{value:.2f}" for value in made["coverage_bands"].values())
    bias = " ".join(f"{value:+.3f}" for value in made["bias_bands"].values())
    wide = " ".join(f"{value:.3f}" for value in made["half_width_bands"].values())
    return (
        f"{made['model'][:20]:20} {made['design']:6} {made['labels']:4} "
        f"{'cv' if made['control_variate'] else '--'} eta {made['current_error']:.3f} "
        f"cover {made['coverage_points']:.3f}/{made['coverage_strong_points']:.3f} [{bands}] "
        f"half {made['half_width']:.3f} (syst {made['systematic_part']:.3f}) [{wide}] "
        f"error {made['error']:.4f} bias {made['bias']:.4f} [{bias}] model "
        f"{made['error_of_model']:.4f} eta-cover {made['coverage_current_error']:.2f}"
    )


def table() -> str:
    """Return the Markdown of all results."""
    parts = []
    for path in sorted(RESULTS.glob("debiased-*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        head = [
            "model",
            "eta",
            "labels",
            "drawn",
            "points inside",
            "band integrals inside",
            "half width",
            "error",
            "bias",
            "error of the model alone",
            "error, no control",
        ]
        plain = {
            (r["model"], r["labels"]): r["error"]
            for r in result["rows"]
            if r["design"] == "random" and not r["control_variate"]
        }
        lines = []
        for r in result["rows"]:
            if not r["control_variate"]:
                continue
            bands = list(r["coverage_bands"].values())
            without = plain.get((r["model"], r["labels"])) if r["design"] == "random" else None
            lines.append(
                [
                    r["model"],
                    f"{r['current_error']:.3f}",
                    r["labels"] if r["design"] != "burst" else f"{r['clusters']} x {BURST}",
                    r["design"],
                    f"{100 * r['coverage_points']:.1f} %",
                    f"{100 * float(np.mean(bands)):.1f} %",
                    f"{100 * r['half_width']:.1f} %",
                    f"{100 * r['error']:.1f} %",
                    f"{100 * r['bias']:.1f} %",
                    f"{100 * r['error_of_model']:.1f} %",
                    "" if without is None else f"{100 * without:.1f} %",
                ]
            )
        length = result["n_frames"] * result["time_step_fs"] / 1000
        sets = result["rows"][0]["label_sets"]
        parts.append(
            f"Source `{result['source']}`: {result['n_frames']} frames, {length:g} ps; "
            f"{sets} sets of labels a row.\n\n{markdown_table(head, lines)}"
        )
        if "labels_of_the_fit" in result:
            again = result["labels_of_the_fit"]
            rows = [
                [
                    name,
                    f"{again[name]['current_error_over_true']:.2f}",
                    f"{100 * again[name]['coverage_current_error']:.0f} %",
                    f"{100 * again[name]['coverage_bands']:.0f} %",
                ]
                for name in ("same", "fresh")
            ]
            columns = ["labels", "estimated over true eta", "eta inside", "band integrals inside"]
            parts.append(
                f"A model of 27 parameters fitted to {again['labels']} labels, then debiased with "
                f"the same labels or with as many fresh ones:\n\n{markdown_table(columns, rows)}"
            )
    return "\n\n".join(parts)


def _training() -> LabelledFrames:
    """Return labels of a trajectory of its own, on which the models are fitted."""
    path = CACHE / "oracle" / "training.npz"
    if not path.is_file():
        frames = liquid(8, 40, seed=2, time_step=0.5, stride=50, equilibration=4000)
        _save(path, frames, PolarizableWater().predict(frames), np.zeros(0))
    arrays = np.load(path)
    numbers, molecule = np.tile([8, 1, 1], 8), np.repeat(np.arange(8), 3)
    frames = Frames(numbers, arrays["positions"], arrays["cell"], arrays["velocities"], molecule)
    return LabelledFrames(frames, arrays["apt"])


def _save(path: Path, frames: Frames, apt: Array, perturbed: Array) -> None:
    arrays = {"positions": frames.positions, "velocities": frames.velocities}
    arrays |= {"cell": frames.cell[0], "apt": apt, "perturbed": perturbed}
    write_archive(arrays, path, compressed=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", default="oracle", help="oracle, or DATASET:SYSTEM")
    parser.add_argument("--label-sets", type=int, default=200, help="how often labels are drawn")
    parser.add_argument("--labels", type=int, nargs="+", default=LABELS, help="labels in a set")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--tables-only", action="store_true", help="only write docs/debiased.md")
    arguments = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    if not arguments.tables_only:
        truth = oracle() if arguments.source == "oracle" else stored(arguments.source)
        print(run(truth, arguments.label_sets, arguments.jobs, tuple(arguments.labels)))
    page = PROJECT / "docs" / "debiased.md"
    if page.is_file():
        refresh_file(page, {"debiased": table()})


if __name__ == "__main__":
    main()
