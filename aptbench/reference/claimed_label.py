"""`label_claimed`: one frame, by one of many processes; `label_in_turn`: many, in this one."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
import numpy.typing as npt

from aptbench.atomic import write_atomically
from aptbench.data.readers.cp2k import is_finished
from aptbench.errors import ConvergenceError, InputError
from aptbench.frames import Frames
from aptbench.reference.claim import ClaimLostError, claimed
from aptbench.reference.engine import Cp2k
from aptbench.reference.label import Progress, label_frame
from aptbench.reference.records import failure_path, record_path
from aptbench.reference.theory import Theory

State = Literal["labelled", "failed", "taken"]
Report = Callable[["Outcome"], None]
"""Called once for every frame, when it is finished."""

PAUSE = 5.0
"""Seconds between two looks at a frame that another process is labelling."""


@dataclass(frozen=True)
class Outcome:
    """What became of a frame.

    Parameters
    ----------
    frame : int
        Number of the frame.
    state : {"labelled", "failed", "taken"}
        It has a record; its self-consistent field did not converge; another process is at it.
    host : str
        Computer that looked after it.
    """

    frame: int
    state: State
    host: str


def label_claimed(
    frame: Frames,
    number: int,
    time_fs: float,
    theory: Theory,
    engine: Callable[[], Cp2k],
    records: Path,
    work: Path,
    progress: Progress | None = None,
    watch: Callable[[], None] | None = None,
) -> Outcome:
    """Label one frame into a folder of records, unless it is done or another process is at it.

    A frame whose self-consistent field does not converge gets a ``.failed.json`` file with the
    reason instead of a record, is not tried again until that file is removed, and never enters a
    data set. What a process that was killed has left of the frame is moved aside first, so that a
    run of the engine that outlived it cannot write between the files of this one; the runs that had
    ended are kept.

    Parameters
    ----------
    frame : Frames
        One frame, periodic.
    number : int
        Of the frame in its trajectory.
    time_fs : float
    theory : Theory
    engine : callable
        Makes the engine; called only if the frame is to be labelled.
    records, work : Path
        Folders of the records and of the raw files of the engine.
    progress : callable, optional
    watch : callable, optional
        Called about once a second while the engine runs; what it raises stops the engine.

    Raises
    ------
    EngineError
        If the engine failed in another way than by not converging.
    """
    record, failure = record_path(records, number), failure_path(records, number)

    def outcome(state: State) -> Outcome:
        return Outcome(number, state, socket.gethostname())

    def known() -> Outcome | None:
        if record.exists():
            return outcome("labelled")
        return outcome("failed") if failure.exists() else None

    if (done := known()) is not None:
        return done
    with claimed(record.with_name(f".{record.stem}.claim")) as claim:
        if claim is None:
            return outcome("taken")
        # Another process may have finished it between the look and the claim.
        if (done := known()) is not None:
            return done
        folder = Path(work) / record.stem
        if claim.inherited:
            _move_aside(folder, claim.token)

        def look() -> None:
            claim.renew()
            if watch is not None:
                watch()

        watched = cast(Cp2k, _Watched(engine(), look))
        try:
            labels = label_frame(frame, theory, watched, folder, number, time_fs, progress)
            claim.check()
            labels.write(record)
        except ConvergenceError as error:
            reason = {"frame": number, "reason": str(error), "theory": theory.as_dict()}
            write_atomically(failure, json.dumps(reason, indent=1) + "\n")
            return outcome("failed")
        except ClaimLostError:
            return outcome("taken")
        for wavefunction in folder.glob("[xyz]-*.wfn*"):
            wavefunction.unlink()
    return outcome("labelled")


def label_in_turn(
    frames: Frames,
    times: npt.NDArray[np.float64],
    numbers: Iterable[int],
    theory: Theory,
    engine: Callable[[], Cp2k],
    records: Path,
    work: Path,
    progress: Progress | None = None,
    report: Report | None = None,
) -> list[int]:
    """Label frames one after the other in this process; several processes may share the work.

    Parameters, return value and errors are those of `label_distributed` in
    `aptbench.reference.distributed`, without Dask. An engine that fails ends the call at once.
    """
    wanted = checked_numbers(numbers, len(frames))
    failed = []
    waiting = wanted
    while waiting:
        taken = []
        for number in waiting:
            outcome = label_claimed(
                frames[number],
                number,
                float(times[number]),
                theory,
                engine,
                records,
                work,
                progress,
            )
            if outcome.state == "taken":
                taken.append(number)
                continue
            failed += [number] if outcome.state == "failed" else []
            if report is not None:
                report(outcome)
        pause = PAUSE if taken == waiting else 0.0
        waiting = taken
        if waiting and progress is not None:
            progress(waiting[0], "another process is labelling it")
        time.sleep(pause)
    return [number for number in wanted if number in failed]


def checked_numbers(numbers: Iterable[int], n_frames: int) -> list[int]:
    """Return the numbers, each once; raise InputError if a frame does not exist."""
    wanted = list(dict.fromkeys(numbers))
    absent = [n for n in wanted if not 0 <= n < n_frames]
    if absent:
        raise InputError(
            "A frame to be labelled is not in the trajectory.",
            got=absent,
            expected=f"numbers from 0 to {n_frames - 1}",
        )
    return wanted


def _move_aside(folder: Path, token: str) -> None:
    """Give a folder that a killed process has left a new inode; keep what was finished in it."""
    if not folder.exists():
        return
    aside = folder.with_name(f"{folder.name}.{token}")
    folder.rename(aside)
    folder.mkdir()
    names = ["start.xyz"]
    for output in aside.glob("*.out"):
        if is_finished(output.read_text(errors="replace")):
            run = output.stem
            names += [f"{run}.inp", f"{run}.out", f"{run}-RESTART.wfn"]
            names += ["wannier.xyz"] if run == "zero" else []
    for name in names:
        if (aside / name).exists():
            (aside / name).replace(folder / name)
    shutil.rmtree(aside, ignore_errors=True)


@dataclass(frozen=True)
class _Watched:
    """An engine that is watched in every run."""

    engine: Cp2k
    look: Callable[[], None]

    @property
    def version(self) -> str:
        return self.engine.version

    @property
    def ranks(self) -> int:
        return self.engine.ranks

    def run(self, folder: Path, name: str) -> str:
        return self.engine.run(folder, name, watch=self.look)
