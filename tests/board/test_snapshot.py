"""Frozen rows of the leaderboard: their hash, damage, and the pages that list them."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import pytest

from aptbench.board import build_site
from aptbench.board.snapshot import Snapshot, archived_snapshots, find_snapshot
from aptbench.errors import InputError, UnknownNameError
from aptbench.evaluate.result import Data, Metric, Model, Result, write_result

DAY = datetime.date(2026, 11, 26)


def result(name: str, rmse: float) -> Result:
    return Result(
        task="synthetic/iid@1",
        data=Data(name="synthetic", version="1.0.0", content_hash="sha256:aa", system="main"),
        split_hash="bb",
        test_frames=3,
        model=Model(name=name, title=name),
        versions={"aptbench": "0"},
        metrics={"rmse": Metric(value=rmse, unit="e")},
    )


@pytest.fixture
def board(tmp_path: Path) -> Path:
    for name, rmse in (("a", 0.1), ("b", 0.2)):
        write_result(result(name, rmse), tmp_path / f"results/synthetic/iid/{name}.json")
    return tmp_path


def taken(board: Path, date: datetime.date = DAY) -> Snapshot:
    return Snapshot.take(board / "results", board / "comparisons", date)


def test_a_snapshot_holds_every_row_and_its_name_the_hash(board: Path) -> None:
    path = taken(board).write(board / "snapshots")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.name == f"2026-11-26-{digest[:16]}.json"
    read = Snapshot.read(path)
    assert read.sha256 == digest
    assert read.date == DAY
    assert {row.model.name: row.metrics["rmse"].value for row in read.rows.results} == {
        "a": 0.1,
        "b": 0.2,
    }
    assert digest in read.reference.bibtex()
    assert taken(board).write(board / "snapshots") == path


def test_a_changed_snapshot_is_refused(board: Path) -> None:
    path = taken(board).write(board / "snapshots")
    path.write_text(path.read_text().replace("0.2", "0.02"))
    with pytest.raises(InputError, match="was changed after it was taken"):
        archived_snapshots(board / "snapshots")
    path.write_text(path.read_text()[:-40])
    with pytest.raises(InputError, match="not valid"):
        Snapshot.read(path)


def test_a_day_has_one_snapshot(board: Path) -> None:
    taken(board).write(board / "snapshots")
    write_result(result("c", 0.3), board / "results/synthetic/iid/c.json")
    with pytest.raises(InputError, match="another snapshot of this day"):
        taken(board).write(board / "snapshots")
    later = taken(board, DAY + datetime.timedelta(days=1))
    later.write(board / "snapshots")
    assert find_snapshot(board / "snapshots", "latest") == later
    assert len(find_snapshot(board / "snapshots", "2026-11-26").rows.results) == 2
    with pytest.raises(UnknownNameError, match="2026-11-26"):
        find_snapshot(board / "snapshots", "2026-11-25")


def test_there_is_no_snapshot_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no results"):
        taken(tmp_path)


def test_pages_list_snapshots_and_say_whether_rows_have_changed(board: Path) -> None:
    path = taken(board).write(board / "snapshots")
    folders = {"comparisons": board / "comparisons", "snapshots": board / "snapshots"}
    index = build_site(board / "results", board / "site", **folders)
    assert (index.parent / "snapshots" / path.name).read_bytes() == path.read_bytes()
    assert f'href="snapshots/{path.name}"' in index.read_text()
    assert "shows the rows of the latest one" in index.read_text()
    write_result(result("a", 0.05), board / "results/synthetic/iid/a.json")
    build_site(board / "results", board / "site", **folders)
    assert "Rows have changed since" in index.read_text()


def test_the_snapshots_of_this_repository_are_whole() -> None:
    assert archived_snapshots(Path(__file__).parents[2] / "leaderboard" / "snapshots")
