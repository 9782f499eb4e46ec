"""`lint_records`: label records as the engine gave them, against what must hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.data.dataset import Dataset
from aptbench.data.lint_labels import ATOM_ERROR
from aptbench.data.plausibility import Finding
from aptbench.errors import InputError
from aptbench.reference.records import LabelRecord
from aptbench.reference.theory import Theory

Array = npt.NDArray[np.float64]

NONLINEARITY: Final = 0.02
"""Largest even part of the forces in a field against the odd part, root mean square. It grows with
the field, and is 0.3 to 0.4 % in liquid water at 5e-4 atomic units."""


def lint_records(
    records: Sequence[LabelRecord],
    total_charge: float = 0.0,
    store: Dataset | None = None,
    system: str | None = None,
) -> tuple[Finding, ...]:
    """Check all records of one system.

    Parameters
    ----------
    records : sequence of LabelRecord
    total_charge : float
        Of the system, in e.
    store : Dataset, optional
        The data set made of them, whose labels must be those of the records.
    system : str, optional
        Its system; may be left out if it has one.

    Returns
    -------
    tuple of Finding
        For the checks ``one_theory``, ``recomputed``, ``linearity``, ``field_force``,
        ``record_scf``, ``repeated_frames``, and ``store_labels`` if there is a store.

    Raises
    ------
    InputError
        If there is no record, or the records differ in their atoms.
    """
    if not records:
        raise InputError("There is no label record to be checked.")
    if len({record.atomic_numbers.tobytes() for record in records}) > 1:
        raise InputError(
            "The label records are not of one system.",
            got="records of different atoms in one folder",
            do="give each system a folder of its own",
        )
    found = (
        check_one_theory(records),
        check_recomputed(records),
        check_linearity(records),
        check_field_force(records, total_charge),
        check_record_scf(records),
        check_repeated_frames(records),
    )
    return found if store is None else (*found, check_store_labels(records, store, system))


def check_one_theory(records: Sequence[LabelRecord]) -> Finding:
    """Check that all records are of one level of theory, method and version of the code."""
    kinds: dict[str, list[int]] = {}
    for record in records:
        keys = [record.provenance.get("code"), record.provenance.get("method"), _theory(record)]
        kinds.setdefault(json.dumps(keys, sort_keys=True), []).append(record.frame)
    if len(kinds) == 1:
        return Finding("one_theory", "pass", f"{len(records)} records")
    fewest = min(kinds.values(), key=len)
    return Finding(
        "one_theory",
        "fail",
        f"{len(kinds)} levels of theory or versions; frames {_shown(fewest)} have the rarest",
        "label these frames again, or move their records to a data set of their own",
    )


def check_recomputed(records: Sequence[LabelRecord]) -> Finding:
    """Check that the tensors are the central differences of the stored forces."""
    away = np.array([np.abs(_response(record) - record.apt).max() for record in records])
    return _judge(
        "recomputed", records, away, 1e-9, "e", "the file was changed: label the frame again"
    )


def check_linearity(records: Sequence[LabelRecord]) -> Finding:
    r"""Check that the forces are odd in the field.

    Notes
    -----
    Rms of :math:`F(+E) + F(-E) - 2 F(0)` over that of :math:`F(+E) - F(-E)`, the larger of
    the three directions of the field. A field run that converged to another state shows here.
    """
    ratio = np.empty(len(records))
    for k, record in enumerate(records):
        plus, minus = record.field_forces[:, 0], record.field_forces[:, 1]
        even = np.sqrt(np.mean((plus + minus - 2 * record.forces) ** 2, axis=(1, 2)))
        odd = np.sqrt(np.mean((plus - minus) ** 2, axis=(1, 2)))
        ratio[k] = np.max(even / np.maximum(odd, np.finfo(float).tiny))
    advice = "take a smaller field, or a tighter threshold of the SCF, and label again"
    return _judge("linearity", records, ratio, NONLINEARITY, "of the odd part", advice)


def check_field_force(records: Sequence[LabelRecord], total_charge: float = 0.0) -> Finding:
    r"""Check the net force that each of the six fields makes, total charge times field.

    Notes
    -----
    Rms over the components of :math:`\sum_i (F_i(E) - F_i(0)) / E - Q` for the worst of the two
    signs: the acoustic sum rule of every run for itself, so its limit is that of the sum rule,
    ``ATOM_ERROR`` times the root of the number of atoms.
    """
    residual = np.empty(len(records))
    for k, record in enumerate(records):
        field = np.array([1.0, -1.0])[:, None] * _field(record)
        made = (record.field_forces - record.forces).sum(axis=2) / field
        excess = made - total_charge * np.eye(3)[:, None]
        residual[k] = np.sqrt(np.mean(excess**2, axis=(0, 2))).max()
    limit = ATOM_ERROR * float(np.sqrt(len(records[0].atomic_numbers)))
    advice = "look at the total charge, and at the field runs of this frame"
    return _judge("field_force", records, residual, limit, "e", advice)


def check_record_scf(records: Sequence[LabelRecord]) -> Finding:
    """Check that all seven self-consistent fields of each record met their threshold."""
    share = np.array(
        [record.scf_residual.max() / record.provenance["theory"]["eps_scf"] for record in records]
    )
    # outputs have two digits
    advice = "label the frame again: its SCF did not converge"
    return _judge("record_scf", records, share, 1.02, "of the threshold", advice)


def check_repeated_frames(records: Sequence[LabelRecord]) -> Finding:
    """Check that no two records have the same positions or the same tensors."""
    for name in ("positions", "apt"):
        seen: dict[bytes, int] = {}
        for record in records:
            first = seen.setdefault(getattr(record, name).tobytes(), record.frame)
            if first != record.frame:
                return Finding(
                    "repeated_frames",
                    "fail",
                    f"the records of frames {first} and {record.frame} have the same {name}",
                    "remove both and label these frames again",
                )
    return Finding("repeated_frames", "pass", f"{len(records)} different records")


def check_store_labels(
    records: Sequence[LabelRecord], store: Dataset, system: str | None = None
) -> Finding:
    """Check that the labels of a store are those of the records, to the last bit.

    Parameters
    ----------
    records : sequence of LabelRecord
    store : Dataset
    system : str, optional
        May be left out if the store has one.
    """
    name = system or store.only_system()
    labelled, frames = store.labelled(name), store.label_frames(name).tolist()
    by_frame = {record.frame: record for record in records}
    missing = [frame for frame in frames if frame not in by_frame]
    wrong = [
        frame
        for k, frame in enumerate(frames)
        if frame not in missing
        and not (
            np.array_equal(by_frame[frame].apt, labelled.apt[k])
            and np.array_equal(by_frame[frame].positions, labelled.frames.positions[k])
        )
    ]
    waiting = len(set(by_frame) - set(frames))
    message = f"{len(frames)} labels from records, {waiting} records not in the store"
    if wrong or missing:
        return Finding(
            "store_labels",
            "fail",
            f"{message}; other numbers for frames {_shown(wrong)}, no record of {_shown(missing)}",
            "build the store again, or restore the records",
        )
    return Finding("store_labels", "pass", message)


def _theory(record: LabelRecord) -> Any:
    """Return the settings with those that are younger than the record at their defaults."""
    stated = record.provenance["theory"]
    try:
        return Theory(**stated).as_dict()
    except TypeError:
        return stated


def _field(record: LabelRecord) -> float:
    return float(record.provenance["theory"]["field"])


def _response(record: LabelRecord) -> Array:
    """Return (atom, pol, disp) from the forces (pol, sign, atom, disp)."""
    difference = record.field_forces[:, 0] - record.field_forces[:, 1]
    return np.moveaxis(difference, 0, 1) / (2 * _field(record))


def _judge(
    name: str,
    records: Sequence[LabelRecord],
    values: Array,
    limit: float,
    unit: str,
    advice: str,
) -> Finding:
    worst = int(np.argmax(np.nan_to_num(values, nan=np.inf)))
    message = f"worst frame {records[worst].frame}: {values[worst]:.2g} {unit}, limit {limit:.2g}"
    # written so that a value that is no number fails
    beyond = [r.frame for r, value in zip(records, values, strict=True) if not value <= limit]
    if not beyond:
        return Finding(name, "pass", message)
    return Finding(name, "fail", f"{message}; beyond it: frames {_shown(beyond)}", advice)


def _shown(frames: Sequence[int]) -> str:
    shown = ", ".join(map(str, frames[:8])) or "none"
    return f"{shown} and {len(frames) - 8} more" if len(frames) > 8 else shown
