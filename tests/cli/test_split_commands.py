"""`aptbench audit`, `transfer` and `subsets`, as a person types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aptbench.board.audit_table import audit_table, read_audit
from aptbench.cli.main import run
from aptbench.errors import InputError

NAME = "synthetic-water"


@pytest.fixture(scope="module")
def original(synthetic_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with only its data set, so that other tests of it do not meet these files."""
    root = tmp_path_factory.mktemp("audited") / "project"
    shutil.copytree(synthetic_project / "datasets", root / "datasets")
    for path in (root / "datasets" / NAME / "splits").glob("*.json"):
        if path.stem != "iid":
            path.unlink()
    return root


@pytest.fixture
def root(original: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    copy = tmp_path / "project"
    shutil.copytree(original, copy)
    monkeypatch.setenv("APTBENCH_ROOT", str(copy))
    return copy


def main(*words: str) -> int:
    with pytest.raises(SystemExit) as left:
        run(list(words))
    return int(left.value.code or 0)


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_audits_are_written_and_checked(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit = root / "datasets" / NAME / "audits" / "iid.json"
    duplicates = root / "datasets" / "duplicates.json"
    assert main("audit", "--check") == 1
    assert "drifted: datasets/synthetic-water/audits/iid.json" in capsys.readouterr().out
    assert not audit.exists()
    assert main("audit", NAME) == 0
    assert "| `synthetic-water/iid@1` | shape |" in capsys.readouterr().out
    first = audit.read_bytes(), duplicates.read_bytes()
    assert main("audit") == 0
    assert (audit.read_bytes(), duplicates.read_bytes()) == first
    assert [p.name for p in audit.parent.iterdir()] == ["iid.json"]
    assert main("audit", "--check") == 0
    capsys.readouterr()
    found = json.loads(audit.read_text())
    edit(audit, gap_fs=found["gap_fs"] + 20)
    assert main("audit", "--check", "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["drifted"] == ["datasets/synthetic-water/audits/iid.json"]
    assert answer["breaches"] == {}
    assert answer["audits"]["datasets/synthetic-water/audits/iid.json"] == found
    # the molecules librate about a place each: their surroundings are never forgotten
    memory = {one["observable"]: one for one in found["memory"]}
    assert not memory["bond P1"]["decays"]
    oxygen = found["environments"][0]
    assert oxygen["same_atom"] > 0.5
    assert oxygen["same_atom_by_chance"] == 0.125
    table = audit_table(sorted([*audit.parent.iterdir(), duplicates]))
    assert f"{oxygen['same_atom']:.1%} (12.5 %)".replace("%", " %", 1) in table
    assert "3741 frames of synthetic-water" in table
    duplicates.write_text("{")
    with pytest.raises(InputError, match=r"duplicates\.json is not valid"):
        read_audit(duplicates)


def test_broken_promises_have_exit_code_1(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    split = root / "datasets" / NAME / "splits" / "iid.json"
    edit(split, gap_fs=5000.0)
    assert main("audit") == 1
    said = capsys.readouterr()
    assert "broken promise: synthetic-water/iid@1: gap of" in said.err
    assert "promised 5000 fs" in said.err
    assert main("audit", "nothing") == 2
    assert "no data set named 'nothing'" in capsys.readouterr().err
    edit(split, content_hash="sha256:" + "0" * 64)
    assert main("audit") == 2
    assert "made for other data" in capsys.readouterr().err


def test_a_copy_of_a_training_frame_in_the_test_is_found(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from aptbench.data import SystemData, open_dataset, write_dataset

    folder = root / "datasets" / NAME
    data = open_dataset(NAME)
    split = json.loads((folder / "splits" / "iid.json").read_text())
    train, test = split["train"][1], split["test"][-1]
    at = data.label_frames("bulk")
    frames = data.trajectory("bulk")
    positions = frames.positions.copy()
    turned = positions[at[train]] @ np.array([[0, 1, 0], [0, 0, 1], [-1, 0, 0]]) + [0.3, 2.0, -1.0]
    positions[at[test]] = turned.reshape(8, 3, 3)[::-1].reshape(24, 3)
    system = SystemData(
        frames.replace(positions=positions, velocities=None),
        at,
        data.labelled("bulk").apt,
        times=data.times("bulk"),
    )
    attrs = {k: data.attrs[k] for k in ("name", "version", "title", "license")}
    shutil.rmtree(data.path)
    again = write_dataset(data.path, {"bulk": system}, attrs)
    edit(folder / "splits" / "iid.json", content_hash=again.content_hash)
    assert main("audit", "--json") == 1
    said = capsys.readouterr()
    found = json.loads(said.out)["audits"][f"datasets/{NAME}/audits/iid.json"]
    assert found["duplicates"] == [[test, train]]
    assert f"1 copies of training labels in test ({test} and {train})" in said.err


def test_transfers_are_written_and_audited(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from aptbench.data import SystemData, open_dataset, write_dataset

    data = open_dataset(NAME)
    frames = data.trajectory("bulk", slice(0, 600, 100))
    one = frames.permuted(np.arange(24)).replace(cell=None, velocities=None)
    cluster = SystemData(one, np.arange(6), np.zeros((6, 24, 3, 3)), times=200.0 * np.arange(6))
    attrs = {"name": "drops", "version": "0.1.0", "title": "Drops", "license": "CC0-1.0"}
    write_dataset(root / "datasets" / "drops" / "drops.zarr", {"drop": cluster}, attrs)
    words = ("transfer", "--name", "from-bulk", "--source", f"{NAME}/iid", "--target", "drops")
    assert main(*words, "--axis", "bulk-to-cluster", "--test-stride", "2") == 0
    assert "test: drops: 3 of drop" in capsys.readouterr().out
    path = root / "datasets" / "drops" / "transfers" / "from-bulk.json"
    assert json.loads(path.read_text())["source"]["task"] == f"{NAME}/iid@1"
    assert main(*words, "--axis", "bulk-to-cluster") == 2
    assert "never edited" in capsys.readouterr().err
    assert main(*words, "--axis", "weather") == 2
    assert "axis: Input should be 'temperature'" in capsys.readouterr().err
    assert main(*words[:-2], "--axis", "size") == 2
    assert "one of --target, --leave-out and --adapt" in capsys.readouterr().err
    adapt = ("transfer", "--name", "more", "--axis", "chemistry", "--source", "drops")
    assert main(*adapt, "--adapt", f"{NAME}/iid") == 0
    said = json.loads((root / "datasets" / NAME / "transfers" / "more.json").read_text())
    assert said["adapted"]["task"] == f"{NAME}/iid@1"
    assert {one["dataset"] for one in said["train"]} == {"drops", NAME}
    assert said["test"][0]["dataset"] == NAME
    assert f"and on {NAME}/iid" in said["rule"]
    capsys.readouterr()
    assert main("audit", "drops") == 0
    audit = root / "datasets" / "drops" / "audits" / "transfer-from-bulk.json"
    assert json.loads(audit.read_text())["labels"]["test"] == 3
    assert "`drops/from-bulk@1`" in audit_table(audit)
    assert not (root / "datasets" / NAME / "audits").exists()


def test_subsets_are_listed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("subsets", f"{NAME}/iid", "--labels", "1", "--labels", "3", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    one, three = (set(row["labels"]) for row in found["subsets"])
    assert (len(one), len(three)) == (1, 3)
    assert one < three
    assert main("subsets", f"{NAME}/iid") == 0
    assert "| train-4 | 4 |" in capsys.readouterr().out
    assert main("subsets", f"{NAME}/iid", "--labels", "99") == 2
    assert "no such budget" in capsys.readouterr().err
