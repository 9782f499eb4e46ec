"""How fast frames of the shipped stores are read, against memory maps and HDF5.

    python benchmarks/read_speed.py

writes benchmarks/results/read-speed.json. Of each data set the system with the most atoms is
measured. A frame is its positions and velocities, and its tensor where every frame is labelled.
Random: single frames in a random order, the same for all ways. Sequential: all frames from the
first to the last, BLOCK at a time. The ways take turns, so that another load of the machine meets
all of them; files are read once before (warm cache), because a cold one measures the disk.

Other data sets: python benchmarks/read_speed.py NAME_OR_PATH ... --out FILE
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aptbench.atomic import write_atomically
from aptbench.data import Dataset, open_dataset
from aptbench.data.hdf5_export import export_hdf5
from aptbench.data.selection import Selection
from aptbench.frames import Frames

RESULT = Path(__file__).parent / "results" / "read-speed.json"
DATASETS = ("water", "molecules")
BLOCK = 256
RANDOM_FRAMES = 200
REPEATS = 9

Read = Callable[[int, int], Any]
"""Reads the frames from a first to before a last one."""


@dataclass(frozen=True)
class Way:
    """One way to read frames.

    Parameters
    ----------
    name : str
    read : callable
    files : tuple of Path
        What is on disk for it; empty for what is in memory.
    """

    name: str
    read: Read
    files: tuple[Path, ...] = ()


def variables_of(dataset: Dataset, system: str) -> tuple[str, ...]:
    """Return the names of the arrays that make a frame."""
    names = ["positions"]
    if (dataset.path / system / "velocities").is_dir():
        names.append("velocities")
    if dataset.n_labels(system) == dataset.n_frames(system):
        names.append("apt")
    return tuple(names)


def ways_of(dataset: Dataset, system: str, folder: Path) -> list[Way]:
    """Return all ways to read a system; files of other formats are written to a folder."""
    import h5py
    import zarr

    names = variables_of(dataset, system)
    stored = {name: zarr.open_array(dataset.path / system / name, mode="r") for name in names}
    store_files = tuple(
        path
        for name in names
        for path in sorted((dataset.path / system / name).rglob("*"))
        if path.is_file()
    )
    arrays = {name: np.ascontiguousarray(array[...]) for name, array in stored.items()}
    maps, map_files = {}, []
    for name, array in arrays.items():
        map_files.append(folder / f"{name}.npy")
        np.save(map_files[-1], array)
        maps[name] = np.load(map_files[-1], mmap_mode="r")
    export = export_hdf5(dataset, folder / "export.h5", Selection.of(dataset, (system,)))
    flat = folder / "contiguous.h5"
    with h5py.File(flat, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
    packed, plain = h5py.File(export, "r"), h5py.File(flat, "r")
    tree = dataset.tree()[system].to_dataset()
    first = dataset.trajectory(system, slice(0, 1))

    def through_aptbench(start: int, stop: int) -> Any:
        if "apt" in names:
            return dataset.labelled(system, np.arange(start, stop))
        return dataset.trajectory(system, slice(start, stop))

    def from_memory(start: int, stop: int) -> Any:
        return Frames(
            first.atomic_numbers,
            arrays["positions"][start:stop],
            None if first.cell is None else first.cell[0],
            arrays["velocities"][start:stop] if "velocities" in names else None,
            first.molecule,
            first.total_charge,
        )

    def slices(source: Any) -> Read:
        return lambda start, stop: [np.array(source[name][start:stop]) for name in names]

    def xarray(start: int, stop: int) -> Any:
        return [tree[name][start:stop].values for name in names]

    return [
        Way("memory map (.npy)", slices(maps), tuple(map_files)),
        Way("HDF5, contiguous", slices(plain), (flat,)),
        Way(
            "HDF5, gzip (`aptbench export`)",
            slices({n: packed[system][n] for n in names}),
            (export,),
        ),
        Way("store, aptbench", through_aptbench, store_files),
        Way("store, xarray", xarray, store_files),
        Way("store, zarr arrays alone", slices(stored), store_files),
        Way("in memory, one chunk of each array decoded", decoding(arrays, stored)),
        Way("in memory, arrays copied", slices(arrays)),
        Way("in memory, `Frames` made", from_memory),
    ]


def decoding(arrays: dict[str, Any], stored: dict[str, Any]) -> Read:
    """Return a way that decompresses what a random frame needs, without Zarr and without files."""
    from numcodecs import Blosc

    blocks = []
    for name, array in arrays.items():
        codec = Blosc(cname="zstd", clevel=5, shuffle=Blosc.BITSHUFFLE)
        length = stored[name].chunks[0]
        parts = [codec.encode(array[k : k + length]) for k in range(0, len(array), length)]
        blocks.append((codec, length, parts))

    def read(start: int, stop: int) -> Any:
        return [
            codec.decode(part)
            for codec, length, parts in blocks
            for part in parts[start // length : (stop - 1) // length + 1]
        ]

    return read


def measure(dataset: Dataset, system: str, *, repeats: int = REPEATS) -> dict[str, Any]:
    """Time all ways to read a system; one row of the result."""
    n_frames = dataset.n_frames(system)
    rng = np.random.default_rng(0)
    chosen = rng.permutation(n_frames)[:RANDOM_FRAMES].tolist()
    names = variables_of(dataset, system)
    with tempfile.TemporaryDirectory() as folder:
        ways = ways_of(dataset, system, Path(folder))
        random: dict[str, list[float]] = {way.name: [] for way in ways}
        sequential: dict[str, list[float]] = {way.name: [] for way in ways}
        for repeat in range(repeats + 1):
            for way in ways:
                begin = time.perf_counter()
                for frame in chosen:
                    way.read(frame, frame + 1)
                middle = time.perf_counter()
                for start in range(0, n_frames, BLOCK):
                    way.read(start, min(start + BLOCK, n_frames))
                end = time.perf_counter()
                if repeat:  # the first round warms the cache
                    random[way.name].append(1e6 * (middle - begin) / len(chosen))
                    sequential[way.name].append(1e6 * (end - middle) / n_frames)
        rows = [
            {
                "way": way.name,
                "files": len(way.files),
                "bytes_per_frame": sum(path.stat().st_size for path in way.files) / n_frames,
                "random_us": spread(random[way.name]),
                "sequential_us": spread(sequential[way.name]),
            }
            for way in ways
        ]
    for row in rows:
        for kind in ("random", "sequential"):
            row[f"{kind}_ratio"] = row[f"{kind}_us"]["median"] / rows[0][f"{kind}_us"]["median"]
    arrays = [dataset.tree()[system][name] for name in names]
    return {
        "dataset": dataset.name,
        "version": dataset.version,
        "system": system,
        "frames": n_frames,
        "atoms": dataset.n_atoms(system),
        "variables": list(names),
        "raw_bytes_per_frame": sum(a.nbytes for a in arrays) / n_frames,
        "frames_a_chunk": {a.name: int(a.encoding["chunks"][0]) for a in arrays},
        "store_files": sum(path.is_file() for path in dataset.path.rglob("*")),
        "store_bytes": dataset.size,
        "repeats": repeats,
        "block": BLOCK,
        "random_frames": len(chosen),
        "cache": "warm",
        "load": os.getloadavg()[0],
        "processors": os.cpu_count(),
        "ways": rows,
    }


def spread(values: list[float]) -> dict[str, float]:
    """Return the median and the quartiles."""
    low, median, high = np.percentile(values, [25, 50, 75])
    return {"median": float(median), "low": float(low), "high": float(high)}


def largest_system(dataset: Dataset) -> str:
    """Return the system with the most atoms."""
    return max(dataset.systems, key=dataset.n_atoms)


def main() -> None:
    """Measure the data sets that were asked for, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="*", default=DATASETS)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    arguments = parser.parse_args()
    rows = []
    for name in arguments.datasets:
        dataset = open_dataset(name)
        rows.append(measure(dataset, largest_system(dataset), repeats=arguments.repeats))
        for way in rows[-1]["ways"]:
            print(
                f"{name} {way['way']:<32} random {way['random_us']['median']:9.1f} us "
                f"sequential {way['sequential_us']['median']:9.1f} us a frame",
                flush=True,
            )
    write_atomically(arguments.out, json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
