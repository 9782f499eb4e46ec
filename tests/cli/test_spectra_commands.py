"""`aptbench spectrum` and `assign` as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from aptbench.cli.main import build_app
from aptbench.data import open_dataset
from aptbench.data.readers.extended_xyz import write_extended_xyz
from aptbench.errors import InputError, UnknownNameError

NAME = "synthetic-water"
SYSTEM = ["--system", "bulk"]


@pytest.fixture(autouse=True)
def _root(synthetic_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))


def call(*words: object) -> str:
    result = CliRunner().invoke(build_app(), [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_spectrum_with_its_files(tmp_path: Path) -> None:
    models = ["--model", "point-charges", "--model", "constant-charge"]
    out = call("spectrum", NAME, *SYSTEM, *models, "--out", tmp_path, "--json", "--power")
    summary = json.loads(out)
    assert summary["protocol"] == "ir@1"
    integrals = summary["band_integrals_cm-2"]["stretch"]["models"]
    assert set(integrals) == {"point-charges", "constant-charge"}
    value, low, high = integrals["point-charges"]
    assert low < value < high
    for name in ("spectrum.png", "spectrum.svg", "spectrum.csv", "spectrum.zarr", "power.csv"):
        assert (tmp_path / name).exists(), name


def test_the_table_is_for_people(tmp_path: Path) -> None:
    out = call("spectrum", NAME, *SYSTEM, "--model", "point-charges", "--out", tmp_path)
    assert "stretch" in out
    assert "ir@1" in out


def test_another_quantum_correction_is_no_longer_the_protocol(tmp_path: Path) -> None:
    options = ["--model", "point-charges", "--json"]
    usual = json.loads(call("spectrum", NAME, *SYSTEM, *options, "--out", tmp_path / "a"))
    words = ["--quantum-correction", "none", "--out", tmp_path / "b"]
    other = json.loads(call("spectrum", NAME, *SYSTEM, *options, *words))
    assert other["protocol"] == "ir@1 with none correction"
    high = [
        x["band_integrals_cm-2"]["stretch"]["models"]["point-charges"][0] for x in (usual, other)
    ]
    # far above kT the uncorrected line shape is x = h c nu / kB T times weaker
    assert 5 < high[0] / high[1] < 30


def test_channels_add_up_in_every_file(tmp_path: Path) -> None:
    out = call("assign", NAME, *SYSTEM, "--model", "point-charges", "--out", tmp_path, "--json")
    model = json.loads(out)["models"]["point-charges"]
    assert model["additivity"] < 1e-10
    for channels in model["channels_cm-2"].values():
        total = sum(channel["bend"] for channel in channels.values())
        assert total == pytest.approx(model["total_cm-2"]["bend"], rel=1e-8)
    for stem in ("channels", "modes", "distance"):
        assert (tmp_path / f"{stem}-point-charges.png").exists(), stem
    table = np.genfromtxt(tmp_path / "channels-point-charges.csv", delimiter=",", names=True)
    species = [name for name in table.dtype.names if name.startswith("species")]
    scale = np.abs(table["total"]).max()
    assert np.abs(sum(table[name] for name in species) - table["total"]).max() < 1e-4 * scale


def test_own_trajectory_from_a_file(tmp_path: Path) -> None:
    frames = open_dataset(NAME).trajectory("bulk")
    write_extended_xyz(tmp_path / "mine.extxyz", frames)
    words = ["--time-step", "2", "--velocity-unit", "angstrom/fs", "--model", "point-charges"]
    mine = json.loads(
        call("spectrum", tmp_path / "mine.extxyz", *words, "--out", tmp_path / "a", "--json")
    )
    words = [*SYSTEM, "--model", "point-charges", "--out", tmp_path / "b", "--json"]
    theirs = json.loads(call("spectrum", NAME, *words))
    pair = [
        x["band_integrals_cm-2"]["libration"]["models"]["point-charges"][0] for x in (mine, theirs)
    ]
    assert pair[0] == pytest.approx(pair[1], rel=1e-9)


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["spectrum", NAME, *SYSTEM, "--band", "bend:1:x"], InputError, "not a band"),
        (["spectrum", NAME, *SYSTEM, "--model", "nobody"], UnknownNameError, "nobody"),
        (["spectrum", NAME, *SYSTEM, "--protocol", "ir@9"], UnknownNameError, "ir@9"),
        (["spectrum", NAME, *SYSTEM], InputError, "nothing to make a spectrum of"),
        (["spectrum", NAME, *SYSTEM, "--cell", "1,2"], InputError, "--cell cannot be read"),
        (["spectrum", "nothing", "--model", "point-charges"], UnknownNameError, "nothing"),
        (["assign", NAME, *SYSTEM], InputError, "nothing to assign"),
        (["assign", NAME, *SYSTEM, "--labels"], InputError, "Not every frame"),
        (
            ["assign", NAME, *SYSTEM, "--model", "point-charges", "--edges", "1,2"],
            InputError,
            "rise from zero",
        ),
    ],
)
def test_bad_input_says_what_to_do(words: list[str], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        call(*words)
