"""The data commands, as a person types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from aptbench.data import Dataset, SystemData, write_dataset
from aptbench.frames import Frames
from aptbench.units import UNITS

CP2K = Path(__file__).parents[1] / "data" / "readers" / "cp2k_water"


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    rng = np.random.default_rng(5)
    frames = Frames([8, 1, 1], rng.normal(size=(6, 3, 3)), [9, 9, 9], rng.normal(size=(6, 3, 3)))
    system = SystemData(frames, [1, 4], rng.normal(size=(2, 3, 3, 3)), times=0.5 * np.arange(6))
    attrs = {"name": "tiny", "version": "0.1.0", "title": "Synthetic", "license": "CC0-1.0"}
    write_dataset(tmp_path / "datasets" / "tiny" / "tiny.zarr", {"main": system}, attrs)
    later = tmp_path / "datasets" / "later"
    later.mkdir()
    (later / "later.zarr.dvc").write_text("outs: []\n")
    monkeypatch.setenv("APTBENCH_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_ls(project, aptbench):
    code, out, _ = aptbench("ls")
    assert code == 0
    assert "dvc pull datasets/later/later.zarr" in out
    assert "tiny" in out
    code, out, _ = aptbench("ls", "--json")
    assert [row["available"] for row in json.loads(out)] == [False, True]


def test_ls_shows_damage(project, aptbench):
    (project / "datasets" / "tiny" / "tiny.zarr" / "zarr.json").write_text("{")
    code, out, _ = aptbench("ls")
    assert code == 0
    assert "aptbench verify tiny" in out


def test_info(project, aptbench):
    code, out, _ = aptbench("info", "tiny")
    assert code == 0
    assert out.startswith("tiny 0.1.0: Synthetic\nsha256:")
    assert "9 x 9 x 9 angstrom" in out
    (row,) = (line.split() for line in out.splitlines() if line.startswith("main"))
    temperature = Dataset("datasets/tiny/tiny.zarr").trajectory("main").temperatures.mean()
    assert row == ["main", "H2O", "3", "6", "0.5", "0.0025", f"{temperature:.1f}", "–", "2"]
    assert any(line.split()[::3] == ["sum_rule_residual", "e"] for line in out.splitlines())
    assert aptbench("info", "tiny")[1] == out
    code, out, _ = aptbench("info", "tiny", "--json")
    info = json.loads(out)["systems"]["main"]
    assert (info["frames"], info["labels"], info["time_step_fs"]) == (6, 2, 0.5)
    assert info["formula"] == "H2O"
    assert info["velocities"] is True


def test_info_of_several_systems_fits_a_terminal(project, aptbench):
    def ions(numbers: list[int], charge: float, quality: float, **provenance: object) -> SystemData:
        frames = Frames(numbers, np.arange(3.0 * len(numbers)).reshape(1, -1, 3))
        return SystemData(
            frames.replace(total_charge=charge),
            [0],
            np.zeros((1, len(numbers), 3, 3)),
            quality={"net_force": [quality]},
            quality_units={"net_force": "hartree/bohr"},
            provenance=provenance,
        )

    labels = {"code": "CP2K 2023.1", "functional": "RPBE", "field": 0.0005000000000000001}
    stages = [{"ensemble": "NVT", "steps": 4000}, {"ensemble": "NVE", "steps": 8000}]
    sampling = {"code": "OpenMM 8.6.1", "timestep": 0.5, "stages": stages}
    systems = {
        "brine": ions([11, 17, 8, 1, 1], 0.0, 0.25, labels=labels, temperature_K=300.0),
        "methane": ions([6, 1, 1, 1, 1], 1.0, 0.5, labels=labels, sampling=sampling),
        "zinc": SystemData(
            Frames([30], np.zeros((2, 1, 3)), [[[3, 0, 0], [1, 3, 0], [0, 0, k]] for k in (4, 5)]),
            [],
            np.zeros((0, 1, 3, 3)),
        ),
    }
    attrs = {"name": "few", "version": "0.1.0", "title": "Few " * 30, "license": "CC0-1.0"}
    write_dataset("few.zarr", systems, attrs)
    code, out, _ = aptbench("info", "few.zarr")
    assert code == 0
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert not any("{" in line or "00000000001" in line for line in lines)
    rows = {words[0]: words[1:] for line in lines if (words := line.split())}
    assert rows["brine"] == ["ClH2NaO", "5", "1", "–", "–", "–", "300", "1", "0"]
    assert rows["methane"] == ["CH4", "5", "1", "–", "–", "–", "–", "1", "1"]
    assert rows["net_force"] == ["0.375", "0.5", "hartree/bohr", "methane"]
    assert "cell of zinc  3 x 3.16228 x 4 angstrom, not rectangular, in the first frame" in out
    assert "labels    CP2K 2023.1; RPBE; field 0.0005 atomic units" in out
    assert "sampling  OpenMM 8.6.1; time step 0.5 fs; NVT 4000, NVE 8000 steps" in out


def test_names_are_answered_with_help(project, aptbench):
    code, _, err = aptbench("info", "tiyn")
    assert code == 2
    assert "did you mean 'tiny'" in err
    code, _, err = aptbench("info", "later")
    assert code == 2
    assert "dvc pull datasets/later" in err


def test_verify(project, aptbench):
    code, out, _ = aptbench("verify")
    assert code == 0
    assert out.startswith("ok")
    shard = (
        project / "datasets" / "tiny" / "tiny.zarr" / "main" / "apt" / "c" / "0" / "0" / "0" / "0"
    )
    shard.write_bytes(shard.read_bytes()[:-1])
    code, out, _ = aptbench("verify", "tiny")
    assert code == 1
    assert "damaged  tiny: main/apt/c/0/0/0/0" in out
    code, out, _ = aptbench("verify", "tiny", "--json")
    assert code == 1
    assert json.loads(out)["tiny"]["problems"][0]["kind"] == "damaged"


def test_verify_without_a_store(project, aptbench):
    shutil.rmtree(project / "datasets" / "tiny")
    code, _, err = aptbench("verify")
    assert code == 2
    assert "no store" in err


def test_convert_cp2k(project, aptbench):
    words = ["convert", CP2K, "own.zarr", "--format", "cp2k", "--field", "5e-4"]
    code, out, _ = aptbench(*words)
    assert code == 0
    assert "Wrote own.zarr: 1 labels" in out
    assert Dataset("own.zarr").name == "own"
    code, _, err = aptbench(*words)
    assert code == 2
    assert "already" in err
    assert "--overwrite" in err
    code, out, _ = aptbench(*words, "--overwrite", "--json", "--system", "w1", "--cell", "6")
    assert code == 0
    assert json.loads(out)["content_hash"] == Dataset("own.zarr").content_hash
    assert Dataset("own.zarr").systems == ("w1",)


def test_convert_says_what_it_takes(aptbench):
    code, out, _ = aptbench("convert", "--help")
    assert code == 0
    words = out.replace("│", " ").split()
    for quantity in ("apt", "length", "velocity"):
        assert set(UNITS[quantity]) <= {word.strip(",.") for word in words}


def write_ions(path: Path, unit: float = 1.0) -> Path:
    """Sodium chloride in a gas of two: charges of one, in units of ``unit``."""
    rows = [
        f"{symbol} 0 0 {z} " + " ".join(str(charge * unit * (k % 4 == 0)) for k in range(9))
        for symbol, z, charge in (("Na", 0, 1), ("Cl", 2.4, -1))
    ]
    path.write_text("\n".join(["2", "ions", *rows]) + "\n")
    return path


def test_convert_columns(project, aptbench):
    source = write_ions(project / "ions.xyz")
    words = ["convert", source, "ions.zarr", "--format", "columns-xyz", "--isolated"]
    code, _, err = aptbench(*words)
    assert code == 2
    assert "--order" in err
    code, out, _ = aptbench(*words, "--order", "disp,pol")
    assert code == 0
    assert "unknown  index_order" in out
    assert Dataset("ions.zarr").labelled("main").apt[0, 1, 0, 0] == -1


def test_convert_refuses_a_failed_check_with_code_1(project, aptbench):
    source = write_ions(project / "ions.xyz", unit=50.0)
    words = ["convert", source, "ions.zarr", "--format", "columns-xyz", "--isolated"]
    words += ["--order", "pol,disp"]
    code, out, _ = aptbench(*words)
    assert code == 1
    assert "fail     charges" in out
    assert not Path("ions.zarr").exists()
    code, out, _ = aptbench(*words, "--force", "--json")
    assert code == 0
    assert json.loads(out)["written"] == "ions.zarr"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--order", "pol,dips"], "did you mean 'pol,disp'"),
        (["--order", "pol,disp", "--unit", "debye"], "a unit of dipole"),
        (["--order", "pol,disp", "--cell", "1,2"], "1, 3 or 9 numbers"),
    ],
)
def test_convert_input_errors_have_code_2(project, aptbench, extra, message):
    source = write_ions(project / "ions.xyz")
    words = ["convert", source, "ions.zarr", "--format", "columns-xyz", "--isolated"]
    code, _, err = aptbench(*words, *extra)
    assert code == 2
    assert message in err
