"""Coverage of the block bootstrap of spectra, on currents whose spectrum is known.

    python benchmarks/spectrum_intervals.py

writes benchmarks/results/spectrum-intervals.json. The currents are Gaussian, with a spectrum of
four bands like those of water; in half of the trials the intensity of each band changes slowly, as
that of real molecules does. The truth is the mean spectrum of many of them.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np

from aptbench.atomic import write_atomically
from aptbench.bootstrap import BlockBootstrap
from aptbench.spectra import IR1, WATER_BANDS, absorption
from aptbench.spectra.band import Band
from aptbench.spectra.protocol import ANGULAR
from aptbench.spectra.sampled import sampled_spectra

RESULT = Path(__file__).parent / "results" / "spectrum-intervals.json"
PEAKS = ((180, 80, 2000), (600, 150, 4000), (1640, 40, 2500), (3400, 130, 9000))
CONSTANTS = {"time_step": 2.0, "volume": 1000.0, "temperature": 300.0}
LENGTHS = (5.2, 20.0)
BLOCKS = (200.0, 400.0, 800.0, 2000.0)
MODULATIONS = (0.0, 0.3)
"""Standard deviations of the logarithm of the amplitude of a band."""
MEMORY = 500.0
"""Correlation time of the amplitude in fs."""
TRIALS, FOR_TRUTH, REPLICATES = 100, 300, 200


def random_current(rng: np.random.Generator, n_frames: int, modulation: float) -> np.ndarray:
    """Return a current with the spectrum of `PEAKS`, shape (frame, pol); Gaussian without changes.

    With a modulation s each band is multiplied by exp(s x) / exp(s^2), x an autoregressive series
    of unit variance and the same for all directions, so that the mean intensity is the same.
    """
    long = 4 * n_frames
    frequency = np.fft.rfftfreq(long, CONSTANTS["time_step"])
    wavenumber = 2 * np.pi * frequency / ANGULAR
    slow = 1 / (1 + (2 * np.pi * frequency * MEMORY) ** 2)
    total = np.zeros((n_frames, 3))
    for centre, width, height in PEAKS:
        power = height * np.exp(-((wavenumber - centre) ** 2) / 2 / width**2)
        band = _series(rng, power, 3, long)[:, :n_frames]
        changes = _series(rng, slow, 1, long)[0]
        amplitude = np.exp(modulation * changes / changes.std() - modulation**2)
        total += (band * amplitude[:n_frames]).T
    return total


def _series(rng: np.random.Generator, power: np.ndarray, n: int, length: int) -> np.ndarray:
    noise = rng.normal(size=(2, n, len(power)))
    return np.fft.irfft((noise[0] + 1j * noise[1]) * np.sqrt(power), length, axis=1)


def main() -> None:
    """Measure and write the coverage for every length, kind of current and block."""
    rng = np.random.default_rng(0)
    rows = []
    for length, modulation in product(LENGTHS, MODULATIONS):
        n_frames = round(length * 1000 / CONSTANTS["time_step"]) + 1
        trials = [random_current(rng, n_frames, modulation) for _ in range(TRIALS)]
        others = (random_current(rng, n_frames, modulation) for _ in range(FOR_TRUTH))
        spectra = [absorption(current, **CONSTANTS).absorption for current in (*trials, *others)]
        truth = np.mean(spectra, axis=0)
        counted = (IR1.wavenumber > 50) & (truth > 0.01 * truth.max())
        for block in BLOCKS:
            points, bands, n_blocks = [], [], 0
            for current in trials:
                bootstrap = BlockBootstrap(replicates=REPLICATES)
                found = sampled_spectra(
                    {"a": current}, block=block, bootstrap=bootstrap, **CONSTANTS
                )
                low, high = found.interval("a")
                points.append(np.mean(((low <= truth) & (truth <= high))[counted]))
                n_blocks = found.n_blocks
                for _, start, stop in WATER_BANDS:
                    band = Band(IR1.wavenumber, (start, stop))
                    ends = found.interval_of(band.integral(found.samples("a")))
                    bands.append(ends[0] <= band.integral(truth) <= ends[1])
            rows.append(
                {
                    "length_ps": length,
                    "modulation": modulation,
                    "block_fs": block,
                    "n_blocks": n_blocks,
                    "coverage_points": float(np.mean(points)),
                    "coverage_bands": float(np.mean(bands)),
                    "trials": TRIALS,
                }
            )
            print(rows[-1], flush=True)
    write_atomically(RESULT, json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
