"""How often 95 % intervals cover the truth, and how often equal models are told apart.

Errors of frames on a trajectory remember each other: an autoregressive series with a known
correlation time and a known root mean square stands for them. The error of a frame is a mean over
as many independent components: one is the worst case; with a hundred, squared errors of frames
differ by 0.14 of their mean, which is about that of the liquids and ice here. Writes
``benchmarks/results/coverage.json``; `aptbench refresh` makes the table of docs/statistics.md.

    python benchmarks/coverage.py [--trials 400]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from aptbench.atomic import write_atomically
from aptbench.bootstrap import BlockBootstrap
from aptbench.metrics.significance import p_value

RESULTS = Path(__file__).parent / "results" / "coverage.json"
CASES = [
    # frames, components of a frame, correlation time in frames, frames in a block
    (4, 100, 0, 1), (8, 100, 0, 1), (21, 100, 0, 1),
    (4, 1, 0, 1), (8, 1, 0, 1), (21, 1, 0, 1), (100, 1, 0, 1),
    (400, 1, 5, 1), (400, 1, 5, 10), (400, 1, 5, 50),
    (2000, 1, 5, 1), (2000, 1, 5, 10), (2000, 1, 5, 50), (2000, 1, 5, 100),
]  # fmt: skip


def series(rng: np.random.Generator, trials: int, n: int, memory: float) -> np.ndarray:
    """Stationary series of variance 1, shape (trial, frame)."""
    decay = np.exp(-1 / memory) if memory else 0.0
    noise = rng.normal(size=(trials, n)) * np.sqrt(1 - decay**2)
    noise[:, 0] /= np.sqrt(1 - decay**2)
    return lfilter([1.0], [1.0, -decay], noise, axis=1)


def measure(n: int, components: int, memory: float, block: int, trials: int) -> dict[str, float]:
    """Coverage of the rms error, and share of equal models with p below 0.05."""
    rng, bootstrap = np.random.default_rng(0), BlockBootstrap(replicates=1000, block=block)
    counts = bootstrap.counts(n)
    shared, one, two = (series(rng, trials, n, memory) for _ in range(3))
    covered = wrong = 0
    for k in range(trials):
        square = np.mean(series(rng, components, n, memory) ** 2, axis=0)
        low, high = bootstrap.interval(np.sqrt(counts @ square / n), n)
        covered += low <= 1 <= high
        # two models of the same size of error, on frames that are hard for both
        first, second = (np.exp(shared[k] / 2 + 0.2 * own[k]) ** 2 for own in (one, two))
        replicates = np.sqrt(counts @ first / n) - np.sqrt(counts @ second / n)
        value = float(np.sqrt(first.mean()) - np.sqrt(second.mean()))
        wrong += p_value(value, replicates, n, bootstrap) < 0.05
    return {"coverage": covered / trials, "told_apart": wrong / trials}


def main() -> None:
    """Measure all cases and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400)
    trials = parser.parse_args().trials
    rows = []
    for n, components, memory, block in CASES:
        found = measure(n, components, memory, block, trials)
        case = {"frames": n, "components": components, "memory": memory, "block": block}
        rows.append({**case, "trials": trials, **found})
        print(rows[-1])
    write_atomically(RESULTS, json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
