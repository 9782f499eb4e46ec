"""Molecular dynamics of two water molecules by the real engine: stopped, continued, read."""

from __future__ import annotations

import numpy as np
import pytest

from aptbench import Frames
from aptbench.errors import InputError
from aptbench.reference.claim import claimed
from aptbench.reference.recipe import Labelling, Recipe, Sampling, Stage
from aptbench.reference.sample import expect_sampled_with, sample, trajectory_data
from aptbench.reference.start import read_start
from tests.reference.conftest import WATER

CELL = (14.0, 14.0, 14.0)
STEPS = 2000


@pytest.fixture
def start() -> Frames:
    other = np.add(WATER, [3.0, 0.0, 0.0])
    return Frames([8, 1, 1] * 2, [*WATER, *other], cell=CELL)


def recipe(steps: int = 40, stride: int = 4) -> Recipe:
    sampling = Sampling(
        potential="bulkH2O-jcp2020-cnnp",
        start="start.xyz",
        cell=CELL,
        temperature=300.0,
        timestep=0.5,
        stride=stride,
        seed=1,
        stages=(
            Stage(name="nvt", ensemble="NVT", steps=40),
            Stage(name="nve", ensemble="NVE", steps=steps, match_energy=True),
        ),
    )
    return Recipe(
        name="tiny",
        version="0.0.1",
        title="two molecules",
        license="CC-BY-4.0",
        system="dimer",
        sample=sampling,
        label=Labelling(frames=(0,)),
    )


@pytest.mark.engine
def test_trajectory_is_dense_and_its_velocities_are_derivatives(cp2k, start, tmp_path):
    times, frames = sample(recipe(stride=1), start, tmp_path, cp2k)
    assert times == pytest.approx(0.5 * np.arange(41))
    derivative = (frames.positions[2:] - frames.positions[:-2]) / 1.0
    # A central difference of a 9 fs vibration over 0.5 fs is off by (w dt)^2 / 6 = 2 %.
    assert np.abs(derivative - frames.velocities[1:-1]).max() < 0.05 * np.abs(derivative).max()


