"""`assign`: which nuclear motion absorbs, as channels that add up to the spectrum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError, UnknownNameError
from aptbench.spectra.absorption import absorption_of, check_times, number_of_lags
from aptbench.spectra.blocks import BlockCorrelation
from aptbench.spectra.channels import Channels, channel_correlations
from aptbench.spectra.protocol import IR1, SpectralProtocol
from aptbench.spectra.reduction import MolecularCurrents
from aptbench.spectra.sampled import block_frames
from aptbench.spectra.shells import SOLVATION, checked_edges, default_edges
from aptbench.spectra.spectrum import Spectrum

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ChannelFamily:
    """Channels that add up to the spectrum.

    Parameters
    ----------
    name : str
        See `aptbench.spectra.channels.FAMILIES`.
    correlation : BlockCorrelation
        Of the current in (e angstrom/fs)^2, by blocks of time origins: for resampling.
    spectra : array, shape (channel, wavenumber)
        Absorption in cm^-1; a cross term can be negative.
    """

    name: str
    correlation: BlockCorrelation
    spectra: Array

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels."""
        return self.correlation.names

    def index(self, channel: str) -> int:
        """Return the place of a channel."""
        if channel not in self.names:
            raise UnknownNameError(f"channel of the family {self.name!r}", channel, self.names)
        return self.names.index(channel)


@dataclass(frozen=True, eq=False)
class Assignment:
    """A spectrum and every family of its channels.

    Parameters
    ----------
    families : mapping of str to ChannelFamily
    correlation : BlockCorrelation
        Of the total current, one channel.
    total : Spectrum
    """

    families: Mapping[str, ChannelFamily]
    correlation: BlockCorrelation
    total: Spectrum

    def family(self, name: str) -> ChannelFamily:
        """Return a family of channels by its name."""
        if name not in self.families:
            raise UnknownNameError("family of channels", name, self.families)
        return self.families[name]

    def channel(self, family: str, name: str) -> Spectrum:
        """Return one channel as a spectrum."""
        channels = self.family(family)
        values = channels.spectra[channels.index(name)]
        return Spectrum(self.total.wavenumber, values, self.total.protocol, self.total.metadata)

    def check_additivity(self) -> float:
        """Return the greatest difference of a sum of channels from the total, over its maximum."""
        total = self.total.absorption
        worst = max(float(np.abs(f.spectra.sum(0) - total).max()) for f in self.families.values())
        return worst / max(float(np.abs(total).max()), float(np.finfo(float).tiny))

    def to_dataset(self) -> Any:
        """Return an `xarray.Dataset` with all channels, and their family and name as coordinates.

        Select a family with ``dataset.sel(channel=dataset.family == "mode")``.
        """
        import xarray as xr

        # objects: the Zarr specification has no strings of fixed width
        families = np.array([f.name for f in self.families.values() for _ in f.names], object)
        names = np.array([name for f in self.families.values() for name in f.names], object)
        spectra = np.concatenate([f.spectra for f in self.families.values()])
        attrs = {"units": "cm-1", "long_name": "absorption n alpha, Napierian"}
        return xr.Dataset(
            {
                "channel_absorption": (("channel", "wavenumber"), spectra, attrs),
                "absorption": (("wavenumber",), self.total.absorption, attrs),
            },
            {
                "wavenumber": (
                    ("wavenumber",),
                    self.total.wavenumber,
                    {"units": "cm-1", "standard_name": "radiation_wavenumber"},
                ),
                "family": (("channel",), families, {"long_name": "family of channels"}),
                "name": (("channel",), names, {"long_name": "name of the channel"}),
            },
            {
                "title": "Infrared absorption by nuclear motion",
                "protocol": self.total.protocol.name,
                "attribution": "nucleus (APT)",
                "comment": "Each family of channels adds up to the absorption. A tensor attributes "
                "to the moving nucleus everything it induces anywhere; a Wannier dipole attributes "
                "charge to the molecule that holds it.",
                **self.total.metadata,
            },
        )


