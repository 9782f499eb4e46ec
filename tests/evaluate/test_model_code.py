"""What predictions depend on besides the files of a model folder."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import aptbench
from aptbench.evaluate import model_code
from aptbench.evaluate.model_code import OWN, code_of, outside_files
from aptbench.evaluate.prediction_run import cache_key
from aptbench.models import load_model
from aptbench.models.constant import ConstantCharge

SOURCE = """
import numpy as np

{line}


class Model:
    def __init__(self, **arguments):
        self.arguments = arguments

    def predict(self, frames):
        return np.zeros((len(frames), frames.n_atoms, 3, 3))
"""
IMPORT = re.compile(r"^\s*(?:from|import) aptbench\.([\w.]+)", re.MULTILINE)
FOREIGN = ("atomic", "errors", "json_file", "oracle", "testing", "data", "metrics.sum_rules")
"""What models import and does not change what they predict: files, messages, checks."""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages that can be imported."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    model_code._distributions.cache_clear()
    yield folder
    model_code._distributions.cache_clear()
    for name in ("theirs", "theirs.network", "helper", "counted"):
        sys.modules.pop(name, None)


def package(path: Path, name: str, line: str = "", module: str = "__init__") -> None:
    place = path / name
    place.mkdir(exist_ok=True)
    (place / "__init__.py").touch()
    (place / f"{module}.py").write_text(SOURCE.format(line=line))


def folder_of(path: Path, name: str, parameters: dict[str, Any] | None = None) -> Path:
    path.mkdir(exist_ok=True)
    spec = {"name": "m", "title": "M", "class": name, "parameters": parameters or {}}
    (path / "model.yaml").write_text(json.dumps(spec))
    return path


def code(folder: Path) -> str:
    found = code_of(load_model(folder), folder)
    assert found is not None
    return found


def test_all_modules_that_models_use_are_in_the_code() -> None:
    package_folder = Path(aptbench.__file__).parent
    modules = [file[:-3].replace("/", ".") for file in OWN if file.endswith(".py")]
    used = set()
    for place in OWN:
        for source in model_code._sources([package_folder / place]):
            used |= set(IMPORT.findall(source.read_text()))
    other = {name for name in used if name.partition(".")[0] != "models" and name not in modules}
    assert other <= set(FOREIGN)
    assert set(modules) <= used


def test_the_source_of_an_installed_class_counts(path: Path, tmp_path: Path) -> None:
    package(path, "theirs", module="network")
    package(path, "helper")
    folder = folder_of(tmp_path / "m", "theirs.network:Model")
    first = code(folder)
    assert code(folder) == first
    # another module of the same package, which the class may import
    (path / "theirs" / "layers.py").write_text("import helper\n")
    second = code(folder)
    assert second != first
    # and a package that has no version, which that imports
    package(path, "helper", "FACTOR = 2")
    assert code(folder) not in (first, second)
    assert cache_key(load_model(folder), "mark", "t", folder) == cache_key(
        load_model(folder), "mark", "t", folder
    )


def test_the_version_of_an_imported_package_counts(path: Path, tmp_path: Path) -> None:
    def install(version: str) -> None:
        for old in path.glob("counted-*"):
            for file in old.iterdir():
                file.unlink()
            old.rmdir()
        info = path / f"counted-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: counted\nVersion: {version}\n"
        )
        (info / "top_level.txt").write_text("counted\n")
        model_code._distributions.cache_clear()

    package(path, "counted")
    install("1.0")
    folder = folder_of(tmp_path / "m", "code:Model")
    (folder / "code.py").write_text(SOURCE.format(line="import counted"))
    first = code(folder)
    install("1.1")
    assert code(folder) != first
    # the other way round: what it does not import does not count
    (folder / "code.py").write_text(SOURCE.format(line=""))
    second = code(folder)
    install("1.2")
    assert code(folder) == second


def test_weights_elsewhere_count(tmp_path: Path) -> None:
    weights, shards = tmp_path / "weights.bin", tmp_path / "shards"
    weights.write_bytes(b"1")
    shards.mkdir()
    parameters = {"arguments": {"path": str(weights), "word": "e"}, "shards": f"{shards}"}
    folder = folder_of(tmp_path / "m", "code:Model", parameters | {"own": "{folder}/model.yaml"})
    (folder / "code.py").write_text(SOURCE.format(line=""))
    assert set(outside_files(folder)) == {str(weights), str(shards)}
    first = code(folder)
    weights.write_bytes(b"2")
    second = code(folder)
    (shards / "part-0").write_bytes(b"3")
    assert len({first, second, code(folder)}) == 3


def test_a_path_below_the_folder_of_the_model_is_found(tmp_path: Path) -> None:
    (tmp_path / "shared.pt").write_bytes(b"1")
    folder = folder_of(tmp_path / "m", "code:Model", {"weights": "../shared.pt"})
    assert set(outside_files(folder)) == {"../shared.pt"}


def test_the_source_of_a_wrapped_class_counts(path: Path, tmp_path: Path) -> None:
    package(path, "theirs")
    folder = folder_of(tmp_path / "m", "code:Model", {"arguments": {"of": ["theirs:Model"]}})
    (folder / "code.py").write_text(SOURCE.format(line=""))
    first = code(folder)
    package(path, "theirs", "FACTOR = 2")
    assert code(folder) != first


def test_the_other_python_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "there"
    place.mkdir()
    package(place, "theirs")
    monkeypatch.setenv("PYTHONPATH", str(place))
    parameters = {"python": sys.executable, "model": "theirs:Model"}
    name = "aptbench.models.adapters.external_python:ExternalPython"
    folder = folder_of(tmp_path / "m", name, parameters)
    first = code(folder)
    assert code(folder) == first
    package(place, "theirs", "FACTOR = 2")
    second = code(folder)
    assert second != first
    info = place / "new-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: new\nVersion: 1.0\n")
    assert code(folder) not in (first, second)


def test_an_other_python_that_does_not_answer_keeps_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    name = "aptbench.models.adapters.external_python:ExternalPython"
    folder = folder_of(tmp_path / "m", name, {"python": str(broken), "model": "a:B"})
    model: Any = load_model(folder)
    assert code_of(model, folder) is None
    assert cache_key(model, "mark", "t", folder) is None


@pytest.mark.parametrize("module", OWN)
def test_own_modules_count(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    copy = tmp_path / "aptbench"
    shutil.copytree(Path(aptbench.__file__).parent, copy, ignore=shutil.ignore_patterns("*.pyc"))
    monkeypatch.setattr(aptbench, "__file__", str(copy / "__init__.py"))
    before = code_of(ConstantCharge())
    changed = copy / module
    changed = changed / "point_charges.py" if changed.is_dir() else changed
    changed.write_text(changed.read_text() + "\nCHANGED = True\n")
    assert code_of(ConstantCharge()) != before
