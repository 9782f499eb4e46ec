"""Timings, by `make benchmarks`; ratios inside one run mean more than seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames
from aptbench.board import build_site
from aptbench.data import open_dataset, verify
from aptbench.evaluate.rescoring import rescore
from aptbench.metrics import BlockBootstrap, metric_names, score
from aptbench.models import load_model
from aptbench.spectra import absorption, current
from aptbench.spectra.modes import water_geometry

PROJECT = Path(__file__).parents[1]
SYSTEM = "water-300K-64"


@pytest.fixture(scope="module")
def water():
    return open_dataset("water")


@pytest.mark.parametrize("statement", ["pass", "import numpy", "import aptbench"])
def test_import(benchmark, statement):
    benchmark(subprocess.run, [sys.executable, "-c", statement], check=True, cwd=PROJECT)


def test_help_of_the_command_line(benchmark):
    command = [sys.executable, "-m", "aptbench.cli.main", "--help"]
    benchmark(subprocess.run, command, check=True, cwd=PROJECT, stdout=subprocess.DEVNULL)


def test_verify_the_store(benchmark, water):
    benchmark(verify, water.path)


def test_read_the_trajectory(benchmark, water):
    benchmark(water.trajectory, SYSTEM)


def test_score_labels(benchmark, water):
    labelled = water.labelled(SYSTEM)
    noise = np.random.default_rng(0).normal(0, 0.02, labelled.apt.shape)
    benchmark(score, labelled.apt + noise, labelled.apt, labelled.frames)


def test_spectrum_from_tensors(benchmark, water):
    frames = water.trajectory(SYSTEM)
    apt = load_model("constant-charge").predict(frames)

    def spectrum():
        rates = current(apt, frames.velocities)
        volume = frames.volumes[0]
        return absorption(rates, time_step=2.0, volume=volume, temperature=300.0)

    benchmark(spectrum)


@pytest.mark.parametrize("name", ["constant-charge", "point-charges", "e3nn-reference"])
def test_predict_a_frame(benchmark, water, name):
    frame = water.trajectory(SYSTEM, slice(0, 1))
    model = load_model(name)
    benchmark(model.predict, frame)


@pytest.fixture(scope="module")
def million():
    """1e6 atom tensors: predictions and labels of 2604 frames of 384 atoms, with velocities."""
    rng = np.random.default_rng(0)
    shape = (2604, 384, 3)
    numbers = np.tile([8, 1, 1], shape[1] // 3)
    # molecules, 4 angstrom apart: their motions are scored too
    centers = 4.0 * np.stack(np.unravel_index(np.arange(128), (4, 4, 8)), -1)
    places = (centers[:, None] + water_geometry()).reshape(1, -1, 3)
    positions = places + 0.03 * rng.normal(size=shape)
    frames = Frames(numbers, positions, velocities=rng.normal(size=shape))
    assert "assignment_error" in metric_names(frames)
    labels = rng.normal(size=(*shape, 3))
    return labels + 0.05 * rng.normal(size=labels.shape), labels, frames


@pytest.mark.parametrize("intervals", [False, True])
def test_score_a_million_tensors(benchmark, million, intervals):
    bootstrap = BlockBootstrap(replicates=1000) if intervals else None
    benchmark.pedantic(score, million, {"bootstrap": bootstrap}, rounds=3, warmup_rounds=1)


def test_rescore_the_archive(benchmark):
    found = benchmark.pedantic(rescore, [PROJECT / "leaderboard" / "results"], rounds=1)
    assert all(one.fine for one in found)


def test_build_the_board(benchmark, tmp_path):
    board = PROJECT / "leaderboard"
    options = {
        "models": PROJECT / "baselines",
        "datasets": PROJECT / "datasets",
        "comparisons": board / "comparisons",
        "submissions": board / "submissions",
        "spectra": board / "spectra",
    }
    benchmark.pedantic(build_site, [board / "results", tmp_path], options, rounds=1)
