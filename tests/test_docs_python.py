"""Python in pages that have no test of their own runs, with what they leave to the reader."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aptbench.data import open_dataset
from aptbench.spectra import absorption

PROJECT = Path(__file__).parents[1]
USUAL = {"time_step": 2.0, "volume": 1918.0, "temperature": 300.0}

pytestmark = pytest.mark.skipif(
    not (PROJECT / "datasets" / "water" / "water.zarr").exists(), reason="needs 'dvc pull'"
)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    monkeypatch.chdir(PROJECT)


def run(page: str, **given: Any) -> dict[str, Any]:
    """Execute all blocks of a page, one after the other."""
    text = (PROJECT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert blocks
    for number, block in enumerate(blocks):
        exec(compile(block, f"{page}, block {number}", "exec"), given)
    return given


def current(seed: int, n_frames: int = 4001) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.01, size=(n_frames, 3))


def test_the_data_format() -> None:
    left = run("data-format.md")
    system = left["water"].systems[0]
    assert np.array_equal(left["tree"][system]["apt"].values, left["labelled"].apt)
    assert len(left["frames"]) == 100


def test_debiased_spectra() -> None:
    frames = np.arange(100, 4000, 200)
    reference = current(0) + current(1) / 10
    left = run(
        "debiased.md",
        model_current=current(0),
        label_frames=frames,
        reference_current=reference[frames],
    )
    low, high = left["result"].current_error[1:]
    assert low < 0.1 < high


def test_spectral_metrics() -> None:
    model, reference = (absorption(current(seed), **USUAL) for seed in (0, 1))
    left = run("spectral-metrics.md", model=model, reference=reference)
    assert left["table"]["bend"]["wasserstein1"] > 0


def test_training(tmp_path: Path) -> None:
    labelled = open_dataset("water").labelled("water-300K-64", [0, 1, 2])
    run("training.md", train=labelled, validation=labelled, folder=tmp_path)
    assert (tmp_path / "charges.json").is_file()
