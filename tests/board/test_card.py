"""The generated parts of the card of a data set."""

from __future__ import annotations

import json

import pytest

from aptbench.board.card import card_blocks
from aptbench.board.readme import readme_blocks
from aptbench.reference.build import build
from aptbench.reference.records import record_path
from tests.reference.test_build import plan, record, sampled  # noqa: F401


@pytest.fixture
def folder(plan, sampled, record, tmp_path, monkeypatch):  # noqa: F811
    folder = tmp_path / "project" / "datasets" / plan.name
    record.write(record_path(folder / "records", 3))
    build(plan, sampled, folder / "records", folder / f"{plan.name}.zarr")
    (folder / "card.md").write_text("# tiny\n")
    monkeypatch.setenv("APTBENCH_ROOT", str(tmp_path / "project"))
    return folder


def test_the_card_tells_what_is_in_the_store(folder):
    blocks = card_blocks(folder)
    assert "| atoms | 3 (1 O, 2 H) |" in blocks["summary"]
    assert "| labelled frames | 1 |" in blocks["summary"]
    assert "| labels: functional | RPBE |" in blocks["theory"]
    # The tensor of the oxygen is 0..8: a third of its trace is 4.
    assert "| O | 4.0000 |" in blocks["charges"]
    assert not {"convergence", "splits"} & set(blocks)


def test_convergence_and_splits_come_from_their_files(folder, plan):  # noqa: F811
    change = {"setting": {}, "rms": {"O": 0.0, "all": 0.0}, "slope": 1.0}
    change |= {"sum_rule_residual": 0.02, "scf_iterations": 12}
    other = {**change, "setting": {"eps_scf": 1e-8}, "rms": {"O": 0.00123, "all": 0.001}}
    measured = {"frame": 3, "pol": "x", "code": "CP2K", "changes": [change, other]}
    measured["theory"] = {"eps_scf": 3e-7}
    (folder / "convergence.json").write_text(json.dumps(measured))
    (folder / "splits").mkdir()
    parts = {"system": plan.system, "train": [], "validation": [], "test": [0]}
    (folder / "splits" / "iid.json").write_text(json.dumps(parts))
    blocks = card_blocks(folder)
    assert "| eps scf 1e-08 | 0.00123 | 0.00100 | 1.0000 | 0.0200 | 12 |" in blocks["convergence"]
    assert "| label noise | 0.0012 | 0.001 |" in blocks["noise"]
    assert "test | 1 | 0.01 to 0.01 |" in blocks["splits"]


def test_the_readme_lists_the_data_sets(folder):
    blocks = readme_blocks(folder.parents[1])
    assert "[`tiny`](datasets/tiny/card.md) 0.0.1" in blocks["data"]
    assert "RPBE/TZV2P-GTH" in blocks["data"]
