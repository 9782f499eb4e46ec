"""Coverage of the block bootstrap of spectra, on currents whose spectrum is known.

    python benchmarks/spectrum_intervals.py

writes benchmarks/results/spectrum-intervals.json. The currents are Gaussian, with a spectrum of
four bands like those of water; the truth is the mean spectrum of many of them.
"""

from __future__ import annotations

import json
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
BLOCKS = (200.0, 400.0, 800.0, 1600.0)
TRIALS, FOR_TRUTH, REPLICATES = 100, 300, 200


def gaussian_current(rng: np.random.Generator, n_frames: int) -> np.ndarray:
    """Return a Gaussian current with the spectrum of `PEAKS`, shape (frame, pol)."""
    long = 4 * n_frames
    wavenumber = 2 * np.pi * np.fft.rfftfreq(long, CONSTANTS["time_step"]) / ANGULAR
    power = sum(h * np.exp(-((wavenumber - c) ** 2) / 2 / s**2) for c, s, h in PEAKS)
    noise = rng.normal(size=(2, 3, len(wavenumber)))
    return np.fft.irfft((noise[0] + 1j * noise[1]) * np.sqrt(power), long, axis=1)[:, :n_frames].T


def main() -> None:
    """Measure and write the coverage for every length and block."""
    rng = np.random.default_rng(0)
    rows = []
    for length in LENGTHS:
        n_frames = round(length * 1000 / CONSTANTS["time_step"]) + 1
        trials = [gaussian_current(rng, n_frames) for _ in range(TRIALS)]
        others = (gaussian_current(rng, n_frames) for _ in range(FOR_TRUTH))
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
