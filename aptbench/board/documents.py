"""`document_blocks`: the generated tables of the documents, from code and measurements."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aptbench.board.across_tasks import AcrossTasks
from aptbench.board.generated import markdown_table
from aptbench.board.learning import learning_blocks
from aptbench.board.published_network import published_network_table
from aptbench.board.published_water import published_blocks
from aptbench.board.read_speed import read_speed_table
from aptbench.board.result_tables import motion_blocks, result_blocks
from aptbench.board.selection_page import scored_tracks
from aptbench.board.selection_table import selection_table
from aptbench.evaluate.archive import archived_results
from aptbench.spectra import PROTOCOLS


def document_blocks(project: Path) -> dict[str, str]:
    """Return the generated blocks of the files in ``docs``.

    Parameters
    ----------
    project : Path
        Root of the repository.

    Returns
    -------
    dict of name to Markdown
        ``protocols``, results of all tasks, and what was measured into ``benchmarks/results``.
    """
    blocks = {"protocols": _protocols(), **learning_blocks(project), **published_blocks(project)}
    results = archived_results(project / "leaderboard" / "results")
    if results:
        blocks |= result_blocks(results) | motion_blocks(results)
        blocks["across-tasks"] = AcrossTasks.of(results).markdown()
    tables = [
        selection_table(standings)
        for _, standings in scored_tracks(project / "leaderboard" / "selections")
    ]
    blocks["selections"] = "\n\n".join(tables) or "Not scored yet: `aptbench selections`."
    measured: dict[str, Callable[[list[dict[str, Any]]], str]] = {
        "spectrum-intervals": _intervals,
        "spectrum-cost": _cost,
        "periodic-field": _seam,
        "coverage": _coverage,
        "frozen-reference": _frozen_reference,
        "published-network": published_network_table,
        "read-speed": read_speed_table,
        "training-variants": _variants,
        "transposed": _transposed,
        "two-programs": _two_programs,
    }
    for name, table in measured.items():
        path = project / "benchmarks" / "results" / f"{name}.json"
        blocks[name] = f"Not measured yet: `python benchmarks/{name.replace('-', '_')}.py`."
        if path.exists():
            blocks[name] = table(json.loads(path.read_text(encoding="utf-8")))
    return blocks


def _protocols() -> str:
    head = ["", *(f"`{name}`" for name in PROTOCOLS)]
    chosen = list(PROTOCOLS.values())
    rows = [
        ("longest time step / fs", *(f"{p.maximum_time_step:g}" for p in chosen)),
        ("mean of the current removed", *("yes" if p.remove_mean else "no" for p in chosen)),
        ("full width of a line / cm^-1", *(f"{p.broadening:g}" for p in chosen)),
        ("longest lag / fs", *(f"{p.maximum_lag:g}" for p in chosen)),
        (
            "shortest trajectory / ps",
            *(f"{p.minimum_lags * p.maximum_lag / 1000:g}" for p in chosen),
        ),
        ("grid / cm^-1", *("{:g} to {:g} by {:g}".format(*p.grid) for p in chosen)),
        ("quantum correction", *(p.quantum_correction for p in chosen)),
        *(
            (f"default band {name} / cm^-1", *(f"{low:g} to {high:g}" for _ in chosen))
            for name, low, high in chosen[0].bands
        ),
    ]
    return markdown_table(head, rows)


def _intervals(rows: list[dict[str, Any]]) -> str:
    head = ["length / ps", "intensity", "block / fs", "blocks"]
    head += ["points covered / %", "bands covered / %"]
    body = [
        (
            f"{row['length_ps']:g}",
            "changes slowly" if row["modulation"] else "constant",
            f"{row['block_fs']:g}",
            row["n_blocks"],
            f"{100 * row['coverage_points']:.1f}",
            f"{100 * row['coverage_bands']:.1f}",
        )
        for row in rows
    ]
    note = f"95 % intervals, {rows[0]['trials']} currents each:"
    return f"{note}\n\n{markdown_table(head, body)}"


def _coverage(rows: list[dict[str, Any]]) -> str:
    head = [
        "frames",
        "components of a frame",
        "correlation time / frames",
        "block / frames",
        "covered",
        "found different",
    ]
    body = [
        (
            row["frames"],
            row["components"],
            row["memory"] or "none",
            row["block"],
            f"{row['coverage']:.3f}",
            f"{row['told_apart']:.3f}",
        )
        for row in rows
    ]
    return f"{rows[0]['trials']} trials each:\n\n{markdown_table(head, body)}"


def _transposed(rows: list[dict[str, Any]]) -> str:
    head = ["data set", "labels", "error of the current", "change of its mean square"]
    body = [
        (
            f"`{row['dataset']}` {row['version']}",
            row["labels"],
            f"{100 * row['current_error']:.1f} %",
            f"{100 * row['intensity']:+.1f} ± {100 * row['standard_error']:.1f} %",
        )
        for row in rows
    ]
    return markdown_table(head, body)


def _frozen_reference(rows: list[dict[str, Any]]) -> str:
    head = [
        "frozen model",
        "labels",
        "band",
        "error of the model's own integral",
        "mean error of the reference",
        "its rms error",
        "true integral inside",
    ]
    body = [
        (
            f"`{row['model']}`",
            row["labels"],
            row["band"],
            f"{100 * row['alone']:+.2f} %",
            f"{100 * row['mean']:+.2f} ± {100 * row['standard_error']:.2f} %",
            f"{100 * row['rms']:.1f} %",
            f"{100 * row['inside']:.1f} %",
        )
        for row in rows
    ]
    return f"{rows[0]['draws']} sets of labels a row:\n\n{markdown_table(head, body)}"


def _cost(rows: list[dict[str, Any]]) -> str:
    head = [
        "frames",
        "length / ps",
        "reduction / s",
        "all channels / s",
        "processor time / s",
        "ms a frame",
        "memory / MB",
    ]
    body = []
    for row in rows:
        processor = row["reduction_cpu_s"] + row["assignment_cpu_s"]
        body.append(
            (
                row["frames"],
                f"{2e-3 * (row['frames'] - 1):.0f}",
                f"{row['reduction_s']:.1f}",
                f"{row['assignment_s']:.1f}",
                f"{processor:.1f}",
                f"{1000 * processor / row['frames']:.2f}",
                f"{row['added_memory_mb']:.0f}",
            )
        )
    note = (
        f"{rows[0]['atoms']} atoms, {rows[0]['channels']} channels, one thread; memory is what the "
        "process adds to that of the tensors' source, files on disk not counted:"
    )
    return f"{note}\n\n{markdown_table(head, body)}"


def _seam(rows: list[dict[str, Any]]) -> str:
    head = [
        "method",
        "place of the molecule",
        "O, xx / e",
        "H, xx / e",
        "largest change / e",
        "acoustic sum / e",
    ]
    body = [
        (
            row["method"],
            row["place"],
            f"{row['oxygen_xx']:.3f}",
            f"{row['hydrogen_xx']:.3f}",
            f"{row['largest_change']:.2g}" if row["largest_change"] else "–",
            f"{row['acoustic_sum']:.0e}",
        )
        for row in rows
    ]
    return f"{rows[0]['code']}:\n\n{markdown_table(head, body)}"


def _variants(rows: list[dict[str, Any]]) -> str:
    metrics = ("rmse", "rmse[L=0]", "rmse[L=1]", "rmse[L=2]")
    body = []
    for name in dict.fromkeys(row["variant"] for row in rows):
        found = [row for row in rows if row["variant"] == name]
        numbers = [" / ".join(f"{row[metric]:.4f}" for row in found) for metric in metrics]
        body.append((name, *numbers))
    head = ["one network, eight frames", *(f"{m.replace('rmse', 'RMSE')} / e" for m in metrics)]
    return "With each seed:\n\n" + markdown_table(head, body)


def _two_programs(rows: list[dict[str, Any]]) -> str:
    head = [
        "basis of CP2K",
        "basis of PySCF",
        "rms O / e",
        "rms H / e",
        "largest / e",
        "slope",
        "rms, swapped / e",
    ]
    body = [
        (
            row["cp2k_basis"],
            row["pyscf_basis"],
            *(f"{row['rms'][element]:.4f}" for element in ("O", "H")),
            f"{row['largest']:.4f}",
            f"{row['slope']:.4f}",
            f"{row['swapped_rms']:.4f}",
        )
        for row in rows
    ]
    codes = f"{rows[0]['first']['code']} against {rows[0]['second']['code']}"
    return f"{codes}, RPBE, one distorted H2O:\n\n{markdown_table(head, body)}"
