"""`channel_errors`: whether a model is right for the right reason, channel by channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from aptbench.errors import AlignmentError, InputError
from aptbench.spectra.assignment import Assignment, ChannelFamily
from aptbench.spectra.spectrum import Spectrum

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ChannelError:
    """Errors of one channel, as fractions of the total of the reference.

    Parameters
    ----------
    family, channel : str
    relative_l1 : float
        Area of the difference over the area of the total reference spectrum.
    bands : mapping of str to float
        Signed error of the integral over each band, over the total reference area in that band.
    """

    family: str
    channel: str
    relative_l1: float
    bands: Mapping[str, float]


@dataclass(frozen=True)
class FamilyError:
    """Errors of a family of channels.

    Parameters
    ----------
    family : str
    channels : tuple of ChannelError
    relative_l1 : float
        Of the total spectrum: what a comparison without channels sees.
    hidden : float
        What the channels miss in all beyond that, because their errors cancel in the total: sum of
        the errors of the channels less the error of the total. Zero if nothing cancels.
    """

    family: str
    channels: tuple[ChannelError, ...]
    relative_l1: float
    hidden: float

    @property
    def sum_of_channels(self) -> float:
        """Sum of the relative errors of the channels; at least that of the total."""
        return sum(error.relative_l1 for error in self.channels)


def channel_errors(
    model: Assignment,
    reference: Assignment,
    bands: Mapping[str, tuple[float, float]] | None = None,
) -> Mapping[str, FamilyError]:
    r"""Compare the channels of a model with those of the reference on the same trajectory.

    Parameters
    ----------
    model, reference : Assignment
        With the same families and channels, protocol and volume.
    bands : mapping of str to (float, float), optional
        Ends in cm^-1; those of the protocol if not given.

    Returns
    -------
    mapping of str to FamilyError

    Raises
    ------
    AlignmentError
        If families, channels, frames, protocol, volume or temperature differ.
    InputError
        If the reference is zero in a band, or a band leaves the grid.

    Notes
    -----
    With channels :math:`S_c` that add up to S, the error of a channel is

    .. math:: e_c = \int |S_c - S_c^\mathrm{ref}|\, d\tilde\nu \Big/
              \int |S^\mathrm{ref}|\, d\tilde\nu ,

    relative to the total and not to the channel, so that a channel of next to nothing does not
    count. The sum of all :math:`e_c` is at least the error of the total; the rest is hidden: a
    right total for the wrong reason.
    """
    _check_comparable(model, reference)
    one, other = reference.total, model.total
    ends = bands or {name: (low, high) for name, low, high in one.protocol.bands}
    scale = _area(one, one.absorption)
    scales = {name: _area(one, one.absorption, *band) for name, band in ends.items()}
    if not all(value > 0 for value in (scale, *scales.values())):
        raise InputError("The reference spectrum is zero in a band.", got=dict(ends))
    total = _area(one, other.absorption - one.absorption) / scale
    errors = {}
    for name, family in reference.families.items():
        difference = model.families[name].spectra - family.spectra
        channels = tuple(
            ChannelError(
                name,
                channel,
                _area(one, row) / scale,
                {band: _spectrum(one, row).integral(*ends[band]) / scales[band] for band in ends},
            )
            for channel, row in zip(family.names, difference, strict=True)
        )
        hidden = sum(error.relative_l1 for error in channels) - total
        errors[name] = FamilyError(name, channels, total, max(hidden, 0.0))
    return MappingProxyType(errors)


def _area(
    like: Spectrum, values: Array, low: float | None = None, high: float | None = None
) -> float:
    return _spectrum(like, np.abs(values)).integral(low, high)


def _spectrum(like: Spectrum, values: Array) -> Spectrum:
    return Spectrum(like.wavenumber, values, like.protocol)


def _check_comparable(model: Assignment, reference: Assignment) -> None:
    def description(assignment: Assignment) -> tuple[object, ...]:
        families: list[ChannelFamily] = list(assignment.families.values())
        return (
            {family.name: family.names for family in families},
            assignment.total.protocol,
            assignment.total.metadata,
        )

    parts = zip(
        ("channels", "protocol", "trajectory"),
        description(model),
        description(reference),
        strict=True,
    )
    for name, ours, theirs in parts:
        if ours != theirs:
            raise AlignmentError(
                f"Two assignments are compared that differ in their {name}.",
                got=ours,
                expected=theirs,
                do="assign both on the same trajectory with the same protocol, volume and edges",
            )
