"""`label_distributed`: frames are independent tasks of Dask, here or on other computers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from aptbench.errors import (
    AptbenchError,
    EngineError,
    InputError,
    MissingExtraError,
    StoreError,
)
from aptbench.frames import Frames
from aptbench.reference.claimed_label import (
    PAUSE,
    Outcome,
    Report,
    State,
    checked_numbers,
    label_claimed,
)
from aptbench.reference.engine import Cp2k
from aptbench.reference.records import failure_path, record_path
from aptbench.reference.theory import Theory

if TYPE_CHECKING:
    from distributed import Client

RETRIES = 2
"""How often a frame whose engine broke is tried again; Dask bounds the loss of workers itself."""


class StoppedError(AptbenchError):
    """Nobody wants the frame any more."""


def label_distributed(
    frames: Frames,
    times: npt.NDArray[np.float64],
    numbers: Iterable[int],
    theory: Theory,
    engine: Callable[[], Cp2k],
    records: Path,
    work: Path,
    client: Client,
    report: Report | None = None,
) -> list[int]:
    """Label frames on the workers of a Dask cluster, one task a frame.

    Each worker writes the records into the folder itself; only the frame goes out, and only a few
    words come back. A frame whose worker is lost is labelled again by another worker, all others go
    on. Frames that another process is labelling are waited for. If this call is interrupted, or its
    process dies, the workers stop the frames that they are at; nothing that is finished is lost.

    Parameters
    ----------
    frames : Frames
    times : array, shape (frame,)
        In fs.
    numbers : iterable of int
        Which frames, in the order in which they are wanted.
    theory : Theory
    engine : callable
        Makes the engine, for example ``functools.partial(Cp2k, ranks=4)``; called by the worker, so
        that its computer's program is used.
    records, work : Path
        Folders of the records and of the raw files of the engine. The workers and this process
        must see the same ``records``; ``work`` should be shared too, so that the finished runs of
        an unfinished frame are found again.
    client : distributed.Client
    report : callable, optional
        Called as the frames are finished.

    Returns
    -------
    list of int
        Frames that did not converge, in this call or before.

    Raises
    ------
    InputError
        If a frame does not exist.
    EngineError
        If frames could not be labelled, after all others have been.
    StoreError
        If a worker writes its records elsewhere.
    """
    from distributed import as_completed

    wanted = checked_numbers(numbers, len(frames))
    records, work = Path(records).absolute(), Path(work).absolute()
    states: dict[int, State] = {}
    broken: dict[int, Exception] = {}
    open_frames: dict[Any, int] = {}

    def submit(number: int, pause: float = 0.0) -> Any:
        future = client.submit(
            _task,
            # Velocities are not needed for a label.
            frames[number].replace(velocities=None),
            number,
            float(times[number]),
            theory,
            engine,
            records,
            work,
            pause,
            pure=False,
            retries=RETRIES,
            # A frame that another process has comes after all that nobody has.
            priority=-1 if pause else 0,
        )
        open_frames[future] = number
        return future

    completed = as_completed([submit(number) for number in wanted])
    try:
        for future in completed:
            number = open_frames.pop(future)
            try:
                outcome = future.result()
            except Exception as error:  # of any kind: it comes from another process
                broken[number] = error
                continue
            if outcome.state == "taken":
                completed.add(submit(number, PAUSE))
                continue
            states[number] = outcome.state
            _expect_shared(records, outcome)
            if report is not None:
                report(outcome)
    finally:
        client.cancel(list(open_frames))
    if broken:
        number, first = next(iter(broken.items()))
        raise EngineError(
            f"{len(broken)} of {len(wanted)} frames could not be labelled: {sorted(broken)}.",
            got=f"of frame {number}, {type(first).__name__}: {first}",
            do="look at the raw files of these frames and run it again; the others are done",
        ) from first
    return [number for number in wanted if states[number] == "failed"]


@contextmanager
def connect(workers: int = 1, scheduler: str | None = None) -> Iterator[Client]:
    """Give a client of a Dask cluster: one of processes on this computer, or one that runs.

    Parameters
    ----------
    workers : int
        Processes of the local cluster, one frame at a time each; they end with the context.
    scheduler : str, optional
        Address such as ``tcp://host:8786``, or the path of a scheduler file, of a running cluster;
        it and its workers stay.

    Raises
    ------
    MissingExtraError
        If Dask's ``distributed`` is not installed.
    InputError
        If no scheduler answers.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise MissingExtraError("distributed", "dask") from None
    if scheduler is None:
        # Memory is the engine's, a child that Dask does not count and must not be killed for.
        with (
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=0,
                dashboard_address="127.0.0.1:0",
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    file = Path(scheduler)
    try:
        if "://" not in scheduler and not file.is_file():
            raise OSError("neither an address nor a file")
        client = Client(scheduler_file=str(file)) if file.is_file() else Client(scheduler)
    except (OSError, ValueError) as error:
        raise InputError(
            "No Dask scheduler could be reached.",
            got=f"{scheduler}: {error}",
            expected="an address like 'tcp://host:8786', or the path of a scheduler file",
            do="start one with 'dask scheduler --scheduler-file FILE'",
        ) from None
    with client:
        yield client


def _task(
    frame: Frames,
    number: int,
    time_fs: float,
    theory: Theory,
    engine: Callable[[], Cp2k],
    records: Path,
    work: Path,
    pause: float,
) -> Outcome:
    """Label one frame on a worker, and stop if the task was cancelled."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def watch() -> None:
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            raise StoppedError(f"The labelling of frame {number} was cancelled.")

    time.sleep(pause)
    return label_claimed(frame, number, time_fs, theory, engine, records, work, watch=watch)


def _expect_shared(records: Path, outcome: Outcome) -> None:
    """Raise an error if a finished frame has left no file here."""
    path = record_path if outcome.state == "labelled" else failure_path
    # Listing the folder, rather than asking for the file, makes a network file system look anew.
    if path(records, outcome.frame).name not in {p.name for p in records.glob("frame-*")}:
        raise StoreError(
            f"The worker on {outcome.host} writes its records elsewhere.",
            got=f"frame {outcome.frame} is {outcome.state}, but its file is not in {records}",
            do="give a folder of records that all workers and this computer share",
        )
