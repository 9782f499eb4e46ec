"""A trajectory that is there already: imported, checked, and labelled as one that was run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from aptbench.cli.main import build_app, run
from aptbench.data import Dataset, verify
from aptbench.errors import InputError
from aptbench.reference.own_trajectory import OwnTrajectory, missing_for_spectra
from aptbench.reference.recipe import Recipe
from tests.reference import stand_in_cp2k
from tests.reference.test_sample import recipe as sampled_recipe

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "own-data"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a recipe for the example of the documentation, changed as asked."""

    def write_recipe(label: dict[str, Any] | None = None, **changes: Any) -> Path:
        section = {
            "positions": str(EXAMPLES / "water-pos-1.xyz"),
            "velocities": str(EXAMPLES / "water-vel-1.xyz"),
            "velocity_unit": "bohr/atomic_time",
            "cell": [6.0, 6.0, 6.0],
            "stride": 2,
            "atoms_per_molecule": 3,
            "temperature": 300.0,
            "made_with": "OpenMM, flexible SPC/E, NVE",
        } | changes
        entries = {
            "name": "mine",
            "version": "0.1.0",
            "title": "Mine",
            "license": "CC0-1.0",
            "system": "box",
            "trajectory": {k: v for k, v in section.items() if v is not None},
            "label": label or {"frames": [3, 200]},
        }
        path = tmp_path / "datasets" / "mine" / "recipe.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(entries))
        return path

    return write_recipe


def main(*words: str) -> int:
    with pytest.raises(SystemExit) as left:
        run(list(words))
    return int(left.value.code or 0)


