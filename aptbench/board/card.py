"""`card_blocks`: the generated parts of the card of a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aptbench.board.generated import markdown_table
from aptbench.elements import SYMBOLS

if TYPE_CHECKING:
    from aptbench.data import Dataset


_UNITS = {
    "cutoff": " Ry",
    "rel_cutoff": " Ry",
    "field": " atomic units",
    "temperature": " K",
    "timestep": " fs",
}


def card_blocks(folder: Path) -> dict[str, str]:
    """Return the generated blocks of ``card.md`` in the folder of a data set.

    Parameters
    ----------
    folder : Path
        ``datasets/NAME``, with the store, and ``convergence.json`` and ``splits`` if there are.

    Returns
    -------
    dict of name to Markdown
        ``summary``, ``theory``, ``charges``, ``convergence``, ``splits``: those that can be made.

    Raises
    ------
    StoreError
        If the store is missing or damaged.
    """
    from aptbench.data import open_dataset

    dataset = open_dataset(folder.name)
    (system,) = dataset.systems
    blocks = {
        "summary": _summary(dataset, system),
        "theory": _theory(dataset, system),
        "charges": _charges(dataset, system),
    }
    if (folder / "convergence.json").exists():
        blocks["convergence"] = _convergence(json.loads((folder / "convergence.json").read_text()))
    splits = sorted((folder / "splits").glob("*.json"))
    if splits:
        blocks["splits"] = _splits(dataset, system, splits)
    return blocks


def _summary(dataset: Dataset, system: str) -> str:
    frames = dataset.trajectory(system)
    times = dataset.times(system)
    composition = ", ".join(
        f"{int((frames.atomic_numbers == z).sum())} {SYMBOLS[z]}"
        for z in sorted(set(frames.atomic_numbers.tolist()), reverse=True)
    )
    edges = " x ".join(f"{edge:g}" for edge in np.linalg.norm(frames.cell[0], axis=1))  # type: ignore[index]
    rows = [
        ("version", dataset.version),
        ("content hash", f"`{dataset.content_hash}`"),
        ("system", f"`{system}`"),
        ("atoms", f"{frames.n_atoms} ({composition})"),
        ("cell", f"{edges} angstrom"),
        ("frames", f"{len(frames)}, every {times[1] - times[0]:g} fs"),
        ("length", f"{times[-1] / 1000:g} ps"),
        ("temperature of the frames", f"{frames.temperatures.mean():.1f} K"),
        ("labelled frames", dataset.n_labels(system)),
        *(
            (f"band: {name}", f"{low:g} to {high:g} cm^-1")
            for name, (low, high) in dataset.attrs.get("infrared_bands", {}).items()
        ),
        ("size on disk", f"{dataset.size / 1e6:.1f} MB"),
    ]
    return markdown_table(["", ""], rows, numbers=False)


def _theory(dataset: Dataset, system: str) -> str:
    provenance: dict[str, Any] = dataset.system_attrs(system)["provenance"]
    rows = [
        (
            f"{part}: {key.replace('_', ' ')}",
            (f"{value:g}" if isinstance(value, float) else str(value)) + _UNITS.get(key, ""),
        )
        for part in ("labels", "sampling")
        for key, value in provenance[part].items()
        if not isinstance(value, list)
    ]
    stages = "; ".join(
        f"{stage['ensemble']} {stage['steps']} steps" for stage in provenance["sampling"]["stages"]
    )
    rows.append(("sampling: stages", stages))
    return markdown_table(["setting", "value"], rows, numbers=False)


def _charges(dataset: Dataset, system: str) -> str:
    labelled = dataset.labelled(system)
    isotropic = np.trace(labelled.apt, axis1=2, axis2=3) / 3
    rows: list[tuple[str, str, str, str]] = []
    for z in sorted(set(labelled.frames.atomic_numbers.tolist()), reverse=True):
        mask = labelled.frames.atomic_numbers == z
        mean = isotropic[:, mask].mean()
        spread = labelled.apt[:, mask] - mean * np.eye(3)
        rows.append(
            (
                SYMBOLS[z],
                f"{mean:.4f}",
                f"{isotropic[:, mask].std():.4f}",
                f"{np.sqrt(np.mean(spread**2)):.4f}",
            )
        )
    quality = dataset.quality(system)
    residual = quality["sum_rule_residual"]
    head = ["element", "mean charge / e", "its spread / e", "rms about the mean charge / e"]
    return (
        markdown_table(head, rows)
        + f"\n\nAcoustic sum over the {labelled.frames.n_atoms} atoms, rms over nine components: "
        f"{residual.mean():.4f} e on average, {residual.max():.4f} e at most. Largest residual of "
        f"a self-consistent field: {quality['scf_residual'].max():.1e}."
    )


def _convergence(measured: dict[str, Any]) -> str:
    elements = list(measured["changes"][0]["rms"])
    rows = []
    for change in measured["changes"]:
        name = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in change["setting"].items())
        rows.append(
            (
                name or "as above",
                *(f"{change['rms'][e]:.5f}" if name else "–" for e in elements),
                f"{change['slope']:.4f}",
                f"{change['sum_rule_residual']:.4f}",
                change["scf_iterations"],
            )
        )
    head = [
        "changed setting",
        *(f"rms {e} / e" for e in elements),
        "slope",
        "acoustic sum / e",
        "SCF steps",
    ]
    return (
        f"Frame {measured['frame']}, field along {measured['pol']}, {measured['code']}; one "
        "setting changed at a time, root-mean-square change of a tensor component:\n\n"
        + markdown_table(head, rows)
    )


def _splits(dataset: Dataset, system: str, paths: list[Path]) -> str:
    frames, times = dataset.label_frames(system), dataset.times(system)
    rows = []
    for path in paths:
        split = json.loads(path.read_text())
        for part in ("train", "validation", "test"):
            at = times[frames[split[part]]] / 1000
            span = f"{at.min():.2f} to {at.max():.2f}" if len(at) else "–"
            rows.append((f"`{dataset.name}/{path.stem}`", part, len(at), span))
    return markdown_table(["task", "part", "labels", "times / ps"], rows)
