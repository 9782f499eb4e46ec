"""A small project with a synthetic data set, for tests of the upper layers."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

Array = npt.NDArray[np.float64]
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _interruptible() -> None:
    """A shell starts its background jobs with interrupts ignored, and some tests interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_scheduler_left_over() -> None:
    """A client of an earlier test that was killed leaves its scheduler as everybody's default."""
    if "dask" in sys.modules:
        sys.modules["dask"].config.config.pop("scheduler", None)


REPOSITORY = Path(__file__).parents[1]
SIDE, MOLECULES, FRAMES, STEP = 6.3, 8, 3741, 2.0
LABELS = np.arange(10, FRAMES, 140)


def synthetic_positions(times: Array) -> Array:
    """Water molecules on a grid that librate and stretch in closed form, (frame, atom, xyz)."""
    rng = np.random.default_rng(7)
    centers = np.stack(np.meshgrid(*[[0.0, SIDE / 2]] * 3, indexing="ij"), -1).reshape(-1, 3)
    wave = 2 * np.pi * 2.99792458e-5  # rad/fs of one cm^-1
    frames = []
    for center in centers:
        axes = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        swing, drift, *stretches = rng.uniform(0, 2 * np.pi, 4)
        angle = 0.25 * np.sin(wave * rng.uniform(500, 700) * times + swing)
        origin = center + 0.1 * np.sin(wave * 180 * times + drift)[:, None] * axes[2]
        atoms = [origin]
        for sign, phase in zip((1, -1), stretches, strict=True):
            length = 0.97 + 0.03 * np.sin(wave * rng.uniform(3300, 3600) * times + phase)
            direction = angle + sign * np.radians(52.3)
            bond = np.cos(direction)[:, None] * axes[0] + np.sin(direction)[:, None] * axes[1]
            atoms.append(origin + length[:, None] * bond)
        frames.append(np.stack(atoms, 1))
    return np.concatenate(frames, 1)


def synthetic_tensors(positions: Array) -> Array:
    """Tensors of all three irreps that turn with the molecule and obey the sum rule."""
    atoms = positions.reshape(len(positions), -1, 3, 3)
    bonds = atoms[:, :, 1:] - atoms[:, :, :1]
    length = np.linalg.norm(bonds, axis=-1, keepdims=True)
    unit = bonds / length
    other = unit[:, :, ::-1]
    hydrogen = (
        (0.45 + 0.8 * (length - 0.97))[..., None] * np.eye(3)
        + 0.15 * (unit[..., :, None] * unit[..., None, :] - np.eye(3) / 3)
        + 0.04
        * (unit[..., :, None] * other[..., None, :] - other[..., :, None] * unit[..., None, :])
    )
    oxygen = -hydrogen.sum(2, keepdims=True)
    return np.concatenate([oxygen, hydrogen], 2).reshape(len(positions), -1, 3, 3)


@pytest.fixture
def aptbench(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run the program as a person types it: exit code, standard output, standard error."""
    from aptbench.cli.main import run

    def call(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            run([str(word) for word in words])
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


@pytest.fixture(scope="session")
def synthetic_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project root with the data set ``synthetic-water``, the task ``iid`` and two baselines."""
    from aptbench import Frames
    from aptbench.data import SystemData, write_dataset
    from aptbench.models import load_model
    from aptbench.tasks import Split, time_block_split, write_split

    root = tmp_path_factory.mktemp("project")
    times = STEP * np.arange(FRAMES)
    later, earlier = synthetic_positions(times + 0.01), synthetic_positions(times - 0.01)
    positions = synthetic_positions(times)
    frames = Frames(
        np.tile([8, 1, 1], MOLECULES),
        positions,
        [SIDE] * 3,
        velocities=(later - earlier) / 0.02,
        molecule=np.repeat(np.arange(MOLECULES), 3),
    )
    system = SystemData(
        frames,
        LABELS,
        synthetic_tensors(positions[LABELS]),
        times=times,
        provenance={"code": "closed form", "temperature": 300.0},
    )
    folder = root / "datasets" / "synthetic-water"
    attrs = {
        "name": "synthetic-water",
        "version": "0.1.0",
        "title": "Synthetic water of the tests",
        "license": "CC0-1.0",
    }
    data = write_dataset(folder / "synthetic-water.zarr", {"bulk": system}, attrs)
    (folder / "card.md").write_text(
        "# Synthetic water\n\nMade by a formula, | not | by a *calculation*. <b>No HTML.</b>\n",
        encoding="utf-8",
    )
    parts = time_block_split(
        data.label_frames("bulk"), data.times("bulk"), (0.3, 0.15, 0.55), 200.0
    )
    write_split(
        Split(
            name="iid",
            dataset=data.name,
            content_hash=data.content_hash,
            system="bulk",
            **parts,
            gap_fs=200.0,
            rule="blocks of time",
        ),
        folder / "splits" / "iid.json",
    )
    for name in ("constant-charge", "point-charges"):
        shutil.copytree(REPOSITORY / "baselines" / name, root / "baselines" / name)
    constant = load_model(root / "baselines" / "constant-charge")
    constant.fit(data.labelled("bulk", np.array(parts["train"])))
    constant.save(root / "baselines" / "constant-charge")
    return root
