"""`aptbench spectrum` and `assign` as a person types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from aptbench.cli.main import build_app
from aptbench.data import open_dataset
from aptbench.data.readers.extended_xyz import write_extended_xyz
from aptbench.errors import AlignmentError, InputError, UnknownNameError
from aptbench.evaluate import archived_current
from aptbench.tasks import load_task

NAME = "synthetic-water"
SYSTEM = ["--system", "bulk"]


@pytest.fixture(autouse=True)
def _root(synthetic_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))


MODEL = """
import numpy as np

class Charges:
    n_parameters = 5

    def __init__(self, **provenance):
        self.provenance_ = provenance

    def predict(self, frames):
        charge = np.where(frames.atomic_numbers == 8, -0.8, 0.4)
        return np.tile(charge[:, None, None] * np.eye(3), (len(frames), 1, 1, 1))
"""


def trained(path: Path, labels: list[int], name: str = "mine") -> Path:
    """The folder of a model that says it was trained on these labels."""
    path.mkdir()
    (path / "model.py").write_text(MODEL)
    provenance = {
        "dataset": {"name": NAME},
        "system": "bulk",
        "content_hash": open_dataset(NAME).content_hash,
        "train": labels,
    }
    spec = {"name": name, "title": "Mine", "class": "model:Charges", "parameters": provenance}
    (path / "model.yaml").write_text(json.dumps(spec))
    return path


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


def test_a_spectrum_of_a_task_refuses_what_was_trained_on_its_test(tmp_path: Path) -> None:
    task = load_task(f"{NAME}/iid")
    leak = trained(tmp_path / "m", [task.train[0], task.test[1]])
    for command in ("spectrum", "assign"):
        with pytest.raises(AlignmentError, match="trained on test labels"):
            call(command, task.name, "--model", leak, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    fine = trained(tmp_path / "fine", list(task.train))
    call("spectrum", task.name, "--model", fine, "--out", tmp_path / "out")


def test_the_archived_current_of_an_unchanged_model_is_used(
    synthetic_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, archive = f"{NAME}/iid", synthetic_project / "leaderboard" / "results"
    model = ["--model", "point-charges"]
    call("run", task, *model, "--no-cost", "--archive", archive, "--out", tmp_path / "run")
    monkeypatch.setattr(archived_current, "PATIENCE", 0.0)
    try:
        told = [
            CliRunner().invoke(
                build_app(),
                ["spectrum", task, *model, "--json", "--out", str(tmp_path / "out"), *more],
            )
            for more in ([], ["--fresh"])
        ]
    finally:
        shutil.rmtree(archive / task)
    assert ["have not changed: point-charges." in one.stderr for one in told] == [True, False]
    kept, fresh = (
        json.loads(one.stdout)["band_integrals_cm-2"]["all"]["models"]["point-charges"]
        for one in told
    )
    assert kept == pytest.approx(fresh, rel=1e-5)


def test_labels_that_a_model_names_do_not_correct_it(tmp_path: Path) -> None:
    task, data = load_task(f"{NAME}/iid"), open_dataset(NAME)
    seen = list(task.test[:3])
    model = trained(tmp_path / "m", seen)
    of_split = len(task.train) + len(task.validation)

    def left_out(*words: object) -> int:
        call("spectrum", NAME, *SYSTEM, "--model", model, "--out", tmp_path / "out", *words)
        with xr.open_zarr(tmp_path / "out" / "spectrum.zarr", consolidated=False) as study:
            assert study.attrs["n_labels"] + study.attrs["labels_left_out"] == data.n_labels("bulk")
            return int(study.attrs["labels_left_out"])

    assert left_out() == of_split + len(seen)
    assert left_out("--all-labels") == len(seen)


def test_what_a_model_does_not_say_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = trained(tmp_path / "m", [0])
    (model / "model.py").write_text(MODEL.replace("= provenance", "= {}"))
    words = ["spectrum", NAME, *SYSTEM, "--model", model, "--out", tmp_path / "out"]
    result = CliRunner().invoke(build_app(), [str(word) for word in words])
    assert "mine does not say on which labels it was trained." in result.stderr


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    pair = [trained(tmp_path / name, [0], "point-charges") for name in ("a", "b")]
    for models in (pair, ["point-charges", pair[0]]):
        words = [word for model in models for word in ("--model", model)]
        for command in ("spectrum", "assign"):
            with pytest.raises(InputError, match="Two models are called 'point-charges'"):
                call(command, NAME, *SYSTEM, *words, "--out", tmp_path / "out")


@pytest.mark.parametrize("source", ["synthetic-water/iid", "file"])
def test_all_labels_are_those_of_a_data_set(tmp_path: Path, source: str) -> None:
    words: list[object] = [source]
    if source == "file":
        write_extended_xyz(tmp_path / "mine.extxyz", open_dataset(NAME).trajectory("bulk")[:2000])
        words = [tmp_path / "mine.extxyz", "--time-step", "2", "--velocity-unit", "angstrom/fs"]
    with pytest.raises(InputError, match="takes no --all-labels"):
        call("spectrum", *words, "--model", "point-charges", "--all-labels", "--out", tmp_path)
