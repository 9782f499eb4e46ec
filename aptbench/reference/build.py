"""`build`: the store of a data set from its sampled trajectory and its label records."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aptbench.data import SystemData, write_dataset
from aptbench.data.dataset import Dataset
from aptbench.errors import AlignmentError, InputError
from aptbench.reference.recipe import Recipe
from aptbench.reference.records import LabelRecord, read_records


def build(recipe: Recipe, sampled: Dataset, records: Path, store: Path) -> Dataset:
    """Write the store of a data set.

    Parameters
    ----------
    recipe : Recipe
    sampled : Dataset
        The trajectory, as `aptbench sample` wrote it.
    records : Path
        Folder of the label records; those of frames that are not in the recipe are left for a
        later version.
    store : Path
        Target; an older store there is replaced.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        If a frame of the recipe has no record, or one of another level of theory.
    AlignmentError
        If a record is not of the frame that it names.
    """
    frames = sampled.trajectory(recipe.system)
    wanted = set(recipe.label.frames)
    labels = [record for record in read_records(records) if record.frame in wanted]
    missing = sorted(wanted - {record.frame for record in labels})
    if missing:
        raise InputError(
            f"Frames of the recipe have no label record in {records}.",
            got=f"none for {missing}",
            do="run 'aptbench label', or take the frames out of the recipe",
        )
    for record in labels:
        _check(record, recipe, frames.positions)
    codes = {record.provenance["code"] for record in labels}
    quality = {
        "scf_residual": [record.scf_residual.max() for record in labels],
        "field_step": [record.provenance["theory"]["field"] for record in labels],
        "net_force": [np.sqrt(np.mean(record.forces.sum(axis=0) ** 2)) for record in labels],
    }
    system = SystemData(
        frames,
        np.array([record.frame for record in labels]),
        np.stack([record.apt for record in labels]),
        times=sampled.times(recipe.system),
        dipole=np.stack([record.dipole for record in labels]),
        wannier_centers=np.stack([record.wannier_centers for record in labels]),
        quality={name: np.array(column) for name, column in quality.items()},
        quality_units={"field_step": "atomic_unit_of_field", "net_force": "hartree/bohr"},
        provenance={
            "labels": {
                "code": ", ".join(sorted(codes)),
                "method": labels[0].provenance["method"],
                **recipe.label.theory.as_dict(),
            },
            **sampled.system_attrs(recipe.system)["provenance"],
        },
    )
    return write_dataset(store, {recipe.system: system}, recipe.attrs, overwrite=True)


def _check(record: LabelRecord, recipe: Recipe, positions: np.ndarray) -> None:
    if record.provenance["theory"] != recipe.label.theory.as_dict():
        raise InputError(
            f"The record of frame {record.frame} has another level of theory than the recipe.",
            got=record.provenance["theory"],
            expected=recipe.label.theory.as_dict(),
            do="label the frame again, or move the record to a data set of its own",
        )
    if record.frame >= len(positions) or not np.array_equal(
        record.positions, positions[record.frame]
    ):
        raise AlignmentError(
            f"The record of frame {record.frame} is not of that frame of the trajectory.",
            do="sample with the recipe's seed and engine version, or label the frame again",
        )