@pytest.mark.engine
def test_total_energy_is_matched_and_conserved(cp2k, start, tmp_path):
    sample(recipe(), start, tmp_path, cp2k)
    before = np.loadtxt(tmp_path / "nvt/md-1.ener")
    after = np.loadtxt(tmp_path / "nve/md-1.ener")
    target = (before[:, 2] + before[:, 4])[len(before) // 2 :].mean()
    total = after[:, 2] + after[:, 4]
    assert total == pytest.approx(np.full(len(total), target), abs=2e-4)


@pytest.mark.engine
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(cp2k, start, tmp_path):
    whole = sample(recipe(STEPS), start, tmp_path / "whole", cp2k)[1]

    class StopError(Exception):
        pass

    def stop(stage: str, done: int, _: int) -> None:
        if stage == "nve" and done >= 210:
            raise StopError

    part = tmp_path / "part"
    with pytest.raises(StopError):
        sample(recipe(STEPS), start, part, cp2k, stop)
    written = len((part / "nve/md-1.ener").read_text().splitlines())
    assert 210 < written < STEPS, "the run was not stopped on its way"
    times, frames = sample(recipe(STEPS), start, part, cp2k)
    assert len(times) == STEPS // 4 + 1
    assert np.abs(frames.positions - whole.positions).max() < 1e-5


@pytest.mark.engine
def test_finished_stages_are_not_run_again(cp2k, start, tmp_path):
    first = sample(recipe(), start, tmp_path, cp2k)[1]
    stamp = (tmp_path / "nve/md.out").stat().st_mtime_ns
    again = sample(recipe(), start, tmp_path, cp2k)[1]
    assert (tmp_path / "nve/md.out").stat().st_mtime_ns == stamp
    assert np.array_equal(first.positions, again.positions)


@pytest.mark.engine
def test_an_appended_stage_goes_on_with_the_trajectory(cp2k, start, tmp_path):
    short = recipe(40)
    first = sample(short, start, tmp_path / "first", cp2k)[1]
    longer = short.model_copy(
        update={
            "sample": short.sample.model_copy(
                update={
                    "stages": (
                        *short.sample.stages,
                        Stage(name="more", ensemble="NVE", steps=20, append=True),
                    )
                }
            )
        }
    )
    times, frames = sample(longer, start, tmp_path / "second", cp2k, stored=first)
    assert not (tmp_path / "second/nve").exists(), "a stored stage was run again"
    assert times == pytest.approx(2.0 * np.arange(16))
    assert np.array_equal(frames.positions[:11], first.positions)
    in_one = sample(recipe(60), start, tmp_path / "whole", cp2k)[1]
    assert np.abs(frames.positions - in_one.positions).max() < 1e-5
    with pytest.raises(InputError, match="does not end where a stage"):
        sample(longer, start, tmp_path / "third", cp2k, stored=first[:7])


@pytest.mark.engine
def test_a_stage_of_other_settings_is_not_gone_on_with(cp2k, start, tmp_path):
    sample(recipe(), start, tmp_path, cp2k)
    for changes in ({"temperature": 310.0}, {"seed": 2}, {"timestep": 0.25}):
        other = recipe()
        other = other.model_copy(update={"sample": other.sample.model_copy(update=changes)})
        with pytest.raises(InputError, match="other settings than the recipe"):
            sample(other, start, tmp_path, cp2k)
    moved = start.replace(positions=start.positions + 0.01)
    with pytest.raises(InputError, match="from another configuration"):
        sample(recipe(), moved, tmp_path, cp2k)
    with claimed(tmp_path / ".sample.claim"), pytest.raises(InputError, match="Another process"):
        sample(recipe(), start, tmp_path, cp2k)


def test_a_stored_trajectory_keeps_the_settings_it_was_sampled_with(start):
    settings = recipe().sample
    attrs = trajectory_data(recipe(), np.zeros(1), start, "a program 1.0").provenance
    expect_sampled_with(settings, {"provenance": attrs})
    more = Stage(name="more", ensemble="NVE", steps=20, append=True)
    longer = settings.model_copy(update={"stages": (*settings.stages, more)})
    expect_sampled_with(longer, {"provenance": attrs})
    for changes in (
        {"temperature": 370.0},
        {"timestep": 0.25},
        {"stages": (settings.stages[0], more)},
        {"stages": settings.stages[:1]},
    ):
        with pytest.raises(InputError, match="sampled with other settings"):
            expect_sampled_with(settings.model_copy(update=changes), {"provenance": attrs})
    with pytest.raises(InputError, match="does not say how it was sampled"):
        expect_sampled_with(settings, {})


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([{"name": "a", "ensemble": "NVE", "steps": 4, "append": True}], "no stage before"),
        ([{"name": "a", "ensemble": "NVT", "steps": 4, "append": True}], "a stage to append"),
        ([{"name": "a", "ensemble": "NVT", "steps": 5}], "no multiple of the stride"),
        ([{"name": "a", "ensemble": "NVE", "steps": 4}] * 2, "two stages have the same name"),
    ],
)
def test_stages_that_make_no_trajectory(stages, message):
    plain = recipe().sample.model_dump(mode="json")
    with pytest.raises(ValueError, match=message):
        Sampling.model_validate({**plain, "stages": stages})


def test_start_must_have_whole_molecules(tmp_path):
    (tmp_path / "start.xyz").write_text("2\n\nO 0 0 0\nH 1 0 0\n")
    with pytest.raises(InputError, match="whole molecules"):
        read_start(tmp_path / "start.xyz", recipe().sample)
    (tmp_path / "start.xyz").write_text("3\n\nO 0 0 0\nH 1 0 0\nH 0 1 0\n" * 2)
    with pytest.raises(InputError, match="several frames"):
        read_start(tmp_path / "start.xyz", recipe().sample)


def test_recipe_with_an_unknown_key(tmp_path):
    (tmp_path / "recipe.yaml").write_text("name: x\ncolour: blue\n")
    with pytest.raises(InputError, match="colour"):
        Recipe.read(tmp_path / "recipe.yaml")


def test_missing_recipe(tmp_path):
    with pytest.raises(InputError, match="no recipe"):
        Recipe.read(tmp_path / "recipe.yaml")


def test_the_shipped_recipes_are_valid():
    from pathlib import Path

    found = sorted(Path(__file__).parents[2].glob("datasets/*/recipe.yaml"))
    found = [path for path in found if "kind: dense" not in path.read_text()]
    assert found
    for path in found:
        assert Recipe.read(path).name == path.parent.name
