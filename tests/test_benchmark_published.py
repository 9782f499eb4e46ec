"""The published configuration is rebuilt as published, and is timed fairly."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("e3nn")

from aptbench import Frames, LabelledFrames
from aptbench.board.published_network import published_network_table
from aptbench.errors import InputError
from aptbench.models import check_model
from tests.conftest import SIDE, synthetic_positions, synthetic_tensors

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("published_network")


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The published configuration with few features: what is tested does not depend on them."""
    monkeypatch.syspath_prepend(str(FOLDER))
    module = importlib.import_module("v2106_model")
    return functools.partial(module.PublishedNetwork, features=2)


@pytest.fixture(scope="module")
def labels() -> LabelledFrames:
    positions = synthetic_positions(np.array([0.0, 40.0, 90.0]))
    frames = Frames(np.tile([8, 1, 1], positions.shape[1] // 3), positions, [SIDE] * 3)
    return LabelledFrames(frames, synthetic_tensors(positions))


def test_the_published_number_of_parameters(network: Any, labels: LabelledFrames) -> None:
    model = network.func()
    model.start(labels[:1])
    assert model.n_parameters == 129_576


def test_the_published_configuration_is_covariant(network: Any, labels: LabelledFrames) -> None:
    model = network(steps=2).fit(labels)
    # double precision throughout: single would not get below 1e-7
    assert check_model(model, labels.frames[:2], tolerance=1e-9).passed


def test_training_lowers_the_error(network: Any, labels: LabelledFrames) -> None:
    model = network()
    state = model.start(labels[:1])
    errors = [model.step(state, state.train[0]) for _ in range(25)]
    assert errors[-1] < 0.5 * errors[0]
    apt = model.predict(labels.frames[:1])
    spread = np.std([np.trace(p) / 3 for p in labels.apt[0]])
    assert np.sqrt(np.mean((apt - labels.apt[:1]) ** 2)) < 0.5 * spread


def test_fit_takes_the_steps_it_was_given(network: Any, labels: LabelledFrames) -> None:
    seen: list[int] = []
    model = network(steps=5)
    assert model.fit(labels, report=seen.append) is model
    assert seen == [1, 2, 3, 4, 5]
    with pytest.raises(InputError, match="no weights"):
        network().predict(labels.frames)


def test_a_supercell_repeats_the_tensors(
    script: ModuleType, network: Any, labels: LabelledFrames
) -> None:
    model = network(steps=1).fit(labels)
    large = script.supercell(labels.frames[0], 8)
    assert large.n_atoms == 8 * labels.frames.n_atoms
    once = model.predict(labels.frames[:1])[0]
    np.testing.assert_allclose(model.predict(large)[0], np.tile(once, (8, 1, 1)), atol=1e-12)
    with pytest.raises(ValueError, match="supercell"):
        script.supercell(labels.frames[0], 4)


def test_models_take_turns(script: ModuleType) -> None:
    order = []

    def run(name: str) -> np.ndarray:
        order.append(name)
        return np.array([1.0, 2.0])

    times = script.in_turns({n: functools.partial(run, n) for n in "AB"}, 3)
    assert order == list("ABABAB")
    assert times["A"].shape == (3, 2)


def test_ratios_are_above_one_where_aptbench_is_better(script: ModuleType) -> None:
    times = {"published": np.array([[4.0, 8.0]] * 3), "aptbench": np.array([[0.5, 2.0]] * 3)}
    step = script.quantity("training step", "s", 2, 384, times)
    speed = script.quantity("prediction", "atom/s", 2, 384, times)
    assert (step["published"], step["aptbench"]) == (4.0, 0.5)
    assert (speed["published"], speed["aptbench"]) == (96.0, 768.0)
    assert step["ratio"] == speed["ratio"] == 8.0
    assert step["ratio_processor"] == 4.0


def test_the_clock_stands_still_during_validation(script: ModuleType) -> None:
    clock = script.StepClock(validate_every=3)
    # preparation and step 1, then steps of one second, each third with nine of validation
    clock.durations = [np.full(2, d) for d in (5.0, 1.0, 10.0, 1.0, 1.0, 10.0, 1.0)]
    np.testing.assert_allclose(clock.step, 1.0)
    np.testing.assert_allclose(clock.total, 5 + 6 * 1)


def test_the_stopwatch_stops_at_the_first_step_below_the_target(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = np.zeros(2)
    monkeypatch.setattr(script, "now", clock.copy)

    class Model:
        training = SimpleNamespace(validate_every=2)
        seen = 0

        def fit(self, train: Any, test: Any, report: Any) -> None:
            clock[:] += 3.0  # preparation
            for step in range(1, 9):
                self.seen = step
                clock[:] += 1.0 if step % 2 else 1.0 + 20.0  # training, and validation
                error = {2: 0.3, 4: 0.2, 6: 0.1, 8: 0.05}.get(step - step % 2)
                report(0, SimpleNamespace(step=step, validation_error=error))

    model = Model()
    step, used = script.time_to_target(model, None, None, 0.15)
    assert step == model.seen == 6
    np.testing.assert_allclose(used, 3 + 6)
    assert script.time_to_target(Model(), None, None, 0.01)[0] is None


def test_memory_of_this_process(script: ModuleType) -> None:
    assert 10 < script.resident("VmRSS") <= script.resident("VmHWM")


def test_memory_of_every_job_is_that_of_a_process_of_its_own(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = []

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        job = command[command.index("--memory") + 1]
        jobs.append(job)
        peak = 3000.0 if job.startswith("published") else 500.0
        return SimpleNamespace(stdout=f'{{"before": 300.0, "peak": {peak}}}')

    monkeypatch.setattr(script.subprocess, "run", run)
    rows = script.compare_memory(["--water"], 2, (192, 1536))
    assert jobs == [
        f"{who},{job}"
        for job in ("training,1", "prediction,1", "prediction,8")
        for who in ("published", "aptbench")
    ]
    assert [row["atoms"] for row in rows] == [192, 192, 1536]
    assert {row["ratio"] for row in rows} == {6.0}


def test_a_whole_run_and_its_table(
    script: ModuleType, network: Any, labels: LabelledFrames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "PublishedNetwork", network)
    monkeypatch.setattr(script, "compare_memory", lambda *_: [])
    monkeypatch.setattr(script, "REPEATS", 1)
    monkeypatch.setattr(script, "LARGE_REPEATS", 1)
    run = script.measure(labels, None, [], [1])
    names = {(row["name"], row["atoms"]) for row in run["quantities"]}
    assert names == {
        ("training step", 24),
        ("prediction, committee", 24),
        ("prediction, one network", 24),
        ("prediction, committee", 192),
        ("prediction, one network", 192),
    }
    table = published_network_table([run])
    assert "| prediction, committee, 192 atoms / atom/s | 1 |" in table
    assert "time to equal error" not in table


def _run(script: ModuleType, *, ours: float) -> dict[str, Any]:
    def both(published: float, aptbench: float) -> dict[str, np.ndarray]:
        return {"published": np.full((1, 2), published), "aptbench": np.full((1, 2), aptbench)}

    step = script.quantity("training step", "s", 2, 384, both(5.0, 0.1))
    goal = script.goal_row(step, 2, np.full((3, 2), ours), [60, 65, 70], 4500, "assumed")
    return {
        "conditions": {
            "data": "published water",
            "threads": [2, 1],
            "processors": 2,
            "load": 0.5,
            "torch": "2",
            "e3nn": "0",
        },
        "models": {
            "published": {"n_parameters": 129576},
            "aptbench": {"n_parameters": 10, "committee": 2},
        },
        "errors": {"published": 0.0324, "committee": 0.0101, "one_network": 0.0123},
        "quantities": [step, goal],
    }


def test_the_table_says_what_the_claim_hangs_on(script: ModuleType) -> None:
    table = published_network_table([_run(script, ours=10.0)])
    assert "| time to equal error / s | 2 | 22500 | 10 | 2.25e+03 (2.25e+03) |" in table
    assert "2.25e+03 where 100 is aimed at, met" in table
    assert "more than 200 steps" in table  # 100 * 10 s / 5 s
    assert "0.0101" in table
    missed = published_network_table([_run(script, ours=300.0)])
    assert "75 where 100 is aimed at, missed" in missed


def test_measured_steps_replace_the_assumed_ones(script: ModuleType) -> None:
    run = _run(script, ours=10.0)
    curve = [
        {"step": 100, "seconds": 500.0, "test_error": 0.05},
        {"step": 200, "seconds": 1000.0, "test_error": 0.03},
        {"step": 300, "seconds": 1500.0, "test_error": 0.02},
    ]
    goal = script.with_curve(run, curve)["quantities"][1]
    assert goal["published_steps"] == 200
    assert goal["ratio"] == pytest.approx(100.0)
    assert goal["aptbench_steps"] == [60, 65, 70]
    table = published_network_table([script.with_curve(run, curve[:1])])
    assert "given 4500 steps" in table
    assert "0.0500 e after 100" in table
