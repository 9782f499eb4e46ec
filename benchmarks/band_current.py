"""How well velocities of a band at labelled frames tell the error of the current in that band.

    python benchmarks/band_current.py

writes benchmarks/results/band-current.json from the data set `molecules`, every frame of which is
labelled, so that the current itself can be filtered. Two models that err in different ways are
compared with the labels; both are made from those labels, and measure the estimate, not a model.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from aptbench.atomic import write_atomically
from aptbench.data import open_dataset
from aptbench.frames import Frames
from aptbench.models.constant import ConstantCharge
from aptbench.molecules import MoleculeTable
from aptbench.spectra import current
from aptbench.spectra.band_filter import BandFilter

RESULT = Path(__file__).parent / "results" / "band-current.json"
SYSTEMS = ("h2o", "ch3oh", "hconh2", "water-8")
FEW = 10


def frozen_tensors(frames: Frames, apt: np.ndarray) -> np.ndarray:
    """Return the mean tensor of every atom in the frame of its molecule, turned back with it."""
    result = np.empty_like(apt)
    labels = np.asarray(MoleculeTable.of(frames[0:1]).molecule)
    for name in np.unique(labels):
        atoms = np.flatnonzero(labels == name)
        mass = frames.masses[atoms]
        places = frames.positions[:, atoms]
        places = places - np.average(places, axis=1, weights=mass)[:, None]
        left, _, right = np.linalg.svd(np.einsum("a,fax,ay->fxy", mass, places, places[0]))
        left[..., -1] *= np.linalg.det(left @ right)[:, None]
        turn = left @ right
        body = np.einsum("fxi,faxy,fyj->faij", turn, apt[:, atoms], turn).mean(0)
        result[:, atoms] = np.einsum("fxi,aij,fyj->faxy", turn, body, turn)
    return result


def mean_square(rates: np.ndarray) -> float:
    """Return the mean square of a current (frame, pol)."""
    return float((rates**2).sum(-1).mean())


def main() -> None:
    """Measure and write the error of every model in every band."""
    dataset = open_dataset("molecules")
    rows = []
    for system in SYSTEMS:
        labels = dataset.labelled(system)
        frames, apt, times = labels.frames, labels.apt, dataset.times(system)
        models = {
            "constant charge": ConstantCharge().fit(labels[:1000]).predict(frames),
            "mean tensor": frozen_tensors(frames, apt),
        }
        reference = current(apt, frames.velocities)
        for band, ends in dataset.infrared_bands(system).items():
            chosen = BandFilter(ends, float(times[1] - times[0]))
            inside = slice(chosen.reach, len(frames) - chosen.reach)
            velocities = chosen.apply(frames.velocities)[inside]
            true_square = mean_square(chosen.apply(reference)[inside])
            estimated = current(apt[inside], velocities)
            for model, tensors in models.items():
                true_error = mean_square(
                    chosen.apply(current(tensors - apt, frames.velocities))[inside]
                )
                error = current(tensors[inside] - apt[inside], velocities)
                stride = len(error) // FEW
                few = [
                    (mean_square(error[k::stride]) / mean_square(estimated[k::stride])) ** 0.5
                    for k in range(0, stride, 20)
                ]
                rows.append(
                    {
                        "system": system,
                        "band": band,
                        "ends": ends,
                        "model": model,
                        "true": (true_error / true_square) ** 0.5,
                        "all_labels": (mean_square(error) / mean_square(estimated)) ** 0.5,
                        "few_labels_low": float(np.quantile(few, 0.16)),
                        "few_labels_high": float(np.quantile(few, 0.84)),
                        "few": FEW,
                        "frames": len(error),
                    }
                )
                row = rows[-1]
                print(
                    f"{system:8} {band:14} {model:16} {row['true']:.3f} {row['all_labels']:.3f}"
                    f" {row['few_labels_low']:.3f}-{row['few_labels_high']:.3f}"
                )
    write_atomically(RESULT, json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
