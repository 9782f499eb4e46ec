"""The published network configuration and the reference model side by side, on one machine.

    python benchmarks/published_network.py --data FOLDER

measures training steps, time to the published error, predictions and memory (some eight minutes on
two idle processors) and writes ``benchmarks/results/published-network.json``, from which ``aptbench
refresh`` makes the table of ``docs/comparison-published.md``. FOLDER holds ``train_10.xyz`` and
``test.xyz`` of examples/liquid-water of github.com/pschienbein/AtomicPolarTensor, third-party data
that are not part of aptbench; APTBENCH_PUBLISHED_WATER may name it. Three more uses:

    python benchmarks/published_network.py --data FOLDER --steps 200
    python benchmarks/published_network.py --data FOLDER --one-network
    python benchmarks/published_network.py --water

train the published configuration, or one network of aptbench to its end, and add the test error to
the result; the last one measures speed and memory alone, on the shipped water.

Both networks run in this process with the same threads and memory allocator, and take turns. Test
frames are a stopwatch here: they say when the published error is reached, and select nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from e3nn import get_optimization_defaults
from v2106_model import PublishedNetwork, published_steps

from aptbench.atomic import write_atomically
from aptbench.cli.published_water import CELL, ORDER
from aptbench.data import open_dataset
from aptbench.data.readers.columns_xyz import read_columns_xyz
from aptbench.frames import Frames, LabelledFrames
from aptbench.models import load_model
from aptbench.models.allocator import keep_freed_memory

RESULTS: Final = Path(__file__).parent / "results"
RESULT: Final = RESULTS / "published-network.json"
TARGET: Final = 0.0324
"""Published test error from ten frames, in e."""
REPEATS: Final = 3
LARGE: Final = 1000
LARGE_REPEATS: Final = 2
OUR_STEPS: Final = 10
VALIDATE_EVERY: Final = 5
SEEDS: Final = (0, 1, 2)
EVALUATE_EVERY: Final = 100
NAMES: Final = ("published", "aptbench")
STARTED: Final = time.monotonic()

Seconds = np.ndarray
"""Wall time and processor time of all threads, shape (2,)."""


def progress(text: str) -> None:
    """Tell how far the benchmark is."""
    print(f"{time.monotonic() - STARTED:6.0f} s  {text}", file=sys.stderr, flush=True)


def now() -> Seconds:
    """Return both clocks."""
    return np.array([time.perf_counter(), time.process_time()])


def seconds(run: Callable[[], object]) -> Seconds:
    """Return how long a call takes."""
    begin = now()
    run()
    return now() - begin


def in_turns(runs: dict[str, Callable[[], Seconds]], repeats: int) -> dict[str, np.ndarray]:
    """Return the times of each, shape (repeat, 2): A B A B ..., so that both see the same load."""
    times: dict[str, list[Seconds]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            times[name].append(run())
    return {name: np.array(values) for name, values in times.items()}


def quantity(
    name: str,
    unit: str,
    threads: int,
    atoms: int | None,
    times: dict[str, np.ndarray],
    **more: Any,
) -> dict[str, Any]:
    """Return a row: medians of both models, ratio (above one is better for aptbench), repeats."""
    wall, processor = ({n: float(np.median(times[n][:, k])) for n in NAMES} for k in (0, 1))
    value = {n: atoms / wall[n] if unit == "atom/s" and atoms else wall[n] for n in NAMES}
    return {
        "name": name,
        "unit": unit,
        "threads": threads,
        "atoms": atoms,
        **value,
        "ratio": wall["published"] / wall["aptbench"],
        "ratio_processor": processor["published"] / processor["aptbench"],
        "seconds": {n: times[n][:, 0].tolist() for n in NAMES},
        "processor_seconds": {n: times[n][:, 1].tolist() for n in NAMES},
        **more,
    }


def reference(*, committee: int | None = None, **training: Any) -> Any:
    """Return the untrained reference model of this repository with some settings replaced."""
    model: Any = load_model("e3nn-reference", trained=False)
    model.training = replace(model.training, **training)
    model.committee = model.committee if committee is None else committee
    return model


class StepClock:
    """Durations of training steps, from a callback at the end of each.

    Parameters
    ----------
    validate_every : int
        Every such step also scores validation frames: it is counted as long as the median of the
        others, so that the clock stands still meanwhile.
    """

    def __init__(self, validate_every: int = sys.maxsize) -> None:
        self.validate_every = validate_every
        self.last = now()
        self.durations: list[Seconds] = []

    def tick(self) -> None:
        """Note the end of a step; the first one includes all preparation since the clock exists."""
        self.durations.append(now() - self.last)
        self.last = now()

    @property
    def step(self) -> Seconds:
        """Median duration of a step without preparation and validation."""
        return np.median([self.durations[k] for k in self._plain()], axis=0)

    @property
    def total(self) -> Seconds:
        """Duration of all steps, validation left out."""
        plain = {0, *self._plain()}
        return np.sum(
            [d if k in plain else self.step for k, d in enumerate(self.durations)], axis=0
        )

    def _plain(self) -> list[int]:
        steps = range(1, len(self.durations))
        plain = [k for k in steps if (k + 1) % self.validate_every]
        return plain or list(steps) or [0]


class TargetReachedError(Exception):
    """The training has reached the target and need not go on."""


def time_to_target(
    model: Any, train: LabelledFrames, test: LabelledFrames, target: float
) -> tuple[int | None, Seconds]:
    """Return the first validated step below the target (None if none is) and the time until then.

    The time includes the description of all frames, those of the test too; not their scoring.
    """
    clock = StepClock(model.training.validate_every)
    step = None

    def report(member: int, state: Any) -> None:
        nonlocal step
        clock.tick()
        if state.validation_error is not None and state.validation_error < target:
            step = state.step
            raise TargetReachedError

    with suppress(TargetReachedError):
        model.fit(train, test, report=report)
    return step, clock.total


def compare_steps(labels: LabelledFrames, threads: int) -> dict[str, Any]:
    """Time training steps on one frame."""
    published = PublishedNetwork()
    state = published.start(labels[:1])

    def ours() -> Seconds:
        clock = StepClock()
        reference(committee=1, steps=OUR_STEPS).fit(
            labels[:1], report=lambda member, state: clock.tick()
        )
        return clock.step

    def theirs() -> Seconds:
        return seconds(lambda: published.step(state, state.train[0]))

    theirs()  # the first step also allocates
    times = in_turns(dict(zip(NAMES, (theirs, ours), strict=True)), REPEATS)
    return quantity("training step", "s", threads, labels.frames.n_atoms, times)


def compare_predictions(
    models: dict[str, Any], frame: Frames, threads: int, repeats: int
) -> list[dict[str, Any]]:
    """Time predictions of one frame, with the search for neighbours."""

    def timed(model: Any) -> Callable[[], Seconds]:
        return lambda: seconds(lambda: model.predict(frame))

    if frame.n_atoms < LARGE:  # the first call also allocates; of a large cell it takes too long
        for model in models.values():
            model.predict(frame)
    times = in_turns({name: timed(model) for name, model in models.items()}, repeats)
    return [
        quantity(
            f"prediction, {title}",
            "atom/s",
            threads,
            frame.n_atoms,
            {"published": times["published"], "aptbench": times[name]},
        )
        for name, title in (("aptbench", "committee"), ("one_network", "one network"))
    ]


def compare_time_to_target(
    train: LabelledFrames, test: LabelledFrames, step: dict[str, Any], threads: int
) -> dict[str, Any]:
    """Time the reference model to the published error; the published one by its schedule."""
    steps, times = [], []
    for seed in SEEDS:
        model = reference(committee=1, validate_every=VALIDATE_EVERY, seed=seed)
        reached, used = time_to_target(model, train, test, TARGET)
        progress(f"seed {seed}: {TARGET} e after {reached} steps, {used[0]:.1f} s")
        if reached is None:
            sys.exit(f"The reference model did not reach {TARGET} e: nothing to compare.")
        steps.append(reached)
        times.append(used)
    return goal_row(
        step,
        threads,
        np.array(times),
        steps,
        published_steps(len(train)),
        "500 epochs of 9 frames, the published training: an assumption, not measured here",
    )


def goal_row(
    step: dict[str, Any],
    threads: int,
    ours: np.ndarray,
    our_steps: list[int],
    steps: int,
    steps_are: str,
) -> dict[str, Any]:
    """Return the row of the time to equal error, from a number of published steps."""
    one = np.median(
        np.transpose([step[key]["published"] for key in ("seconds", "processor_seconds")]), axis=0
    )
    return quantity(
        "time to equal error",
        "s",
        threads,
        None,
        {"published": steps * one[None], "aptbench": ours},
        target_e=TARGET,
        published_steps=steps,
        published_steps_are=steps_are,
        aptbench_steps=our_steps,
    )


def compare_memory(
    arguments: list[str], threads: int, atoms: tuple[int, int]
) -> list[dict[str, Any]]:
    """Measure the peak memory of processes that train on a frame, or predict one."""
    rows = []
    for name, n_atoms in (("training", atoms[0]), *(("prediction", n) for n in atoms)):
        peaks = {}
        for who in NAMES:
            job = f"{who},{name},{n_atoms // atoms[0]}"
            command = [
                sys.executable,
                __file__,
                *arguments,
                "--memory",
                job,
                "--threads",
                str(threads),
            ]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            peaks[who] = json.loads(done.stdout)
            progress(f"memory of {job}: {peaks[who]['peak']:.0f} MB")
        rows.append(
            {
                "name": f"peak memory, {name}",
                "unit": "MB",
                "threads": threads,
                "atoms": n_atoms,
                **{who: peaks[who]["peak"] for who in NAMES},
                "ratio": peaks["published"]["peak"] / peaks["aptbench"]["peak"],
                "before": {who: peaks[who]["before"] for who in NAMES},
            }
        )
    return rows


def memory(job: str, labels: LabelledFrames) -> dict[str, float]:
    """Do one job and return the memory of this process before and at its peak, in MB."""
    who, name, copies = job.split(",")
    frame = supercell(labels.frames[0], int(copies))
    before = resident("VmRSS")
    if name == "training" and who == "published":
        PublishedNetwork(steps=2).fit(labels[:1])
    elif name == "training":
        reference(committee=1, steps=2).fit(labels[:1])
    else:
        untrained(who, labels).predict(frame)
    return {"before": before, "peak": resident("VmHWM")}


def untrained(who: str, labels: LabelledFrames) -> Any:
    """Return a model of the full size that can predict; what it learned is of no interest."""
    if who == "published":
        model = PublishedNetwork()
        model.start(labels[:1])
        return model
    return reference(steps=1, committee=1 if who == "one_network" else None).fit(labels[:1])


def resident(field: str) -> float:
    """Return the resident memory of this process in MB; VmHWM is its peak.

    Not ``ru_maxrss``: a child inherits that from the process that started it.
    """
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(f"{field}:"))


def supercell(frame: Frames, copies: int) -> Frames:
    """Return one frame repeated along its lattice vectors; the number of copies is a cube."""
    side = round(copies ** (1 / 3))
    if side**3 != copies or frame.cell is None:
        raise ValueError(f"{copies} copies of this frame are not a supercell")
    shifts = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = frame.positions[0] + (shifts @ frame.cell[0])[:, None]
    return Frames(
        np.tile(frame.atomic_numbers, copies), positions.reshape(-1, 3), frame.cell[0] * side
    )


def error_on(test: LabelledFrames, model: Any) -> float:
    """Return the root mean square error in e over atoms and components."""
    return float(np.sqrt(np.mean((model.predict(test.frames) - test.apt) ** 2)))


def measure(
    train: LabelledFrames, test: LabelledFrames | None, arguments: list[str], threads: list[int]
) -> dict[str, Any]:
    """Return one run: conditions, sizes, errors where there are test frames, quantities."""
    load = os.getloadavg()[0]
    frame = train.frames[0]
    large = supercell(frame, 8)
    # first: after the large cell this process keeps as much memory as that of a job
    memories = compare_memory(arguments, threads[0], (frame.n_atoms, large.n_atoms))
    models = {who: untrained(who, train) for who in (*NAMES, "one_network")}
    quantities: list[dict[str, Any]] = []
    for n in threads:
        torch.set_num_threads(n)
        quantities.append(compare_steps(train, n))
        progress(f"training steps with {n} threads: ratio {quantities[-1]['ratio']:.3g}")
        if test is not None and n == threads[0]:
            quantities.append(compare_time_to_target(train, test, quantities[-1], n))
        quantities += compare_predictions(models, frame, n, REPEATS)
        progress(f"predictions with {n} threads: ratio {quantities[-1]['ratio']:.3g}")
    torch.set_num_threads(threads[0])
    quantities += compare_predictions(models, large, threads[0], LARGE_REPEATS)
    progress(f"predictions of {large.n_atoms} atoms: ratio {quantities[-1]['ratio']:.3g}")
    run: dict[str, Any] = {
        "conditions": {
            "data": "published water" if test is not None else "shipped water",
            "threads": threads,
            "processors": os.cpu_count(),
            "load": load,
            "repeats": REPEATS,
            "torch": version("torch"),
            "e3nn": version("e3nn"),
            "e3nn_jit_mode": get_optimization_defaults()["jit_mode"],
        },
        "models": {
            "published": {"n_parameters": models["published"].n_parameters},
            "aptbench": {
                "n_parameters": models["aptbench"].n_parameters,
                "committee": models["aptbench"].committee,
            },
        },
        "quantities": [*quantities, *memories],
    }
    if test is not None:
        run["errors"] = {"published": TARGET, "committee": committee_error()}
    return run


def committee_error() -> float | None:
    """Return the test error of the whole reference model that is kept in the repository."""
    path = RESULTS / "published-water.json"
    runs = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    found = [
        run["scores"]["rmse"]["value"]
        for run in runs
        if run["model"] == "e3nn-reference" and Path(run["train"]).name == "train_10.xyz"
    ]
    return found[0] if found else None


def learn(train: LabelledFrames, test: LabelledFrames, steps: int) -> list[dict[str, Any]]:
    """Train the published configuration; return its test error on the way."""
    model = PublishedNetwork(steps=steps)
    clock, curve = StepClock(), []

    def report(step: int) -> None:
        clock.tick()
        if step % EVALUATE_EVERY == 0 or step == steps:
            used = clock.total
            curve.append({"step": step, "seconds": used[0], "test_error": error_on(test, model)})
            clock.last = now()
            progress(f"published configuration, step {step}: {curve[-1]['test_error']:.4f} e")

    model.fit(train, report=report)
    return curve


def with_curve(run: dict[str, Any], curve: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a run with the measured errors; steps that were measured replace the assumed ones."""
    quantities = list(run["quantities"])
    reached = [point["step"] for point in curve if point["test_error"] < TARGET]
    for k, row in enumerate(quantities):
        if row["name"] == "time to equal error" and reached:
            ours = np.transpose([row[key]["aptbench"] for key in ("seconds", "processor_seconds")])
            step = next(
                r
                for r in quantities
                if r["name"] == "training step" and r["threads"] == row["threads"]
            )
            quantities[k] = goal_row(
                step, row["threads"], ours, row["aptbench_steps"], reached[0], "measured here"
            )
    return {**run, "quantities": quantities, "published_curve": curve}


