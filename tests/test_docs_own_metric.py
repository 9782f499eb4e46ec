"""What docs/own-metric.md shows works, and gives what the metrics of the leaderboard give."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from aptbench.evaluate.result import read_result

PROJECT = Path(__file__).parents[1]
TEXT = (PROJECT / "docs" / "own-metric.md").read_text(encoding="utf-8")
RESULTS = PROJECT / "leaderboard" / "results" / "water" / "iid"


@pytest.mark.skipif(
    not (PROJECT / "datasets" / "water" / "water.zarr").exists(), reason="needs 'dvc pull'"
)
def test_the_page_scores_every_model_as_the_leaderboard_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    script = tmp_path / "page.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    last = runpy.run_path(str(script))
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == {path.stem for path in RESULTS.glob("*.npz")}
    kept = read_result(last["path"].with_suffix(".json"))
    rmse = last["found"]["rmse"]
    assert (rmse.value, rmse.low, rmse.high) == pytest.approx(
        (kept.metrics["rmse"].value, kept.metrics["rmse"].low, kept.metrics["rmse"].high)
    )
    # a third of the trace squared is the isotropic part: 3 charge^2 = 9 rmse[O,L=0]^2
    charge = last["found"]["ChargeError"].value
    assert charge == pytest.approx(3**0.5 * kept.metrics["rmse[O,L=0]"].value)
