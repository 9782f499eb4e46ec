"""Time and memory of the assignment of a spectrum against the length of the trajectory.

    python benchmarks/spectrum_cost.py

writes benchmarks/results/spectrum-cost.json. The trajectory is that of the data set `water`, 192
atoms every 2 fs, repeated to the length that is wanted (which is no physics, but the same work),
with the tensors of point charges. Every length is a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from aptbench.atomic import write_atomically
from aptbench.data import open_dataset
from aptbench.frames import Frames
from aptbench.models import load_model
from aptbench.molecules import MoleculeTable
from aptbench.spectra.assignment import assign
from aptbench.spectra.reduction import reduce_trajectory

RESULT = Path(__file__).parent / "results" / "spectrum-cost.json"
SYSTEM = "water-300K-64"
LENGTHS = (10001, 30003, 100010)
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Repeated:
    """A trajectory that starts again when it ends, made chunk by chunk."""

    def __init__(self, frames: Frames, n_frames: int) -> None:
        self.frames, self.n_frames = frames, n_frames

    def __len__(self) -> int:
        return self.n_frames

    def __getitem__(self, index: slice) -> Frames:
        return self.frames[np.arange(*index.indices(self.n_frames)) % len(self.frames)]


class Watch(threading.Thread):
    """The largest private memory of the process while it runs, in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self.ended = 0.0, threading.Event()

    def run(self) -> None:
        """Look every 20 ms."""
        while not self.ended.wait(0.02):
            self.peak = max(self.peak, private_memory())


def private_memory() -> float:
    """Return the private memory of the process in MB; pages of temporary files do not count."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("RssAnon:"))


def measure(n_frames: int) -> dict[str, Any]:
    """Reduce and assign a trajectory of a length; return seconds and memory."""
    frames = open_dataset("water").trajectory(SYSTEM)
    model, table = load_model("point-charges"), MoleculeTable.of(frames[0])
    before, watch = private_memory(), Watch()
    watch.start()
    start = time.perf_counter(), time.process_time()
    currents = reduce_trajectory(Repeated(frames, n_frames), model.predict, table)
    middle = time.perf_counter(), time.process_time()
    assignment = assign(currents, time_step=2.0, temperature=300.0)
    end = time.perf_counter(), time.process_time()
    watch.ended.set()
    watch.join()
    return {
        "frames": n_frames,
        "atoms": frames.n_atoms,
        "channels": sum(len(family.names) for family in assignment.families.values()),
        "reduction_s": middle[0] - start[0],
        "reduction_cpu_s": middle[1] - start[1],
        "assignment_s": end[0] - middle[0],
        "assignment_cpu_s": end[1] - middle[1],
        "added_memory_mb": watch.peak - before,
        "additivity": assignment.check_additivity(),
    }


def main() -> None:
    """Measure all lengths, each in a process of its own."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[1]))))
        return
    rows = []
    for n_frames in LENGTHS:
        command = [sys.executable, __file__, str(n_frames)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=ONE_THREAD)
        rows.append(json.loads(done.stdout))
        print(rows[-1], flush=True)
    write_atomically(RESULT, json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
