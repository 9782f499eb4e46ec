"""`card_blocks`: the generated parts of the card of a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aptbench.board.audit_table import audit_table
from aptbench.board.generated import markdown_table
from aptbench.elements import SYMBOLS
from aptbench.reference.label_noise import label_noise

if TYPE_CHECKING:
    from aptbench.data import Dataset


_UNITS = {
    "cutoff": " Ry",
    "rel_cutoff": " Ry",
    "field": " atomic units",
    "temperature": " K",
    "timestep": " fs",
    "box_margin": " angstrom",
    "box_step": " angstrom",
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
        ``summary``, ``systems``, ``theory``, ``charges``, ``convergence``, ``noise``,
        ``cross-check``, ``splits``, ``audit``:
        those that can be made.

    Raises
    ------
    StoreError
        If the store is missing or damaged.
    """
    from aptbench.data import open_dataset

    dataset = open_dataset(folder.name)
    blocks = {
        "summary": _summary(dataset),
        "systems": _systems(dataset),
        "theory": _theory(dataset),
        "charges": _charges(dataset),
    }
    if (folder / "convergence.json").exists():
        measured = json.loads((folder / "convergence.json").read_text())
        blocks |= {"convergence": _convergence(measured), "noise": _noise(measured)}
    blocks["cross-check"] = "Not measured yet."
    if (folder / "cross-check.json").exists():
        blocks["cross-check"] = _cross_check(json.loads((folder / "cross-check.json").read_text()))
    splits = sorted((folder / "splits").glob("*.json"))
    if splits:
        blocks["splits"] = _splits(dataset, splits)
    audits = sorted((folder / "audits").glob("*.json"))
    if audits:
        blocks["audit"] = audit_table(audits)
    return blocks


def _summary(dataset: Dataset) -> str:
    rows: list[tuple[str, object]] = [
        ("version", dataset.version),
        ("content hash", f"`{dataset.content_hash}`"),
    ]
    if len(dataset.systems) == 1:
        rows += _facts(dataset, dataset.systems[0]).items()
    rows.append(("size on disk", f"{dataset.size / 1e6:.1f} MB"))
    return markdown_table(["", ""], rows, numbers=False)


def _systems(dataset: Dataset) -> str:
    rows = []
    for system in dataset.systems:
        facts = _facts(dataset, system)
        residual = dataset.quality(system)["sum_rule_residual"].max()
        bands = [f"{name[6:]} {ends}" for name, ends in facts.items() if name.startswith("band: ")]
        rows.append(
            (
                f"`{system}`",
                facts["atoms"],
                facts["frames"],
                facts["length"],
                facts["temperature of the frames"],
                facts["labelled frames"],
                f"{residual:.1e} e",
                "; ".join(bands).replace(" cm^-1", "") or "–",
            )
        )
    head = ["system", "atoms", "frames", "length", "temperature", "labelled", "acoustic sum"]
    return markdown_table([*head, "bands / cm^-1"], rows, numbers=False)


def _facts(dataset: Dataset, system: str) -> dict[str, object]:
    frames = dataset.trajectory(system)
    times = dataset.times(system) if dataset.has_times(system) else np.zeros(0)
    moving = len(times) > 1
    composition = ", ".join(
        f"{int((frames.atomic_numbers == z).sum())} {SYMBOLS[z]}"
        for z in sorted(set(frames.atomic_numbers.tolist()), reverse=True)
    )
    facts: dict[str, object] = {
        "system": f"`{system}`",
        "atoms": f"{frames.n_atoms} ({composition})",
    }
    if frames.cell is not None:
        edges = " x ".join(f"{edge:g}" for edge in np.linalg.norm(frames.cell[0], axis=1))
        facts["cell"] = f"{edges} angstrom"
    bands = dataset.infrared_bands(system)
    return facts | {
        "frames": str(len(frames)) + (f", every {times[1] - times[0]:g} fs" if moving else ""),
        "length": f"{times[-1] / 1000:g} ps" if moving else "–",
        "temperature of the frames": "–"
        if frames.velocities is None
        else f"{frames.temperatures.mean():.1f} K",
        "labelled frames": dataset.n_labels(system),
        **{f"band: {name}": f"{low:g} to {high:g} cm^-1" for name, (low, high) in bands.items()},
    }


