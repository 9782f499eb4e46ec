"""`channel_correlations`: the correlation of the current, split into channels that add up to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.elements import SYMBOLS
from aptbench.errors import InputError, UnknownNameError
from aptbench.spectra.blocks import BlockCorrelation, block_correlation, correlation_matrix
from aptbench.spectra.reduction import MolecularCurrents
from aptbench.spectra.shells import LazySeries, shell_currents, shell_names, solute_shells

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

# numbers of shell currents that are held at once
_NUMBERS: Final = 2**24


@dataclass(frozen=True, eq=False)
class Channels:
    """What every family of channels is made of.

    Parameters
    ----------
    currents : MolecularCurrents
    remove_mean : bool
        Whether every atom, and every mode of every molecule, loses its own mean over time first.
        That is linear, so channels still add up.
    n_lags, block : int
        As in `block_correlation`.
    edges : array, shape (shell,)
        Of the distance-resolved family, in angstrom, see `checked_edges`.
    shells : array, shape (shell,)
        Of the solvation shells, in angstrom.
    """

    currents: MolecularCurrents
    remove_mean: bool
    n_lags: int
    block: int
    edges: Array
    shells: Array

    @cached_property
    def atoms(self) -> LazySeries:
        """Currents of the atoms, (frame, atom, pol)."""
        return self._without_mean(self.currents.atoms)

    @cached_property
    def by_mode(self) -> LazySeries:
        """Currents of the molecules by mode, (frame, molecule, mode, pol)."""
        return self._without_mean(self.currents.by_mode)

    @cached_property
    def molecules(self) -> LazySeries:
        """Currents of the molecules, (frame, molecule, pol)."""
        n, n_molecules = self.currents.by_mode.shape[:2]
        return LazySeries((n, n_molecules, 3), lambda part: self.by_mode[part].sum(2))

    @cached_property
    def total(self) -> BlockCorrelation:
        """The correlation of the current of the system, one channel."""
        series = LazySeries(
            (len(self.currents), 1, 3), lambda part: self.atoms[part].sum(1, keepdims=True)
        )
        return self.correlation(series, names=("total",))

    @cached_property
    def self_part(self) -> Array:
        """Sums of the correlation of each molecule with itself, shape (block, lag)."""
        return self.correlation(_as_one_channel(self.molecules)).sums[0]

    @cached_property
    def resolved(self) -> tuple[Array, BlockCorrelation]:
        """Lower ends of the finest shells, and their correlations with the molecule inside."""
        ends = np.union1d(self.edges, self.shells)
        n_molecules = self.molecules.shape[1]
        size = max(1, _NUMBERS // ((self.block + self.n_lags) * len(ends) * 3))
        parts = []
        for start in range(0, n_molecules, size):
            some = np.arange(start, min(start + size, n_molecules))
            around = shell_currents(self.currents, self.molecules, ends, some)
            parts.append(self.correlation(around, self._some(some)))
        return ends, replace(parts[0], sums=np.sum([part.sums for part in parts], 0))

    def correlation(
        self,
        first: LazySeries,
        second: LazySeries | None = None,
        names: Sequence[str] | None = None,
    ) -> BlockCorrelation:
        """Correlate with the lags and blocks of these channels."""
        return block_correlation(first, second, n_lags=self.n_lags, block=self.block, names=names)

    def matrix(self, groups: LazySeries, names: Sequence[str]) -> BlockCorrelation:
        """Correlate all pairs of groups with the lags and blocks of these channels."""
        return correlation_matrix(groups, n_lags=self.n_lags, block=self.block, names=names)

    def named(self, names: Sequence[str], sums: npt.ArrayLike) -> BlockCorrelation:
        """Return channels from their sums, shape (channel, block, lag)."""
        return BlockCorrelation(np.asarray(sums, float), self.total.counts, tuple(names))

    def _some(self, members: Indices) -> LazySeries:
        """Return some molecules as the members of one channel, (frame, 1, member, pol)."""
        shape = (len(self.currents), 1, len(members), 3)
        return LazySeries(shape, lambda part: self.molecules[part][:, None, members])

    def _without_mean(self, values: Array) -> LazySeries:
        mean = np.asarray(values.mean(0)) if self.remove_mean else 0.0
        return LazySeries(values.shape, lambda part: np.asarray(values[part] - mean))


def species(channels: Channels) -> BlockCorrelation:
    """Return pairs of elements; one alone is all pairs of its atoms, the same atom included."""
    numbers = channels.currents.table.atomic_numbers
    elements = np.unique(numbers)[::-1]
    member = (numbers == elements[:, None]).astype(float)
    groups = LazySeries(
        (len(channels.currents), len(elements), 3), lambda part: member @ channels.atoms[part]
    )
    pairs = channels.matrix(groups, [SYMBOLS[z] for z in elements])
    names = [name if "-" in name else f"{name}-{name}" for name in pairs.names]
    return replace(pairs, names=tuple(names))


def reach(channels: Channels) -> BlockCorrelation:
    """Return atoms with themselves, with others of their molecule, and molecules with others."""
    atomic = channels.correlation(_as_one_channel(channels.atoms)).sums[0]
    within, total = channels.self_part, channels.total.sums[0]
    return channels.named(
        ("atomic", "intramolecular", "intermolecular"), [atomic, within - atomic, total - within]
    )


def mode(channels: Channels) -> BlockCorrelation:
    """Return pairs of modes, each summed over all molecules."""
    names = channels.currents.modes
    groups = LazySeries(
        (len(channels.currents), len(names), 3), lambda part: channels.by_mode[part].sum(1)
    )
    return channels.matrix(groups, names)


def mode_self(channels: Channels) -> BlockCorrelation:
    """Return pairs of modes of the same molecule, and what is between molecules."""
    n, n_molecules, n_modes, _ = channels.by_mode.shape
    groups = LazySeries(
        (n, n_modes, n_molecules, 3), lambda part: np.swapaxes(channels.by_mode[part], 1, 2)
    )
    pairs = channels.matrix(groups, channels.currents.modes)
    rest = channels.total.sums - pairs.sums.sum(0)
    return channels.named((*pairs.names, "intermolecular"), np.concatenate([pairs.sums, rest]))


def kind(channels: Channels) -> BlockCorrelation:
    """Return pairs of kinds of molecules."""
    kinds = channels.currents.table.kinds
    groups = LazySeries(
        (len(channels.currents), len(kinds), 3),
        lambda part: np.stack([channels.molecules[part][:, k.molecules].sum(1) for k in kinds], 1),
    )
    return channels.matrix(groups, [k.formula for k in kinds])


def distance(channels: Channels) -> BlockCorrelation:
    """Return molecules with themselves, and with those at each distance."""
    return _around(channels, channels.edges)


def solvation_shell(channels: Channels) -> BlockCorrelation:
    """Return molecules with themselves, and with those in each solvation shell."""
    return _around(channels, channels.shells)


def solute_shell(channels: Channels) -> BlockCorrelation:
    """Return pairs of solutes and of the shells of solvent around them."""
    groups, names = solute_shells(channels.currents, channels.molecules, channels.shells)
    return channels.matrix(groups, names)


FAMILIES: Final = MappingProxyType(
    {
        "species": species,
        "range": reach,
        "mode": mode,
        "mode-self": mode_self,
        "distance": distance,
        "solvation shell": solvation_shell,
        "kind": kind,
        "solute shell": solute_shell,
    }
)
"""Families of channels; each adds up to the total. The last two need several kinds of molecules."""

_OF_MIXTURES: Final = ("kind", "solute shell")
_OF_MANY: Final = ("mode-self", "distance", "solvation shell")


def channel_correlations(
    channels: Channels, families: Sequence[str] | None = None
) -> dict[str, BlockCorrelation]:
    """Return the correlations of the channels of families, all that apply if none is named.

    Raises
    ------
    UnknownNameError
        If a family is unknown.
    InputError
        If a family needs several molecules, or kinds of molecules, and there is one.
    """
    table = channels.currents.table
    lacking: list[str] = []
    if len(table.kinds) == 1:
        lacking += _OF_MIXTURES
    if len(table) == 1:
        lacking += _OF_MANY
    usual = [name for name in FAMILIES if name not in lacking]
    made: dict[str, BlockCorrelation] = {}
    for name in usual if families is None else families:
        if name not in FAMILIES:
            raise UnknownNameError("family of channels", name, FAMILIES)
        if name not in usual:
            wanted = "kinds of molecules" if name in _OF_MIXTURES else "molecules"
            raise InputError(
                f"The channels {name!r} need several {wanted}.",
                got=f"only {table.kinds[0].formula}",
                expected=f"one of {', '.join(usual)}",
            )
        family: Callable[[Channels], BlockCorrelation] = FAMILIES[name]
        made[name] = family(channels)
    return made


def _around(channels: Channels, edges: Array) -> BlockCorrelation:
    ends, fine = channels.resolved
    shell = np.searchsorted(edges, ends, side="right") - 1
    sums = [fine.sums[shell == s].sum(0) for s in range(len(edges))]
    return channels.named(("self", *shell_names(edges)), [channels.self_part, *sums])


def _as_one_channel(series: LazySeries) -> LazySeries:
    """Return (frame, 1, member, pol) from (frame, member, pol): what is summed over."""
    n, *rest = series.shape
    return LazySeries((n, 1, *rest), lambda part: series[part][:, None])
