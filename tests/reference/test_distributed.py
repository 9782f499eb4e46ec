"""Frames over Dask: the same records, lost workers, broken engines, interruptions."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from aptbench import Frames
from aptbench.data.readers.cp2k import FIELDS
from aptbench.errors import EngineError, InputError, MissingExtraError, StoreError
from aptbench.reference import claimed_label
from aptbench.reference import distributed as module
from aptbench.reference.claim import claimed
from aptbench.reference.claimed_label import Outcome, label_claimed, label_in_turn
from aptbench.reference.distributed import connect, label_distributed
from aptbench.reference.engine import Cp2k
from aptbench.reference.records import LabelRecord, failure_path, record_path
from aptbench.reference.theory import Theory
from tests.reference import stand_in_cp2k
from tests.reference.conftest import WATER
from tests.reference.stand_in_cp2k import alive, runs, take, wait_for

if TYPE_CHECKING:
    from distributed import Client

pytest.importorskip("distributed")

TIMES = 2.0 * np.arange(6)
THEORY = Theory(field=1e-3)
RUNS = ["zero", *("-".join(key) for key in FIELDS)]
Engine = Callable[[], Cp2k]


def molecules(*x: float) -> Frames:
    """Frames with the oxygen at these places."""
    positions = np.array([np.add(WATER, [place, 0.0, 0.0]) for place in x])
    return Frames([8, 1, 1], positions, [6.0] * 3, velocities=np.zeros_like(positions))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (module, claimed_label):
        monkeypatch.setattr(place, "PAUSE", 0.2)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return stand_in_cp2k.install(tmp_path / "bin")


@pytest.fixture
def engine(program: Path) -> Engine:
    """The stand-in for the program, behind the real engine class."""
    return partial(Cp2k, niceness=0, program=str(program))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "records", tmp_path / "work"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Client]:
    with connect(2) as client:
        yield client


@pytest.fixture
def client(cluster: Client) -> Client:
    """Two workers, also after a test that has killed one."""
    cluster.wait_for_workers(2, timeout=300)
    return cluster


def assert_same(a: Path, b: Path) -> None:
    """Bit for bit, but for the wall time."""
    first, second = LabelRecord.read(a), LabelRecord.read(b)
    for field in dataclasses.fields(LabelRecord):
        x, y = getattr(first, field.name), getattr(second, field.name)
        if field.name == "provenance":
            x, y = ({k: v for k, v in p.items() if k != "wall_seconds"} for p in (x, y))
            assert x == y
        else:
            assert np.asarray(x).tobytes() == np.asarray(y).tobytes(), field.name


def test_records_are_those_of_the_serial_path_and_failures_are_reported(
    client: Client, engine: Engine, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    frames = molecules(0.0, 0.1, 60.0, 0.3)
    serial = tmp_path / "serial"
    assert label_in_turn(
        frames, TIMES, range(4), THEORY, engine, serial, tmp_path / "serial-work"
    ) == [2]
    records, work = folders
    outcomes: list[Outcome] = []
    failed = label_distributed(
        frames, TIMES, [3, 2, 1, 0], THEORY, engine, records, work, client, outcomes.append
    )
    assert failed == [2]
    states = {outcome.frame: outcome.state for outcome in outcomes}
    assert states == {0: "labelled", 1: "labelled", 2: "failed", 3: "labelled"}
    assert {p.name for p in records.iterdir()} == {p.name for p in serial.iterdir()}
    for number in (0, 1, 3):
        assert_same(record_path(records, number), record_path(serial, number))
    reasons = [json.loads(failure_path(f, 2).read_text()) for f in (records, serial)]
    assert "did not converge" in reasons[0]["reason"]
    assert [r["frame"] for r in reasons] == [2, 2]
    assert reasons[0]["theory"] == reasons[1]["theory"]
    assert not list(work.rglob("x-*.wfn"))


def test_label_in_turn_makes_the_same_records(
    engine: Engine, program: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    frames, serial = molecules(0.0, 60.0), tmp_path / "serial"
    label_in_turn(frames, TIMES, range(2), THEORY, engine, serial, tmp_path / "serial-work")
    assert label_in_turn(frames, TIMES, [1, 0], THEORY, engine, *folders) == [1]
    assert_same(record_path(folders[0], 0), record_path(serial, 0))
    before = runs(program)
    assert label_in_turn(frames, TIMES, [0, 1], THEORY, engine, *folders) == [1]
    assert runs(program) == before, "a finished frame was labelled again"


def test_a_killed_worker_loses_nothing_but_its_run(
    client: Client, engine: Engine, program: Path, folders: tuple[Path, Path]
) -> None:
    take(program, 0.25)
    records, work = folders
    finished: dict[int, int] = {}
    lost: list[tuple[int, str, int, int]] = []

    def report(outcome: Outcome) -> None:
        path = record_path(records, outcome.frame)
        finished[outcome.frame] = path.stat().st_mtime_ns
        if lost:
            return

        def under_way() -> list[tuple[int, str, int, int]]:
            open_runs = [r for r in runs(program) if not record_path(records, r[0]).exists()]
            return [r for r in open_runs if r[1] not in ("zero", "x-plus") and alive(r[2])]

        wait_for(under_way)
        lost.append(under_way()[-1])
        os.kill(lost[0][3], signal.SIGKILL)

    numbers = range(4)
    args = (molecules(*np.arange(4) / 10), TIMES, numbers, THEORY, engine, records, work)
    assert label_distributed(*args, client, report) == []
    assert sorted(finished) == list(numbers)
    for number, changed in finished.items():
        path = record_path(records, number)
        assert path.stat().st_mtime_ns == changed, "a finished record was touched"
        assert LabelRecord.read(path).positions[0, 0] == pytest.approx(number / 10)
    number, name, _, worker = lost[0]
    again = [r[1] for r in runs(program) if r[0] == number and r[3] != worker]
    before = [r[1] for r in runs(program) if r[0] == number and r[3] == worker]
    assert again, "the frame was not done again"
    # The lost run is repeated, unless its program outlived the worker and came to its end.
    assert again[0] in RUNS[RUNS.index(name) :][:2]
    assert [*before, *again] in (RUNS, [*before, name, *RUNS[len(before) :]])
    assert {p.name for p in work.iterdir()} == {f"frame-{n:06d}" for n in numbers}
    assert {p.name for p in records.iterdir()} == {f"frame-{n:06d}.h5" for n in numbers}


def deadly() -> Cp2k:
    """An engine that takes its worker with it."""
    # Dask does not restart a worker that dies in the moment of its birth.
    time.sleep(1)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_a_frame_that_kills_every_worker_is_given_up(
    client: Client,
    engine: Engine,
    folders: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client.cluster.scheduler, "allowed_failures", 1)
    with pytest.raises(EngineError, match=r"1 of 1 frames could not be labelled: \[0\]") as error:
        label_distributed(molecules(0.0), TIMES, [0], THEORY, deadly, *folders, client)
    assert "KilledWorker" in str(error.value)
    assert label_distributed(molecules(0.0), TIMES, [0], THEORY, engine, *folders, client) == []


def test_a_broken_engine_stops_its_frame_only(
    client: Client, engine: Engine, program: Path, folders: tuple[Path, Path]
) -> None:
    records, work = folders
    frames = molecules(150.0, 0.0, 0.1)
    with pytest.raises(EngineError, match=r"1 of 3 frames could not be labelled: \[0\]") as error:
        label_distributed(frames, TIMES, range(3), THEORY, engine, records, work, client)
    assert "the stand-in breaks" in str(error.value)
    assert len([r for r in runs(program) if r[0] == 0]) == 1 + module.RETRIES
    assert [record_path(records, n).exists() for n in range(3)] == [False, True, True]
    assert not failure_path(records, 0).exists()


@pytest.mark.parametrize("dask", [False, True])
def test_a_frame_of_another_process_is_waited_for(
    dask: bool, client: Client, engine: Engine, program: Path, folders: tuple[Path, Path]
) -> None:
    records, work = folders
    args = (molecules(0.0, 0.1), TIMES, [0, 1], THEORY, engine, records, work)
    order: list[int] = []

    def report(outcome: Outcome) -> None:
        order.append(outcome.frame)
        left.set()

    left = threading.Event()
    with claimed(records / ".frame-000000.claim") as claim:
        assert claim is not None
        threading.Thread(target=lambda: left.wait(60) and claim.release()).start()
        if dask:
            assert label_distributed(*args, client, report) == []
        else:
            assert label_in_turn(*args, report=report) == []
    assert order == [1, 0]
    assert len(runs(program)) == 14


def test_a_frame_that_was_taken_over_is_not_written(
    engine: Engine, folders: tuple[Path, Path]
) -> None:
    records, work = folders

    def steal(number: int, what: str) -> None:
        (records / ".frame-000000.claim").write_text('{"token": "of another"}')

    outcome = label_claimed(molecules(0.0), 0, 0.0, THEORY, engine, records, work, steal)
    assert outcome.state == "taken"
    assert [p.name for p in records.iterdir()] == [".frame-000000.claim"]


def test_an_interruption_stops_the_engines_and_what_is_done_stays(
    client: Client, engine: Engine, program: Path, folders: tuple[Path, Path]
) -> None:
    take(program, 600)
    records, work = folders
    args = (molecules(0.0, 0.1, 0.2), TIMES, range(3), THEORY, engine, records, work)

    def interrupt() -> None:
        try:
            wait_for(lambda: len(runs(program)) == 2)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        label_distributed(*args, client)
    thread.join()
    started = runs(program)
    wait_for(lambda: not any(alive(r[2]) for r in started))
    wait_for(lambda: not list(records.iterdir()))
    time.sleep(0.5)
    assert runs(program) == started, "a frame that nobody wants was begun"
    take(program, 0)
    assert label_distributed(*args, client) == []


def test_only_one_frame_goes_to_a_worker(
    client: Client,
    engine: Engine,
    folders: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []
    submit = client.submit

    def weigh(*args: Any, **options: Any) -> object:
        sizes.append(len(pickle.dumps(args)))
        return submit(*args, **options)

    monkeypatch.setattr(client, "submit", weigh)
    frames = molecules(*np.linspace(0, 1, 5000))
    label_distributed(frames, np.zeros(5000), [4321], THEORY, engine, *folders, client)
    assert len(sizes) == 1
    assert sizes[0] < 5000 < len(pickle.dumps(frames)) / 100


def test_frame_that_does_not_exist(engine: Engine, folders: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match="not in the trajectory"):
        label_in_turn(molecules(0.0), TIMES, [0, 1], THEORY, engine, *folders)


def test_a_worker_that_writes_elsewhere_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="on far writes its records elsewhere"):
        module._expect_shared(tmp_path, Outcome(3, "labelled", "far"))


def test_missing_dask_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'aptbench\[dask\]'"), connect():
        pass


@pytest.mark.parametrize(
    "scheduler", ["no-such-file.json", "tcp://127.0.0.1:9", "carrier://pigeon"]
)
def test_a_scheduler_that_is_not_there(scheduler: str) -> None:
    import dask

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}),
        pytest.raises(InputError, match=r"(?s)No Dask scheduler.*dask scheduler"),
        connect(scheduler=scheduler),
    ):
        pass


@pytest.mark.engine
@pytest.mark.slow
def test_real_engine_survives_a_killed_worker(
    client: Client, cp2k: Cp2k, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    """The record of a frame that lost its worker is that of the serial path, bit for bit."""
    theory = Theory(basis="SZV-GTH", cutoff=60.0, n_grids=4, eps_scf=1e-4, field=1e-3)
    frames = molecules(0.0)
    records, work = folders
    serial = tmp_path / "serial"
    label_in_turn(frames, TIMES, [0], theory, lambda: cp2k, serial, tmp_path / "serial-work")
    killed: list[int] = []

    def kill() -> None:
        wait_for(lambda: (work / "frame-000000" / "x-plus.inp").exists())
        killed.append(json.loads((records / ".frame-000000.claim").read_text())["process"])
        os.kill(killed[0], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    engine = partial(Cp2k, niceness=0)
    assert label_distributed(frames, TIMES, [0], theory, engine, records, work, client) == []
    thread.join()
    assert killed
    assert_same(record_path(records, 0), record_path(serial, 0))
