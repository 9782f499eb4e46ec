"""What docs/data-selection.md shows works, and an archived score is the one that it says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aptbench.cli.main import build_app
from aptbench.data import open_dataset
from aptbench.evaluate.selection_standings import Standings
from aptbench.evaluate.selection_track import read_entries, read_scores, read_track
from aptbench.tasks import load_task

PROJECT = Path(__file__).parents[1]
TEXT = (PROJECT / "docs" / "data-selection.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
COMMANDS = [
    line.split()[1:]
    for block in re.findall(r"^```bash\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]
TRACK = PROJECT / "leaderboard" / "selections" / "molecules" / "water-8-pool"

pytestmark = pytest.mark.skipif(
    not (PROJECT / "datasets" / "molecules" / "molecules.zarr").exists(), reason="needs 'dvc pull'"
)


def test_the_page_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    monkeypatch.chdir(tmp_path)
    assert (len(SNIPPETS), len(COMMANDS)) == (2, 3)
    for number, text in enumerate(SNIPPETS):
        script = tmp_path / f"snippet{number}.py"
        script.write_text(text, encoding="utf-8")
        runpy.run_path(str(script))
    for words in COMMANDS:
        result = CliRunner().invoke(build_app(), words)
        assert result.exit_code == 0, result.stderr
    assert "| `skeleton` |" in result.stdout
    assert read_track("new-track").task.startswith("molecules/water-8@")


def test_an_archived_score_comes_out_again() -> None:
    track = read_track(TRACK)
    task = load_task(track.task.partition("@")[0])
    archived = Standings(track, read_scores(TRACK))
    assert set(archived.curves) == set(read_entries(TRACK))
    again = track.score(task, open_dataset(task.dataset), read_entries(TRACK)["farthest"])
    assert Standings(track, {"farthest": again}).differences(archived) == []
