"""What swapping `pol` and `disp` does to the current of every shipped data set.

The silent mistake of the field: at every label the current is computed with the tensors as they
are and with transposed ones. Writes ``benchmarks/results/transposed.json``; `aptbench refresh`
makes the table of docs/data-format.md.

    python benchmarks/transposed.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from aptbench.atomic import write_atomically
from aptbench.data import catalog, open_dataset
from aptbench.spectra import current

RESULTS = Path(__file__).parent / "results" / "transposed.json"
MOST_LABELS = 200
"""Of a system, evenly spaced: enough for a standard error where every frame is labelled."""


def main() -> None:
    """Measure all data sets and write what was found."""
    rows = []
    for name in catalog():
        dataset = open_dataset(name)
        right, wrong = [], []
        for system in dataset.systems:
            n_labels = dataset.n_labels(system)
            every = range(0, n_labels, max(1, n_labels // MOST_LABELS))
            labelled = dataset.labelled(system, np.array(every))
            velocities = labelled.frames.velocities
            assert velocities is not None
            right.append(current(labelled.apt, velocities))
            wrong.append(current(labelled.apt.swapaxes(-1, -2), velocities))
        truth, swapped = np.concatenate(right), np.concatenate(wrong)
        power, change = (truth**2).sum(-1), (swapped**2).sum(-1) - (truth**2).sum(-1)
        rows.append(
            {
                "dataset": name,
                "version": dataset.version,
                "labels": len(truth),
                "current_error": float(np.sqrt(((swapped - truth) ** 2).sum() / power.sum())),
                "intensity": float(change.sum() / power.sum()),
                "standard_error": float(change.std(ddof=1) / np.sqrt(len(change)) / power.mean()),
            }
        )
        print(rows[-1])
    write_atomically(RESULTS, json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
