"""Does a reference spectrum from few labels favour the model that it is made with?

`molecules/water-8` has labels in every frame, so the truth is known. From it few labels are drawn,
evenly spaced with a random start, and each model in turn is frozen as `aptbench tasks --freeze`
does for tasks with sparse labels. A reference that is pulled towards the frozen model would have
the sign of the error of that model. Writes ``benchmarks/results/frozen-reference.json``; `aptbench
refresh` makes the table of docs/spectra.md.

    python benchmarks/frozen_reference.py [--draws 40]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from rich.progress import track

from aptbench.atomic import write_atomically
from aptbench.data import open_dataset
from aptbench.evaluate.current_record import CurrentRecord
from aptbench.evaluate.task_spectrum import task_spectrum
from aptbench.spectra import absorption
from aptbench.spectra.debiased import debiased_spectrum
from aptbench.tasks import load_task

PROJECT = Path(__file__).parents[1]
RESULTS = PROJECT / "benchmarks" / "results" / "frozen-reference.json"
TASK = "molecules/water-8"
MODELS = ("e3nn-reference", "linear-tensor", "e3nn-polarization", "mean-tensor")
LABELS = (8, 21)


def main() -> None:
    """Measure all frozen models and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=40)
    draws = parser.parse_args().draws
    task = load_task(TASK)
    spectrum = task_spectrum(task, open_dataset(task.dataset))
    truth, trajectory = spectrum.reference.values, spectrum.trajectory
    bands = trajectory.bands
    exact = absorption(truth, **trajectory.constants)
    rows = []
    for model in MODELS:
        path = PROJECT / "leaderboard" / "results" / TASK / "currents" / f"{model}.npz"
        frozen = CurrentRecord.read(path).current.astype(float)
        alone = absorption(frozen, **trajectory.constants)
        for n in LABELS:
            rng, step = np.random.default_rng(n), len(truth) // n
            errors: dict[str, list[float]] = {band: [] for band in bands}
            inside = dict.fromkeys(bands, 0)
            for _ in track(range(draws), f"{model}, {n} labels"):
                frames = rng.integers(step) + step * np.arange(n)
                found = debiased_spectrum(
                    frozen, frames, truth[frames], bands=bands, **trajectory.constants
                )
                for band, (low, high) in bands.items():
                    value, least, most = found.band_integral(low, high)
                    errors[band].append(value / exact.integral(low, high) - 1)
                    inside[band] += least <= exact.integral(low, high) <= most
            for band, (low, high) in bands.items():
                sample = np.array(errors[band])
                rows.append(
                    {
                        "model": model,
                        "labels": n,
                        "band": band,
                        "draws": draws,
                        "alone": alone.integral(low, high) / exact.integral(low, high) - 1,
                        "mean": float(sample.mean()),
                        "standard_error": float(sample.std(ddof=1) / np.sqrt(draws)),
                        "rms": float(np.sqrt(np.mean(sample**2))),
                        "inside": inside[band] / draws,
                    }
                )
                print(rows[-1])
    write_atomically(RESULTS, json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
