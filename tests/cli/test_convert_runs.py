"""`aptbench convert` on runs of other programs, as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from aptbench.cli.main import build_app, run
from aptbench.data import Dataset
from aptbench.frames import LabelledFrames
from aptbench.oracle import labelled_liquid
from tests.data.readers.run_files import outcar, write

pytest.importorskip("ase")
ESPRESSO = Path(__file__).parents[1] / "data" / "readers" / "espresso_water"


@pytest.fixture(scope="module")
def labelled() -> LabelledFrames:
    return labelled_liquid(8, 2, equilibration=20)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labelled: LabelledFrames) -> Path:
    """Two runs of VASP in the folders runs/2 and runs/10."""
    order = np.argsort(-labelled.frames.atomic_numbers, kind="stable")
    for number, one in zip((2, 10), (labelled[0], labelled[1]), strict=True):
        text = outcar(one.frames.permuted(order), one.apt[0, order])
        write(tmp_path / "runs" / str(number) / "OUTCAR", text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def convert(*words: str) -> tuple[int, dict]:
    result = CliRunner().invoke(build_app(), ["convert", *words, "--json"])
    return result.exit_code, json.loads(result.stdout) if result.stdout else {}


@pytest.mark.parametrize(
    "sources", [["runs"], ["runs/*/OUTCAR"], ["runs/2/OUTCAR", "runs/10/OUTCAR"]]
)
def test_runs_by_folder_by_pattern_and_by_name(runs, sources):
    code, report = convert(*sources, "own.zarr", "--format", "vasp")
    assert code == 0
    assert (report["labels"], report["atoms"]) == (2, 24)
    assert {check["check"]: check["outcome"] for check in report["checks"]}["index_order"] == "pass"
    assert Dataset("own.zarr").system_attrs("main")["provenance"]["code"] == "VASP 6.3.0"


def test_the_wrong_order_is_refused_with_code_1(runs):
    code, report = convert("runs", "own.zarr", "--format", "vasp", "--order", "disp,pol")
    assert code == 1
    assert [c["check"] for c in report["checks"] if c["outcome"] == "fail"] == ["index_order"]
    assert not Path("own.zarr").exists()


def test_a_molecule_in_a_box(runs):
    code, report = convert(str(ESPRESSO), "own.zarr", "--format", "espresso", "--isolated")
    assert code == 0
    outcomes = {check["check"]: check["outcome"] for check in report["checks"]}
    # ph.x was asked for no sum rule
    assert outcomes == {"charges": "pass", "acoustic_sum": "unknown", "index_order": "pass"}


def test_an_output_that_breaks_off_is_named_with_code_2(runs, capsys):
    path = runs / "runs" / "10" / "OUTCAR"
    text = path.read_text()
    path.write_text(text[: text.rindex("ion   20")])
    with pytest.raises(SystemExit) as end:
        run(["convert", "runs", "own.zarr", "--format", "vasp"])
    assert end.value.code == 2
    message = capsys.readouterr().err
    assert "runs/10/OUTCAR" in message
    assert "19 of 24 atoms" in message
    assert "What to do" in message