def read(folder: Path, name: str) -> LabelledFrames:
    """Read published frames; row is displacement and column is dipole in these files."""
    return read_columns_xyz(folder / name, order=ORDER, cell=[CELL] * 3)


def main(arguments: list[str]) -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("APTBENCH_PUBLISHED_WATER"))
    parser.add_argument(
        "--water", action="store_true", help="shipped water, speed and memory alone"
    )
    parser.add_argument("--out", type=Path, help=f"default {RESULT.name}; none with --water")
    parser.add_argument("--steps", type=int, help="train the published network, add to the result")
    parser.add_argument(
        "--one-network", action="store_true", help="train one network of aptbench, likewise"
    )
    parser.add_argument("--threads", type=int, nargs="+", help="default: all processors, then one")
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if not options.water and options.data is None:
        parser.error("name the folder of the published frames by --data, or choose --water")
    threads = options.threads or list(dict.fromkeys([os.cpu_count() or 1, 1]))
    keep_freed_memory()
    torch.set_num_threads(threads[0])
    test = None
    if options.water:
        train = open_dataset("water").labelled("water-300K-64")
        source = ["--water"]
    else:
        train = read(Path(options.data), "train_10.xyz")
        source = ["--data", options.data]
    if options.memory:
        print(json.dumps(memory(options.memory, train)))
        return
    if not options.water:
        test = read(Path(options.data), "test.xyz")
    out = options.out or (None if options.water else RESULT)
    if options.steps or options.one_network:
        if test is None or out is None or not out.exists():
            parser.error("this adds to a result of the published frames: measure that first")
        runs = json.loads(out.read_text(encoding="utf-8"))
        if options.steps:
            runs[0] = with_curve(runs[0], learn(train, test, options.steps))
        if options.one_network:
            runs[0]["errors"]["one_network"] = error_on(test, reference(committee=1).fit(train))
    else:
        runs = [measure(train, test, source, threads)]
    text = json.dumps(runs, indent=1) + "\n"
    print(text) if out is None else progress(f"wrote {write_atomically(out, text)}")


if __name__ == "__main__":
    main(sys.argv[1:])