def test_imported_labelled_and_built(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = stand_in_cp2k.install(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.chdir(tmp_path)
    path = write()

    def report(command: str) -> dict[str, Any]:
        result = CliRunner().invoke(build_app(), [command, str(path), "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    said = report("sample")
    assert (said["frames"], said["last_time_fs"], said["velocities"]) == (301, 1200.0, True)
    store = Dataset(path.parent / "trajectory.zarr")
    # positions are multiples of 2^-14 angstrom in a store
    lines = (EXAMPLES / "water-pos-1.xyz").read_text().splitlines()
    third = [line.split()[1:] for line in lines[6 * 5 + 2 : 6 * 5 + 5]]
    frame = store.trajectory("box")[3]
    np.testing.assert_allclose(frame.positions[0], np.array(third, float), atol=2**-14)
    assert frame.molecule is not None
    provenance = store.system_attrs("box")["provenance"]
    assert provenance["sampling"]["code"] == "OpenMM, flexible SPC/E, NVE"
    assert provenance["temperature_K"] == 300.0
    assert len(provenance["sampling"]["sha256"]) == 2
    assert report("label")["labelled"] == [3, 200]
    assert report("build")["labels"] == 2
    data = Dataset(path.parent / "mine.zarr")
    assert verify(data.path).ok
    assert data.label_frames("box").tolist() == [3, 200]
    assert data.system_attrs("box")["provenance"]["sampling"]["code"].startswith("OpenMM")


def test_what_is_imported_is_kept(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write()
    store = path.parent / "trajectory.zarr"
    assert main("sample", str(path)) == 0
    said = capsys.readouterr()
    assert "301 frames, 1200 fs" in said.out
    assert "No spectrum can be made of this trajectory: The time step is too coarse" in said.err
    first = Dataset(store).content_hash
    assert main("sample", str(path)) == 0
    write(stride=4)
    assert main("sample", str(path)) == 2
    said = capsys.readouterr()
    assert "stride: 2" in said.err
    assert "stride: 4" in said.err
    assert Dataset(store).content_hash == first
    assert main("sample", str(path), "--fresh") == 0
    assert Dataset(store).n_frames("box") == 151


def test_files_that_changed_are_told_and_files_that_are_gone_are_not_needed(
    write: Write, tmp_path: Path
) -> None:
    copy = tmp_path / "datasets" / "mine" / "run.xyz"
    copy.parent.mkdir(parents=True)
    lines = (EXAMPLES / "water-pos-1.xyz").read_text().splitlines()
    copy.write_text("\n".join(lines[: 5 * 100]) + "\n")
    path = write(positions="run.xyz", velocities=None, velocity_unit=None)
    assert main("sample", str(path)) == 0
    assert main("sample", str(path)) == 0
    copy.write_text("\n".join(lines[: 5 * 101]) + "\n")
    section = Recipe.read(path).trajectory
    attrs = Dataset(path.parent / "trajectory.zarr").system_attrs("box")
    assert section is not None
    with pytest.raises(InputError, match="sha256"):
        section.expect_imported(path.parent, attrs)
    assert main("sample", str(path)) == 2
    copy.unlink()
    assert main("sample", str(path)) == 0
    assert main("sample", str(path), "--fresh") == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cell": None}, "no cell"),
        ({"velocity_unit": "angstrom/fs"}, "does not pass the check 'velocities'"),
        ({"atoms_per_molecule": 2}, "do not divide into molecules"),
        ({"atoms_per_molecule": 1, "positions": "none.xyz"}, "no file"),
        ({"format": "extxyz"}, "no velocities to be given"),
    ],
)
def test_what_is_wrong_with_a_trajectory_is_told(
    write: Write, changes: dict[str, Any], message: str
) -> None:
    path = write(**changes)
    section = Recipe.read(path).trajectory
    assert section is not None
    with pytest.raises(InputError, match=message):
        section.read(path.parent)


def edited(folder: Path, change: Callable[[list[list[str]]], list[list[str]]]) -> OwnTrajectory:
    """The positions of the example, changed frame by frame."""
    lines = (EXAMPLES / "water-pos-1.xyz").read_text().splitlines(keepends=True)
    blocks = change([lines[k : k + 5] for k in range(0, len(lines), 5)])
    (folder / "run.xyz").write_text("".join(line for block in blocks for line in block))
    return OwnTrajectory(
        positions="run.xyz", cell=(6.0, 6.0, 6.0), atoms_per_molecule=3, made_with="by hand"
    )


def test_a_gap_a_repeated_frame_and_a_torn_molecule(tmp_path: Path) -> None:
    whole = edited(tmp_path, lambda blocks: blocks[:50])
    times, frames = whole.read(tmp_path)
    assert times.tolist() == (2.0 * np.arange(50)).tolist()
    assert frames.velocities is None
    assert missing_for_spectra(times, frames) == "it has no velocities, which every spectrum needs"
    late = edited(tmp_path, lambda blocks: blocks[10:50]).read(tmp_path)[0]
    assert late[0] == 0.0, "times count from the first frame"
    with pytest.raises(InputError, match="uneven"):
        edited(tmp_path, lambda blocks: blocks[:20] + blocks[21:50]).read(tmp_path)
    stuck = edited(
        tmp_path, lambda b: [[*x[:2], *b[0][2:]] if k == 7 else x for k, x in enumerate(b)]
    )
    with pytest.raises(InputError, match="does not pass the check 'duplicates'"):
        stuck.read(tmp_path)
    # hydrogens first: consecutive atoms are no molecule
    two = edited(tmp_path, lambda b: [_doubled(x) for x in b[:9]])
    with pytest.raises(InputError, match="farther apart than bonds allow"):
        two.read(tmp_path)


def _doubled(block: list[str]) -> list[str]:
    atoms = [line.split() for line in block[2:]]
    second = [[a, f"{float(x) + 3:.10f}", y, z] for a, x, y, z in atoms]
    rows = [atoms[0], second[0], *atoms[1:], *second[1:]]
    return ["6\n", block[1], *(" ".join(row) + "\n" for row in rows)]


def test_a_recipe_has_one_origin_and_units(write: Write) -> None:
    path = write(velocity_unit=None)
    with pytest.raises(InputError, match="need a 'velocity_unit'"):
        Recipe.read(path)
    entries = yaml.safe_load(write().read_text())
    both = entries | {"sample": sampled_recipe().sampling.model_dump(mode="json")}
    path.write_text(yaml.safe_dump(both))
    with pytest.raises(InputError, match="either a section 'sample'"):
        Recipe.read(path)
    path.write_text(yaml.safe_dump({k: v for k, v in entries.items() if k != "trajectory"}))
    with pytest.raises(InputError, match="either a section 'sample'"):
        Recipe.read(path)
    with pytest.raises(InputError, match="no section 'sample'"):
        Recipe.model_validate(entries).sampling  # noqa: B018


def test_a_store_that_was_sampled_is_not_taken_for_an_import(write: Write) -> None:
    section = Recipe.read(write()).trajectory
    assert section is not None
    sampled = {"provenance": {"sampling": sampled_recipe().sampling.model_dump(mode="json")}}
    with pytest.raises(InputError, match="not the one that the recipe names"):
        section.expect_imported(EXAMPLES, sampled)


def test_a_long_fine_trajectory_lacks_nothing() -> None:
    from aptbench import Frames

    still = np.zeros((20001, 1, 3))
    frames = Frames([18], still, velocities=still)
    assert missing_for_spectra(1.0 * np.arange(20001), frames) is None
    assert "too coarse" in str(missing_for_spectra(10.0 * np.arange(20001), frames))
