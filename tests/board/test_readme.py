"""The generated tables of the README that are made of results."""

from __future__ import annotations

from pathlib import Path

import pytest

from aptbench.board.readme import readme_blocks
from aptbench.evaluate.result import Cost, Data, Inference, Metric, Model, Result, write_result


@pytest.fixture(autouse=True)
def _root(synthetic_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))


def result(name: str, rmse: float, cost: Cost | None, **metrics: float) -> Result:
    found = {"rmse": Metric(value=rmse, unit="e")}
    found |= {key: Metric(value=value, unit="1") for key, value in metrics.items()}
    return Result(
        task="synthetic/iid@1",
        data=Data(name="synthetic", version="0.1.0", content_hash="sha256:1", system="a"),
        split_hash="1",
        test_frames=3,
        model=Model(name=name, title=f"Title of {name}"),
        metrics=found,
        cost=cost,
        versions={},
    )


def test_costs_and_uncertainties_are_blocks(tmp_path: Path) -> None:
    inference = Inference(atoms_per_second=2073.0, atoms=192, frames=7, repeats=3, threads=1)
    cost = Cost(parameters=12, training_seconds=40.0, inference=inference)
    folder = tmp_path / "leaderboard" / "results" / "synthetic" / "iid"
    write_result(result("slow", 0.01, cost, z_score=1.5), folder / "slow.json")
    write_result(result("old", 0.02, None), folder / "old.json")
    blocks = readme_blocks(tmp_path)
    assert "speed and memory: 7 frames of 192 atoms, 1 thread, cpu" in blocks["cost"]
    assert "| `slow` | 0.0100 | 2.1k | 12 | 40 s |" in blocks["cost"]
    assert "| `old` | 0.0200 | – | – | – |" in blocks["cost"]
    assert "| `slow` | 1.500 |" in blocks["uncertainty"]
    assert "old" not in blocks["uncertainty"]
    assert "z-score" not in blocks["results"]


def test_results_without_uncertainty_have_no_such_block(tmp_path: Path) -> None:
    folder = tmp_path / "leaderboard" / "results" / "synthetic" / "iid"
    write_result(result("old", 0.02, None), folder / "old.json")
    assert "uncertainty" not in readme_blocks(tmp_path)
