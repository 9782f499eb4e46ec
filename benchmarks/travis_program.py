"""The program TRAVIS: its input files, its questions and answers, its results."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from travis_ours import DEPTH, TEMPERATURE, TIME_STEP, WINDOW, protocol

from aptbench.elements import SYMBOLS
from aptbench.frames import Frames

AVOGADRO: Final = 6.02214076e23


def write_xyz(path: Path, symbols: Iterable[str], values: Any) -> None:
    """Write rows in the columns of CP2K: the velocity reader of TRAVIS reads no other layout."""
    names = list(symbols)
    rows = "".join(f"{name:>3s} %19.10f %19.10f %19.10f\n" for name in names)
    with path.open("w") as file:
        for step, frame in enumerate(values):
            comment = f" i = {step:8d}, time = {step * TIME_STEP:12.3f}"
            file.write(f"{len(names)}\n{comment}\n{rows % tuple(frame.ravel())}")


def write_frames(folder: Path, frames: Frames, copies: int = 1) -> None:
    """Write positions and velocities; copies follow each other in time, for timings only."""
    symbols = [SYMBOLS[z] for z in frames.atomic_numbers]
    for name, values in (("positions", frames.positions), ("velocities", frames.velocities)):
        write_xyz(folder / f"{name}.xyz", symbols, np.concatenate([values] * copies))


def travis(folder: Path, cell: float, answers: list[object], *, velocities: bool) -> float:
    """Run TRAVIS in a folder with the answers to its questions; return the seconds it took."""
    start: list[object] = ["", "", f"{100 * cell:.6f}", "", ""]
    command = ["travis", "-nocolor", "-p", "positions.xyz", "-i", "answers.txt"]
    if velocities:
        command += ["-vel", "velocities.xyz"]
        start.insert(0, "1e5")  # m/s in an angstrom/fs
    lines = [*start, *answers, *[""] * 6]
    (folder / "answers.txt").write_text("\n".join(map(str, lines)) + "\n")
    begin = time.perf_counter()
    run = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=600,
    )
    seconds = time.perf_counter() - begin
    (folder / "output.txt").write_text(run.stdout + run.stderr)
    if "Finished all analyses" not in run.stdout or "Error" in run.stdout:
        tail = "\n".join(run.stdout.strip().splitlines()[-15:])
        sys.exit(f"TRAVIS did not finish; another version may ask other questions.\n{tail}")
    return seconds


def power_answers(groups: Iterable[str]) -> list[object]:
    """Return the answers for power spectra of the whole system and of groups of atoms."""
    window: list[object] = [DEPTH, "n", 3, WINDOW, "y", "", 5000, "n", "n"]
    answers: list[object] = ["power", "y", TIME_STEP, "y", *window]
    for group in groups:
        answers += ["y", group, *window]
    return [*answers, "n"]


def infrared_answers(charges: Iterable[float], *, correct: bool) -> list[object]:
    """Return the answers for infrared spectra from fixed charges, with cross correlations."""
    window: list[object] = [DEPTH, 3, WINDOW, "", 5000, "y" if correct else "n", "n"]
    dipoles: list[object] = ["ir", "y", TIME_STEP, "n", "", "y", 4, *charges, "", ""]
    return [*dipoles, *window, "n", "n", "y", *window, "y", "n", "n"]


def read_travis(path: Path) -> np.ndarray:
    """Return the values of a TRAVIS spectrum on the grid of the comparison."""
    grid = protocol().wavenumber
    table = np.loadtxt(path, delimiter=";", comments="#")[: len(grid)]
    if not np.allclose(table[:, 0], grid, atol=0.006):
        sys.exit(f"{path.name} is not on the expected grid of wavenumbers.")
    return table[:, 1]


def molar_to_absorption(volume: float) -> float:
    """Return the factor from K cm km/mol of the whole cell to n alpha in cm^-1."""
    return 1e5 / (AVOGADRO * volume * 1e-24) / TEMPERATURE
