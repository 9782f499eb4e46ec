"""Names, folders, and what goes wrong with them."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from aptbench.errors import InputError, MissingExtraError, UnknownNameError
from aptbench.models import available_models, load_model, registry
from aptbench.models.registry import ENTRY_POINTS, model_folder

GOOD = "name: mine\ntitle: Mine\nclass: aptbench.models.constant:ConstantCharge\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "datasets").mkdir()
    monkeypatch.setenv("APTBENCH_ROOT", str(tmp_path))
    return tmp_path


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.yaml").write_bytes(text.encode(errors="surrogateescape"))
    return folder


def test_a_baseline_is_found_by_name(project: Path) -> None:
    folder = write(project / "baselines" / "mine", GOOD)
    assert available_models()["mine"] == str(folder)
    assert load_model("mine").name == "mine"


def test_the_folder_is_that_of_the_model_that_is_loaded(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder here that has the name of an entry point is not its folder."""
    point = EntryPoint("mine", "aptbench.models.constant:ConstantCharge", ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    write(project / "mine", GOOD)
    monkeypatch.chdir(project)
    assert load_model("mine").fitted is False
    assert model_folder("mine") is None
    assert model_folder(project / "mine") == project / "mine"
    baseline = write(project / "baselines" / "mine", GOOD)
    assert model_folder("mine") == baseline


def test_unknown_name_proposes_the_nearest(project: Path) -> None:
    write(project / "baselines" / "constant-charge", GOOD)
    with pytest.raises(UnknownNameError, match="did you mean 'constant-charge'"):
        load_model("constant-chrage")


def test_missing_path_lists_the_names(project: Path) -> None:
    write(project / "baselines" / "mine", GOOD)
    with pytest.raises(InputError, match="mine"):
        load_model("./nowhere/model")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "not YAML"),
        ("name: \udcff\udcfe\0", "not YAML"),
        ("name: mine", "title: Field required"),
        (GOOD + "score: 0.1\n", "score: Extra inputs"),
        (GOOD.replace("constant:", "constant."), "class: String should match"),
        (GOOD.replace("ConstantCharge", "ConstantCharg"), "did you mean 'ConstantCharge'"),
        (GOOD.replace("models.constant", "models.nothing"), "cannot be imported"),
        (GOOD + "parameters: {charge: 1}\n", "refuses its parameters"),
        (GOOD.replace("ConstantCharge", "LabelledFrames"), "refuses its parameters"),
        (GOOD + "weights: ../secret\n", "weights: String should match"),
    ],
)
def test_bad_folders_say_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    folder = write(tmp_path / "mine", text)
    with pytest.raises(InputError, match=message):
        load_model(folder)


def test_missing_extra_names_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", "name: m\ntitle: M\nclass: code:Model\n")
    (folder / "code.py").write_text("raise ModuleNotFoundError('no', name='e3nn.o3')\n")
    with pytest.raises(MissingExtraError, match=r"aptbench\[models\]"):
        load_model(folder)


def test_two_folders_with_the_same_module_do_not_meet(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = write(tmp_path / str(number), f"name: m{number}\ntitle: M\nclass: code:Model\n")
        (folder / "code.py").write_text(
            f"class Model:\n    number = {number}\n    def predict(self, frames): ...\n"
        )
    assert [load_model(tmp_path / n).number for n in "12"] == [1, 2]  # type: ignore[attr-defined]


def test_an_object_that_cannot_predict_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", "name: m\ntitle: M\nclass: code:Model\n")
    (folder / "code.py").write_text("class Model: ...\n")
    with pytest.raises(InputError, match="cannot predict"):
        load_model(folder)
