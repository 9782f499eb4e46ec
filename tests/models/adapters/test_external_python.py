"""Models in another process: what comes back, and what is said when it goes wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames
from aptbench.errors import EngineError, InputError
from aptbench.models import check_model, load_model
from aptbench.models.adapters import ExternalPython
from aptbench.models.adapters.worker import Frames as Standin
from aptbench.oracle import PolarizableWater

THEIRS = '''
"""A model that knows neither aptbench nor its environment."""
import os
import sys
import time

import numpy as np

sys.modules["aptbench"] = None  # as if it were not installed here
print("a banner on the standard output")


class Model:
    def __init__(self, charge=-0.8, mode=""):
        self.charge, self.mode = charge, mode

    def predict(self, frames):
        print("predicting", len(frames), type(frames).__module__)
        if self.mode == "raise":
            raise RuntimeError("no convergence")
        if self.mode == "exit":
            print("out of memory", file=sys.stderr)
            os._exit(9)
        if self.mode == "sleep":
            time.sleep(60)
        q = np.where(frames.atomic_numbers == 8, self.charge, -self.charge / 2)
        return np.tile(q[:, None, None] * np.eye(3), (len(frames), 1, 1, 1))

    def dipole(self, frames):
        q = np.where(frames.atomic_numbers == 8, self.charge, -self.charge / 2)
        return np.einsum("a,fax->fx", q, frames.positions)
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "theirs.py").write_text(THEIRS)
    (folder / "model.yaml").write_text(
        "name: theirs\ntitle: Elsewhere\n"
        "class: aptbench.models.adapters.external_python:ExternalPython\n"
        f"parameters: {{python: '{sys.executable}', model: 'theirs:Model', "
        "arguments: {charge: -0.7}}\n"
    )
    return folder


def make(folder: Path, mode: str, **options: float) -> ExternalPython:
    arguments = {"mode": mode}
    return ExternalPython(
        sys.executable, "theirs:Model", arguments=arguments, folder=folder, **options
    )


def test_a_folder_runs_elsewhere_and_conforms(folder: Path, liquid: Frames) -> None:
    model = load_model(folder)
    assert isinstance(model, ExternalPython)
    with model:
        report = check_model(model, liquid)
        assert report.passed, str(report)
        assert report["dipole_derivative_residual"].value < 1e-9
        assert model.predict(liquid)[0, 0, 2, 2] == -0.7
        assert not hasattr(model, "predict_std")
        scratch = model._started().scratch
        assert scratch.exists()
    assert not scratch.exists()


def test_all_fields_arrive(tmp_path: Path, liquid: Frames, water: PolarizableWater) -> None:
    """The periodic polarizable model needs positions, cell and molecules to the last digit."""
    with ExternalPython(sys.executable, "aptbench.oracle:PolarizableWater") as model:
        np.testing.assert_allclose(model.predict(liquid[1]), water.predict(liquid[1]), atol=1e-12)


def test_an_error_there_is_an_error_here_and_not_the_end(folder: Path, molecule: Frames) -> None:
    with make(folder, "raise") as model:
        for _ in range(2):
            with pytest.raises(EngineError, match=r"(?s)RuntimeError: no convergence.*theirs\.py"):
                model.predict(molecule)
        assert model.dipole(molecule).shape == (2, 3)


def test_a_dead_process_leaves_its_last_words(folder: Path, molecule: Frames) -> None:
    with make(folder, "exit") as model:
        for _ in range(2):  # the second call starts another process
            with pytest.raises(EngineError, match=r"(?s)exit code 9.*out of memory"):
                model.predict(molecule)


def test_a_hanging_process_is_ended(folder: Path, molecule: Frames) -> None:
    model = make(folder, "sleep")
    worker = model._started()  # with the long limit: only the sleep must be too long
    worker.timeout = 0.2
    with pytest.raises(EngineError, match=r"(?s)did not answer in 0\.2 s.*predicting 2"):
        model.predict(molecule)
    assert worker._process.poll() is not None
    assert not worker.scratch.exists()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nowhere:Model", "ModuleNotFoundError"),
        ("theirs:Nothing", "AttributeError"),
    ],
)
def test_what_cannot_be_made_is_named(folder: Path, model: str, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        ExternalPython(sys.executable, model, folder=folder).predict(Frames([1], [[0, 0, 0]]))


def test_arguments_are_checked_here() -> None:
    with pytest.raises(InputError, match="no Python at this path"):
        ExternalPython("/nowhere/bin/python", "a:B")
    with pytest.raises(InputError, match="positive"):
        ExternalPython(sys.executable, "a:B", timeout=0)
    with pytest.raises(InputError, match="model folder"):
        ExternalPython("{folder}/bin/python", "a:B")


def test_the_stand_in_behaves_as_frames_do(liquid: Frames) -> None:
    fields = ("atomic_numbers", "positions", "cell", "velocities", "molecule", "total_charge")
    standin = Standin(**{name: getattr(liquid, name) for name in fields})
    assert (len(standin), standin.n_atoms, standin.periodic) == (2, 24, True)
    for index in (1, -1, slice(0, 1), [1, 0]):
        for name in ("positions", "cell", "velocities"):
            np.testing.assert_array_equal(
                getattr(standin[index], name), getattr(liquid[index], name)
            )
