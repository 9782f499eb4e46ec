"""`read_speed_table`: how fast frames are read, by the way they are kept."""

from __future__ import annotations

from typing import Any

from aptbench.board.generated import markdown_table


def read_speed_table(rows: list[dict[str, Any]]) -> str:
    """Return a table and a remark for each data set that was measured.

    Parameters
    ----------
    rows : list of dict
        Content of ``benchmarks/results/read-speed.json``, one data set a row.

    Returns
    -------
    str
        Markdown.
    """
    return "\n\n".join(_dataset(row) for row in rows)


def _dataset(row: dict[str, Any]) -> str:
    what = ", ".join(row["variables"])
    intro = (
        f"`{row['dataset']}` {row['version']}, system `{row['system']}`: {row['frames']} frames of "
        f"{row['atoms']} atoms ({what}; {row['raw_bytes_per_frame'] / 1e3:.1f} kB a frame). "
        f"The whole store is {row['store_files']} files, {row['store_bytes'] / 1e6:.1f} MB. "
        f"Microseconds a frame, median of {row['repeats']} (quartiles); ratio to the memory map; "
        f"random: {row['random_frames']} single frames; sequential: {row['block']} frames a call; "
        f"{row['cache']} cache; load {row['load']:.1f} on {row['processors']} processors:"
    )
    head = ["way", "files", "kB a frame", "random / us", "ratio", "sequential / us", "ratio"]
    body = [
        (
            way["way"],
            way["files"] or "–",
            f"{way['bytes_per_frame'] / 1e3:.2f}" if way["files"] else "–",
            _spread(way["random_us"]),
            f"{way['random_ratio']:.3g}",
            _spread(way["sequential_us"]),
            f"{way['sequential_ratio']:.3g}",
        )
        for way in row["ways"]
    ]
    return f"{intro}\n\n{markdown_table(head, body)}\n\n{_remark(row)}"


def _spread(value: dict[str, float]) -> str:
    return f"{value['median']:.3g} ({value['low']:.3g}–{value['high']:.3g})"


def _remark(row: dict[str, Any]) -> str:
    """Say where the time of a random frame goes, from the differences between the ways."""
    times = {way["way"]: way["random_us"]["median"] for way in row["ways"]}
    whole, arrays = times["store, aptbench"], times["store, zarr arrays alone"]
    decoded = times["in memory, one chunk of each array decoded"]
    made = times["in memory, `Frames` made"]
    chunks = ", ".join(f"{count} of {name}" for name, count in row["frames_a_chunk"].items())
    return (
        f"A random frame takes {whole:.3g} us through aptbench. A whole chunk ({chunks} frames) is "
        f"decoded for it, {decoded:.3g} us; files, index and event loop of Zarr bring that to "
        f"{arrays:.3g} us; the checks and copies of `Frames` are {made:.3g} us."
    )
