"""`audit_table`: audits of splits as Markdown, for cards and documents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aptbench.board.generated import markdown_table
from aptbench.tasks.duplicate_audit import DuplicateAudit
from aptbench.tasks.independent_audit import IndependentAudit
from aptbench.tasks.leakage import LeakageAudit, Record, read_record
from aptbench.tasks.transfer_audit import TransferAudit


def audit_table(audits: Path | Sequence[Path | Record]) -> str:
    """Return audits as Markdown.

    Parameters
    ----------
    audits : Path or sequence of Path or Record
        Files of ``aptbench audit``, of any kind: ``datasets/NAME/audits/*.json`` and
        ``datasets/duplicates.json``; or what is in them.

    Returns
    -------
    str
        A table for each kind that occurs.

    Raises
    ------
    InputError
        If a file is absent or not valid.
    """
    given = [audits] if isinstance(audits, Path) else audits
    records = [read_audit(one) if isinstance(one, Path) else one for one in given]
    splits = [one for one in records if isinstance(one, LeakageAudit)]
    transfers = [one for one in records if isinstance(one, TransferAudit)]
    drawn = [one for one in records if isinstance(one, IndependentAudit)]
    parts = []
    if drawn:
        parts.append(_independent(drawn))
    if splits:
        parts += [_splits(splits), _memory(splits)]
    if splits or transfers:
        parts.append(_environments([*splits, *transfers]))
    parts += [_repeated(one) for one in records if isinstance(one, DuplicateAudit)]
    return "\n\n".join(part for part in parts if part)


def read_audit(path: Path) -> Record:
    """Read a file of ``aptbench audit``, of the kind that it says it is.

    Raises
    ------
    InputError
        If the file is absent or not valid.
    """
    kinds: dict[Any, type[Record]] = {
        "duplicates@1": DuplicateAudit,
        "independent@1": IndependentAudit,
        "transfer-audit@1": TransferAudit,
    }
    try:
        stated = json.loads(path.read_text(encoding="utf-8")).get("format")
    except (OSError, ValueError, AttributeError):
        stated = None
    record: Record = read_record(path, kinds.get(stated, LeakageAudit))
    return record


def _splits(audits: Sequence[LeakageAudit]) -> str:
    rows = [
        (
            f"`{one.task}`",
            f"{one.gap_fs:g} ({one.promised_gap_fs:g})",
            " / ".join(f"{time:g}" for time in one.nearest_train_fs),
            len(one.duplicates),
            one.near_duplicates,
            one.unused,
        )
        for one in audits
    ]
    head = ["task", "gap (promised) / fs", "test to training / fs", "copies", "near copies"]
    return markdown_table([*head, "unused labels"], rows)


def _independent(audits: Sequence[IndependentAudit]) -> str:
    """Return audits of frames without times as Markdown, a row an element."""
    rows = [
        (
            f"`{one.task}`",
            element.element,
            f"{element.test_to_train:.3f}",
            "–" if element.train_to_train is None else f"{element.train_to_train:.3f}",
            "–" if element.ratio is None else f"{element.ratio:.2f}",
            len(one.duplicates),
            one.near_duplicates,
            one.unused,
        )
        for one in audits
        for element in one.environments
    ]
    head = ["task", "element", "test to training", "training to training", "ratio", "copies"]
    names = ", ".join(f"`{one.task}`" for one in audits)
    return (
        f"No time separates test and training of {names}: the frames were drawn at random. How new "
        "a test frame is, say its environments alone.\n\n"
        + markdown_table([*head, "near copies", "unused labels"], rows)
    )


def _memory(audits: Sequence[LeakageAudit]) -> str:
    rows = [
        (
            f"`{one.task}`",
            memory.observable,
            f"{'' if memory.decays else '> '}{memory.time_fs:.0f}",
            f"{memory.lengths:.1f}",
            f"{'' if memory.decays else '< '}{memory.gaps:.2f}",
            "yes" if memory.reliable else "no",
        )
        for one in audits
        for memory in one.memory
    ]
    head = ["task", "observable", "decorrelation time / fs", "trajectory / time", "gap / time"]
    return markdown_table([*head, "reliable"], rows)


def _environments(audits: Sequence[LeakageAudit | TransferAudit]) -> str:
    rows = []
    for audit in audits:
        for one in audit.environments:
            memory = "–"
            if one.same_atom is not None and one.same_atom_by_chance is not None:
                memory = f"{100 * one.same_atom:.1f} % ({100 * one.same_atom_by_chance:.1f} %)"
            rows.append(
                (
                    f"`{audit.task}`",
                    one.element,
                    f"{one.test_to_train:.3f}",
                    "–" if one.train_to_train is None else f"{one.train_to_train:.3f}",
                    "–" if one.ratio is None else f"{one.ratio:.2f}",
                    memory,
                )
            )
        missing = audit.elements_not_trained if isinstance(audit, TransferAudit) else ()
        rows += [(f"`{audit.task}`", z, "not in training", "–", "–", "–") for z in missing]
    head = ["task", "element", "test to training", "training to training", "ratio"]
    return markdown_table([*head, "nearest is the same atom (chance)"], rows)


def _repeated(audit: DuplicateAudit) -> str:
    total = sum(n for one in audit.searched for n in one.frames.values())
    names = ", ".join(one.dataset for one in audit.searched)
    text = (
        f"{total} frames of {names} compared modulo rotation, reflection, translation, order of "
        f"like atoms and lattice, within {audit.tolerance:.1e} angstrom."
    )
    if not audit.repeated:
        return f"{text} None occurs twice."
    rows = [
        (
            f"`{one.first}`",
            f"`{one.second}`" if one.second != one.first else "itself",
            one.frames,
            f"{one.largest_deviation:.1e}",
        )
        for one in audit.repeated
    ]
    table = markdown_table(["system", "the same in", "frames", "deviation / angstrom"], rows)
    return f"{text}\n\n{table}"
