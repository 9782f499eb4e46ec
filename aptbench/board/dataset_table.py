"""`dataset_table`: the data sets of a project in one table, a row each, made from their stores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aptbench.board.generated import markdown_table
from aptbench.evaluate.reference_currents import theory_in_words
from aptbench.reference.label_noise import dataset_noise

if TYPE_CHECKING:
    from aptbench.data import Dataset

_NAMED_SYSTEMS = 2


def dataset_table_blocks(project: Path) -> dict[str, str]:
    """Return the table as the generated block ``data``; see `dataset_table`."""
    return {"data": dataset_table(project)}


def dataset_table(project: Path) -> str:
    """Return a Markdown table of the data sets: systems, frames, labels, theory, noise, size.

    Parameters
    ----------
    project : Path
        Root of the repository: ``datasets/NAME/NAME.zarr`` are its data sets.

    Raises
    ------
    StoreError
        If a store that has a pointer is not here, or damaged: a table without it would be wrong.

    Notes
    -----
    A data set is one row, however many systems it has: numbers of atoms are a range then, frames
    and labels are sums. The label noise is that of `aptbench.reference.label_noise`, kept in the
    attribute ``label_noise`` of the store or made of ``convergence.json``; a dash where neither is
    there, and ">" where a part of it was not measured.
    """
    from aptbench.data import Dataset

    rows = []
    for folder in sorted((project / "datasets").glob("*/")):
        store = folder / f"{folder.name}.zarr"
        if not (store.is_dir() or store.with_name(store.name + ".dvc").is_file()):
            continue
        dataset = Dataset(store)
        rows.append(
            (
                f"[`{dataset.name}`](datasets/{folder.name}/card.md) {dataset.version}",
                _systems(dataset),
                _range(dataset.n_atoms(system) for system in dataset.systems),
                _frames(dataset),
                sum(dataset.n_labels(system) for system in dataset.systems),
                _theory(dataset),
                _noise(dataset),
                f"{dataset.size / 1e6:.1f} MB",
            )
        )
    head = [
        "data set",
        "systems",
        "atoms",
        "frames",
        "labelled",
        "theory",
        "numerical noise",
        "size",
    ]
    return markdown_table(head, rows)


def _systems(dataset: Dataset) -> str:
    if len(dataset.systems) > _NAMED_SYSTEMS:
        return str(len(dataset.systems))
    return ", ".join(f"`{system}`" for system in dataset.systems)


def _range(values: Iterable[float], form: str = "{:d}") -> str:
    ordered = sorted(set(values))
    ends = ordered[:1] if len(ordered) == 1 else [ordered[0], ordered[-1]]
    return " to ".join(form.format(value) for value in ends)


def _frames(dataset: Dataset) -> str:
    total = sum(dataset.n_frames(system) for system in dataset.systems)
    lengths = []
    for system in dataset.systems:
        if dataset.has_times(system):
            times = dataset.times(system)
            lengths.append(round(float(times[-1] - times[0]) / 1000, 3))
    if not lengths:
        return str(total)
    times_many = f"{len(lengths)} x " if len(lengths) > 1 else ""
    return f"{total} ({times_many}{_range(lengths, '{:g}')} ps)"


def _theory(dataset: Dataset) -> str:
    theories = dict.fromkeys(
        theory_in_words(provenance["labels"])
        for provenance in (dataset.system_attrs(system)["provenance"] for system in dataset.systems)
        if "labels" in provenance
    )
    return "; ".join(theories) or "–"


def _noise(dataset: Dataset) -> str:
    figures = dataset_noise(dataset)
    if not isinstance(figures, Mapping):
        return "–" if figures is None else f"{figures:.2g} e"
    bound = "> " if figures["missing"] else ""
    return f"{bound}{figures['noise']['all']:.2g} e"
