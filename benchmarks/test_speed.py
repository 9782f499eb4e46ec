"""Timings, by `make benchmarks`; ratios inside one run mean more than seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aptbench.data import open_dataset, verify
from aptbench.metrics import score
from aptbench.models import load_model
from aptbench.spectra import absorption, current

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