def _theory(dataset: Dataset) -> str:
    """Settings of labels and sampling; what differs between systems is said to."""
    sources = [dataset.system_attrs(system)["provenance"] for system in dataset.systems]
    rows = []
    for part in ("labels", "sampling"):
        for key, value in sources[0].get(part, {}).items():
            same = all(source.get(part, {}).get(key) == value for source in sources)
            if key == "stages":
                text = "; ".join(f"{stage['ensemble']} {stage['steps']} steps" for stage in value)
            elif value is None or isinstance(value, list | dict):
                continue
            else:
                text = f"{value:g}" if isinstance(value, float) else str(value)
                text += _UNITS.get(key, "")
            rows.append((f"{part}: {key.replace('_', ' ')}", text if same else "by system"))
    return markdown_table(["setting", "value"], rows, numbers=False)


def _charges(dataset: Dataset) -> str:
    rows: list[tuple[str, ...]] = []
    notes = []
    several = len(dataset.systems) > 1
    for system in dataset.systems:
        labelled = dataset.labelled(system)
        isotropic = np.trace(labelled.apt, axis1=2, axis2=3) / 3
        for z in sorted(set(labelled.frames.atomic_numbers.tolist()), reverse=True):
            mask = labelled.frames.atomic_numbers == z
            mean = isotropic[:, mask].mean()
            spread = labelled.apt[:, mask] - mean * np.eye(3)
            rows.append(
                (
                    *([f"`{system}`"] if several else []),
                    SYMBOLS[z],
                    f"{mean:.4f}",
                    f"{isotropic[:, mask].std():.4f}",
                    f"{np.sqrt(np.mean(spread**2)):.4f}",
                )
            )
        quality = dataset.quality(system)
        residual = quality["sum_rule_residual"]
        if not several:
            notes.append(
                f"Acoustic sum over the {labelled.frames.n_atoms} atoms, rms over nine components: "
                f"{residual.mean():.4f} e on average, {residual.max():.4f} e at most."
            )
            if "scf_residual" in quality:
                notes[-1] += (
                    " Largest residual of a self-consistent field: "
                    f"{quality['scf_residual'].max():.1e}."
                )
    head = ["element", "mean charge / e", "its spread / e", "rms about the mean charge / e"]
    table = markdown_table([*(["system"] if several else []), *head], rows)
    return "\n\n".join([table, *notes])


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


def _noise(measured: dict[str, Any]) -> str:
    figures = label_noise(measured)
    elements = list(figures["noise"])
    kinds = {"scf": "threshold of self-consistency", "grid": "grid", "field": "field step"}
    rows = [
        ("label noise", figures["noise"]),
        *((kinds[kind], part) for kind, part in figures["parts"].items()),
        *((f"not noise: {kind}", part) for kind, part in figures["systematic"].items()),
    ]
    table = markdown_table(
        ["rms / e", *elements],
        [(name, *(f"{part[e]:.2g}" for e in elements)) for name, part in rows],
    )
    return f"{table}\n\n{figures['rule']}"


def _cross_check(measured: dict[str, Any]) -> str:
    rms = ", ".join(f"{element} {value:.4f}" for element, value in measured["rms"].items())
    methods = [f"{measured[key]['code']}, {measured[key]['method']}" for key in ("first", "second")]
    atoms = ", ".join(f"{atom['element']} {atom['atom']}" for atom in measured["atoms"])
    return (
        f"Frame {measured['frame']}, atoms {atoms}; {methods[0]} against {methods[1]}: rms "
        f"difference of a component {rms} e, largest {measured['largest']:.4f} e, slope "
        f"{measured['slope']:.4f}. With pol and disp the other way round it would be "
        f"{measured['swapped_rms']:.4f} e."
    )


def _splits(dataset: Dataset, paths: list[Path]) -> str:
    rows = []
    for path in paths:
        split = json.loads(path.read_text())
        timed = dataset.has_times(split["system"])
        at = dataset.label_frames(split["system"])
        times = dataset.times(split["system"])[at] / 1000 if timed else np.zeros(0)
        for part in ("train", "validation", "test"):
            chosen = split[part]
            span = "–"
            if timed and chosen:
                span = f"{times[chosen].min():.2f} to {times[chosen].max():.2f}"
            rows.append((f"`{dataset.name}/{path.stem}`", part, len(chosen), span))
    return markdown_table(["task", "part", "labels", "times / ps"], rows)
