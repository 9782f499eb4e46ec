"""Power and infrared spectra of one input by aptbench and by TRAVIS: agreement and time.

Run ``OMP_NUM_THREADS=1 python benchmarks/travis.py``. It writes ``benchmarks/results/travis.json``,
and from it the tables of ``docs/comparison-travis.md``. TRAVIS is the Debian package ``travis``; it
is run as a program on files that are written here.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from travis_ours import DEPTH, SYSTEM, TEMPERATURE, TIME_STEP, by_species, densities, protocol
from travis_program import (
    infrared_answers,
    molar_to_absorption,
    power_answers,
    read_travis,
    travis,
    write_frames,
)

import aptbench
from aptbench.board.generated import markdown_table, refresh_file
from aptbench.data import SystemData, open_dataset, write_dataset
from aptbench.elements import SYMBOLS, standard_masses
from aptbench.frames import Frames
from aptbench.oracle import ChargedOscillators
from aptbench.spectra import absorption, current
from aptbench.spectra.absorption import absorption_of
from aptbench.spectra.correlation import correlation
from aptbench.spectra.dipole import dipole_absorption
from aptbench.spectra.protocol import ANGULAR

PROJECT: Final = Path(__file__).parents[1]
RESULT: Final = PROJECT / "benchmarks" / "results" / "travis.json"
PAGE: Final = PROJECT / "docs" / "comparison-travis.md"
CHARGES: Final = {"H": 0.4, "O": -0.8}
LINES: Final = (3400.0, 1650.0, 620.0)
INTEGRATOR_STEP: Final = 0.5
REPEATS: Final = 3
LONGER: Final = 4
PROGRAMS: Final = {
    "travis": "TRAVIS, xyz files",
    "aptbench_same_files": "aptbench, same files",
    "aptbench_store": "aptbench, Zarr store",
    "aptbench_in_memory": "aptbench, arrays in memory",
}
"""What is timed, with its title in the table."""


def agreement(theirs: np.ndarray, ours: np.ndarray) -> dict[str, float]:
    """Return the best scale of theirs over ours, and relative L1 with and without it."""
    scale = float(theirs @ ours / (ours @ ours))
    area = np.abs(ours).sum()
    return {
        "scale": scale,
        "relative_l1": float(np.abs(theirs - ours).sum() / area),
        "relative_l1_scaled": float(np.abs(theirs / scale - ours).sum() / area),
    }


def compare_power(folder: Path, frames: Frames) -> list[dict[str, Any]]:
    """Compare the power spectra of the water trajectory."""
    symbols = [SYMBOLS[z] for z in frames.atomic_numbers]
    side = float(frames.cell[0, 0, 0])
    travis(folder, side, power_answers(["O", "H"]), velocities=True)
    # TRAVIS does not use the last two frames
    ours = densities(frames.velocities[:-2], frames.masses, symbols)
    rows = []
    files = {"all": "global", "O": "[H2O_O]", "H": "[H2O_H]"}
    for group, file in files.items():
        n_atoms = len(symbols) if group == "all" else symbols.count(group)
        # K cm per degree of freedom
        theirs = read_travis(folder / f"power_spectrum_{file}.csv") * 3 * n_atoms / TEMPERATURE
        values = ours.total if group == "all" else ours.of(group)
        rows.append({"quantity": f"power spectrum, {group}", **agreement(theirs, values)})
    return rows


def compare_infrared(folder: Path, frames: Frames) -> list[dict[str, Any]]:
    """Compare infrared spectra from fixed charges: molecules alone, cross terms, and all."""
    side = float(frames.cell[0, 0, 0])
    charges = np.array([CHARGES[SYMBOLS[z]] for z in frames.atomic_numbers])
    molecules = np.zeros((len(frames), int(frames.molecule.max()) + 1, 3))
    np.add.at(molecules, (slice(None), frames.molecule), charges[:, None] * frames.positions)
    options: Any = {
        "time_step": TIME_STEP,
        "volume": side**3,
        "temperature": TEMPERATURE,
        "protocol": protocol(),
    }
    # TRAVIS takes central differences: the kernels are compared on the same ones
    steps = (molecules[2:] - molecules[:-2]) / (2 * TIME_STEP)
    whole = absorption(steps.sum(1), **options).absorption
    series = steps.reshape(len(steps), -1)
    alone = absorption_of(correlation(series, series, DEPTH), **options)
    ours = {"molecules alone": alone, "cross terms": whole - alone, "all": whole}
    damping = np.sinc(protocol().wavenumber * ANGULAR * TIME_STEP / np.pi) ** 2
    theirs: dict[bool, dict[str, np.ndarray]] = {}
    files = {"molecules alone": "auto_", "cross terms": "cross_", "all": ""}
    for correct in (False, True):
        travis(folder, side, infrared_answers([0.4, -0.8], correct=correct), velocities=False)
        theirs[correct] = {
            part: read_travis(folder / f"ir_spectrum_{file}global.csv")
            * molar_to_absorption(side**3)
            for part, file in files.items()
        }
    pairs = {f"{part}, as differenced": (theirs[False][part], ours[part]) for part in ours}
    pairs |= {f"{part}, corrected": (theirs[True][part], ours[part] / damping) for part in ours}
    pairs["cross terms, corrected in TRAVIS only"] = (
        theirs[True]["cross terms"],
        ours["cross terms"],
    )
    by_dipole = dipole_absorption(molecules.sum(1), **options)
    pairs["all, TRAVIS corrected here, `dipole_absorption`"] = (
        theirs[False]["all"] / damping,
        by_dipole.absorption,
    )
    rows: list[dict[str, Any]] = [
        {"quantity": f"infrared: {name}", **agreement(*pair)} for name, pair in pairs.items()
    ]
    tensors = charges[None, :, None, None] * np.eye(3)
    by_velocity = absorption(
        current(np.broadcast_to(tensors, (*frames.positions.shape, 3)), frames.velocities),
        **options,
    )
    band = (3000.0, 3800.0)
    verlet = np.sinc(by_dipole.wavenumber * ANGULAR * INTEGRATOR_STEP / np.pi) ** 2
    expected = replace(by_dipole, absorption=by_dipole.absorption * verlet)
    stretch = {
        "quantity": "stretch band by velocities over by dipoles",
        "scale": by_velocity.integral(*band) / by_dipole.integral(*band),
        "expected": expected.integral(*band) / by_dipole.integral(*band),
    }
    return [*rows, stretch]


def compare_lines(folder: Path) -> list[dict[str, Any]]:
    """Compare both programs with the exact areas of lines of charged oscillators (check A)."""
    charge, side, n = 0.5, 24.0, len(LINES)
    # the mass of hydrogen: TRAVIS knows no other
    mass = float(standard_masses(np.array([1]))[0])
    oscillators = ChargedOscillators((charge,) * n, (mass,) * n, LINES)
    light = oscillators.trajectory(np.arange(10001) * TIME_STEP, TEMPERATURE, side=side)
    centers = (np.arange(n) * side / n)[:, None] + [0.0, 0.0, 0.9]
    # a fixed atom of the opposite charge near each: the dipole of TRAVIS is one of molecules
    shape = (len(light), n, 3)
    positions = np.stack([np.broadcast_to(centers, shape), light.positions], 2)
    velocities = np.stack([np.zeros(shape), light.velocities], 2)
    frames = Frames(
        np.tile([8, 1], n),
        positions.reshape(len(light), -1, 3),
        np.full(3, side),
        velocities.reshape(len(light), -1, 3),
    )
    write_frames(folder, frames)
    grid = protocol().wavenumber
    travis(folder, side, power_answers([]), velocities=True)
    modes = read_travis(folder / "power_spectrum_global.csv") * 3 * frames.n_atoms / TEMPERATURE
    answers = infrared_answers([charge, -charge], correct=True)
    travis(folder, side, answers, velocities=False)
    factor = molar_to_absorption(side**3)
    infrared = read_travis(folder / "ir_spectrum_auto_global.csv") * factor
    ours = dipole_absorption(
        charge * light.positions.sum(1),
        time_step=TIME_STEP,
        volume=side**3,
        temperature=TEMPERATURE,
        protocol=protocol(),
    ).absorption
    density = densities(frames.velocities[:-2], frames.masses, ["all"] * frames.n_atoms).total
    rows = []
    for line, exact in zip(LINES, oscillators.line_strengths(side**3), strict=True):
        near = np.abs(grid - line) < 150
        row: dict[str, Any] = {"line": line}
        for name, values, reference in (
            ("travis_intensity", infrared, exact),
            ("aptbench_intensity", ours, exact),
            ("travis_modes", modes, 3.0),
            ("aptbench_modes", density, 3.0),
        ):
            row[name] = float(np.trapezoid(values[near], grid[near]) / reference)
        rows.append(row)
    return rows


def median_seconds(runs: dict[str, Callable[[], object]]) -> dict[str, dict[str, float]]:
    """Return median wall and processor times, children included; the programs take turns."""

    def now() -> tuple[float, float]:
        used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return time.perf_counter(), sum(part.ru_utime + part.ru_stime for part in used)

    seconds: dict[str, list[np.ndarray]] = {name: [] for name in runs}
    for _ in range(REPEATS):
        for name, run in runs.items():
            begin = now()
            run()
            seconds[name].append(np.subtract(now(), begin))
    medians = {name: np.median(values, axis=0).tolist() for name, values in seconds.items()}
    return {
        name: dict(zip(("wall", "processor"), pair, strict=True)) for name, pair in medians.items()
    }


def compare_time(folder: Path, frames: Frames, copies: int) -> dict[str, Any]:
    """Time the power spectra of all atoms, O and H by both programs."""
    write_frames(folder, frames, copies)
    longer = frames[np.tile(np.arange(len(frames)), copies)]
    store = folder / f"{copies}.zarr"
    no_tensors = np.zeros((1, frames.n_atoms, 3, 3))
    system = SystemData(longer, [0], no_tensors, times=TIME_STEP * np.arange(len(longer)))
    about = {"name": "timing", "version": "0.0.0", "title": "timing", "license": "CC0-1.0"}
    write_dataset(store, {SYSTEM: system}, about)
    side = float(frames.cell[0, 0, 0])
    answers = power_answers(["O", "H"])
    ours = [sys.executable, str(PROJECT / "benchmarks" / "travis_ours.py")]

    seconds = median_seconds(
        {
            "travis": lambda: travis(folder, side, answers, velocities=True),
            "aptbench_same_files": lambda: subprocess.run([*ours, "text", folder], check=True),
            "aptbench_store": lambda: subprocess.run([*ours, "store", store], check=True),
            "aptbench_in_memory": lambda: by_species(longer),
            "aptbench_start": lambda: subprocess.run([*ours, "start"], check=True),
        }
    )
    ratio = {
        name: {kind: seconds["travis"][kind] / value for kind, value in times.items()}
        for name, times in seconds.items()
    }
    return {"n_frames": len(longer), "n_atoms": frames.n_atoms, **seconds, "ratio": ratio}


def measure() -> dict[str, Any]:
    """Return everything that is measured."""
    frames = open_dataset("water").trajectory(SYSTEM)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_frames(folder, frames)
        agreements = [*compare_power(folder, frames), *compare_infrared(folder, frames)]
        output = (folder / "output.txt").read_text()
        lines = compare_lines(folder)
        seconds = [compare_time(folder, frames, copies) for copies in (1, LONGER)]
    version = re.search(r"Version: (\w+ \d+ \d+)", output)
    return {
        "travis": version[1] if version else "unknown",
        "aptbench": aptbench.__version__,
        "system": f"water, {SYSTEM}, {len(frames)} frames of {TIME_STEP} fs",
        "quantities": agreements,
        "check_a": lines,
        "seconds": seconds,
        "processors": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "not limited"),
        "load": os.getloadavg()[0],
    }


def blocks(result: dict[str, Any]) -> dict[str, str]:
    """Return the tables of the page."""

    def percent(row: dict[str, Any], key: str) -> str:
        return f"{100 * row[key]:.2g} %" if key in row else "–"

    agreements = markdown_table(
        ["quantity", "TRAVIS / aptbench", "relative L1", "after scaling"],
        [
            (
                row["quantity"],
                f"{row['scale']:.5f}",
                percent(row, "relative_l1"),
                percent(row, "relative_l1_scaled"),
            )
            for row in result["quantities"]
            if "relative_l1" in row
        ],
    )
    names = ("travis_intensity", "aptbench_intensity", "travis_modes", "aptbench_modes")
    lines = markdown_table(
        ["line, cm⁻¹", "intensity, TRAVIS", "aptbench", "modes, TRAVIS", "aptbench"],
        [
            (f"{row['line']:g}", *(f"{row[name]:.4f}" for name in names))
            for row in result["check_a"]
        ],
    )
    seconds = markdown_table(
        ["frames", *PROGRAMS.values()],
        [
            (
                f"{row['n_frames']}, {kind}",
                *(
                    f"{row[name][kind]:.2f} s (× {row['ratio'][name][kind]:.2g})"
                    for name in PROGRAMS
                ),
            )
            for row in result["seconds"]
            for kind in ("wall", "processor")
        ],
    )
    start = result["seconds"][-1]["aptbench_start"]
    verlet = next(row for row in result["quantities"] if "expected" in row)
    return {
        "travis-agreement": agreements,
        "travis-lines": lines,
        "travis-seconds": f"{seconds}\n\nMeasured on {result['processors']} processors with a load "
        f"of {result['load']:.0f} at the end; threads: {result['threads']}. In both columns "
        f"with files, aptbench takes {start['wall']:.2f} s (wall) or {start['processor']:.2f} s "
        "(processor) to start and import its libraries.",
        "travis-verlet": f"Stretch band of this trajectory, velocities over positions: "
        f"{verlet['scale']:.4f}; sinc² gives {verlet['expected']:.4f}.",
        "travis-version": f"TRAVIS of {result['travis']}, aptbench {result['aptbench']}; "
        f"{result['system']}.",
    }


def main() -> None:
    """Measure, or only write the page again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", action="store_true", help="write the page from the last result")
    options = parser.parse_args()
    if not options.page:
        if shutil.which("travis") is None:
            sys.exit("The program 'travis' is not installed: apt-get install travis")
        RESULT.write_text(json.dumps(measure(), indent=1) + "\n")
    refresh_file(PAGE, blocks(json.loads(RESULT.read_text())))


if __name__ == "__main__":
    main()