def assign(
    currents: MolecularCurrents,
    *,
    time_step: float,
    temperature: float,
    volume: float | None = None,
    protocol: SpectralProtocol = IR1,
    edges: npt.ArrayLike | None = None,
    shells: npt.ArrayLike | None = None,
    block: float | None = None,
    families: Sequence[str] | None = None,
) -> Assignment:
    r"""Split a spectrum into what nuclei, molecules, modes and their neighbours contribute.

    Parameters
    ----------
    currents : MolecularCurrents
        See `reduce_trajectory`.
    time_step : float
        In fs.
    temperature : float
        In K.
    volume : float, optional
        In angstrom^3; the mean volume of the cell if not given. An isolated system needs one.
    protocol : SpectralProtocol
    edges : array, optional
        Edges in angstrom of the shells of the family ``distance``; every 0.25 angstrom up to half
        of the smallest distance between opposite faces of the cell, to 10 without a cell.
    shells : array, optional
        Edges in angstrom of the solvation shells; 0, 3.3 and 5.6 as far as the cell reaches.
    block : float, optional
        Length of the blocks of time origins in fs, see `aptbench.spectra.sampled.block_frames`.
    families : sequence of str, optional
        See `aptbench.spectra.channels.FAMILIES`; all that apply if not given.

    Returns
    -------
    Assignment

    Raises
    ------
    InputError
        As `aptbench.spectra.absorption`; if the edges do not rise from zero to half of the cell;
        or an isolated system has no volume.
    UnknownNameError
        If a family is unknown.

    Notes
    -----
    The current is a sum over atoms, molecules or modes, :math:`\dot M = \sum_a m_a`, and so its
    correlation is a sum over pairs, :math:`\sum_{ab} \langle m_a(0) \cdot m_b(t) \rangle`. A
    channel is a part of that sum; cross terms hold both orders and can be negative. Shells are
    those at the earlier time of a pair, and both signs of the lag are averaged:

    .. math:: S_s = \sum_I \langle b_I^s(0) \cdot m_I(t) \rangle,
              \quad b_I^s(t) = \sum_{J \in \mathrm{shell}\ s\ \mathrm{of}\ I} m_J(t) .

    Examples
    --------
    >>> from aptbench.molecules import MoleculeTable
    >>> from aptbench.oracle import ChargedOscillators
    >>> from aptbench.spectra.reduction import reduce_trajectory
    >>> two = ChargedOscillators((1.0, 1.0), (2.0, 2.0), (1000.0, 2000.0))
    >>> frames = two.trajectory(np.arange(2000) * 2.0, 300.0)
    >>> currents = reduce_trajectory(frames, two.predict, MoleculeTable.of(frames))
    >>> found = assign(currents, time_step=2.0, temperature=300.0, families=["range"])
    >>> found.family("range").names, found.check_additivity() < 1e-12
    (('atomic', 'intramolecular', 'intermolecular'), True)
    """
    if volume is None:
        if currents.cell is None:
            raise InputError(
                "An isolated system has no volume.",
                expected="a 'volume' in angstrom^3 that its spectrum is divided by",
            )
        volume = float(np.abs(np.linalg.det(currents.cell)).mean())
    check_times(len(currents), time_step, protocol)
    channels = Channels(
        currents,
        protocol.remove_mean,
        number_of_lags(time_step, protocol),
        block_frames(len(currents), time_step, protocol, block),
        checked_edges(edges, default_edges(currents), currents),
        checked_edges(shells, SOLVATION, currents),
    )

    def spectra(correlation: BlockCorrelation) -> Array:
        return absorption_of(
            correlation.mean(),
            time_step=time_step,
            volume=volume,
            temperature=temperature,
            protocol=protocol,
        )

    correlations = channel_correlations(channels, families)
    metadata = {
        "time_step_fs": float(time_step),
        "n_frames": len(currents),
        "volume_angstrom3": float(volume),
        "temperature_K": float(temperature),
    }
    return Assignment(
        {name: ChannelFamily(name, c, spectra(c)) for name, c in correlations.items()},
        channels.total,
        Spectrum(protocol.wavenumber, spectra(channels.total)[0], protocol, metadata),
    )
