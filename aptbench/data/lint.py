"""`lint`: every system and every label of a store against what must hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from aptbench.data.dataset import Dataset
from aptbench.data.lint_labels import (
    check_acoustic_sum,
    check_line_integral,
    check_net_force,
    check_outliers,
    check_repeated_labels,
    check_rotational_sum,
    check_scf,
)
from aptbench.data.lint_trajectory import (
    check_center_of_mass,
    check_duplicates,
    check_finite,
    check_time_step,
    check_velocities,
)
from aptbench.data.lint_wannier import check_wannier_count, check_wannier_sum
from aptbench.data.plausibility import Finding, check_charges, check_order

Level = Literal["pass", "warn", "fail", "skip"]


@dataclass(frozen=True)
class Lint:
    """What `lint` found in one system.

    Parameters
    ----------
    subject : str
        Name of the system, or of what else was looked at.
    findings : tuple of Finding
    """

    subject: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no check failed; warnings do not count."""
        return all(finding.ok for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON types."""
        findings = [
            {
                "check": finding.check,
                "level": level(finding),
                "message": finding.message,
                "advice": finding.advice,
            }
            for finding in self.findings
        ]
        return {"subject": self.subject, "ok": self.ok, "findings": findings}


def level(finding: Finding) -> Level:
    """Return how grave a finding is.

    What a check cannot decide is a warning if something can be done about it, or else skipped.

    Examples
    --------
    >>> level(Finding("net_force", "unknown", "the store has no net force"))
    'skip'
    """
    if finding.outcome != "unknown":
        return finding.outcome
    return "warn" if finding.advice else "skip"


def lint(dataset: Dataset) -> tuple[Lint, ...]:
    """Check every system of a store; `aptbench.data.verify` checks bytes, hash and schema.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    tuple of Lint
        One for each system, in alphabetical order.

    Raises
    ------
    StoreError
        If an array cannot be read.
    """
    return tuple(Lint(name, tuple(_system(dataset, name))) for name in dataset.systems)


def _system(dataset: Dataset, name: str) -> list[Finding]:
    found = [check_finite(dataset.tree().children[name].to_dataset(inherit=False))]
    if not found[0].ok:
        return found
    frames = dataset.trajectory(name)
    times = dataset.times(name) if dataset.has_times(name) else None
    found.append(check_duplicates(frames))
    if times is not None:
        found += [
            check_time_step(times),
            check_velocities(frames, times),
            check_center_of_mass(frames, times),
        ]
    if not dataset.n_labels(name):
        return found
    labelled, quality = dataset.labelled(name), dataset.quality(name)
    label_times = None if times is None else times[dataset.label_frames(name)]
    provenance = dataset.system_attrs(name)["provenance"].get("labels", {})
    return [
        *found,
        check_charges(labelled),
        check_order(labelled),
        check_acoustic_sum(labelled),
        check_rotational_sum(labelled),
        check_line_integral(labelled, label_times),
        check_outliers(labelled),
        check_repeated_labels(labelled),
        check_scf(quality, provenance),
        check_net_force(quality, labelled.frames.n_atoms),
        check_wannier_count(labelled, provenance),
        check_wannier_sum(labelled, provenance),
    ]
