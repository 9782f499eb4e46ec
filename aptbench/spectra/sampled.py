"""`SampledSpectra`: spectra of one trajectory with replicates from a paired block bootstrap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.bootstrap import BlockBootstrap
from aptbench.errors import AlignmentError, InputError, UnknownNameError
from aptbench.spectra.absorption import absorption_of, check_times, number_of_lags
from aptbench.spectra.band import Band, Ends
from aptbench.spectra.blocks import BlockCorrelation, block_correlation
from aptbench.spectra.protocol import IR1, SpectralProtocol
from aptbench.spectra.spectrum import Spectrum

Array = npt.NDArray[np.float64]

BLOCKS: Final = 10
"""Time blocks of a trajectory: as few, so as long, as an interval can be made of."""
BLOCK_LAGS: Final = 0.25
"""Length of a time block at least, in units of the longest lag of the protocol."""
MOST_BLOCKS: Final = 64
"""Blocks where shorter ones are asked for: more would tell nothing more, and take memory."""
REPLICATES: Final = 400


@dataclass(frozen=True, eq=False)
class SampledSpectra:
    """Spectra of several currents of the same trajectory, and their replicates.

    The replicates of all currents are made with the same blocks, so that the interval of a
    difference, a ratio or any metric of two of them is a paired one.

    Parameters
    ----------
    names : tuple of str
    wavenumber : array, shape (wavenumber,)
        In cm^-1.
    values : array, shape (name, wavenumber)
        Absorption in cm^-1.
    replicates : array, shape (replicate, name, wavenumber)
    halves : array, shape (2, name, wavenumber)
        From the first and from the second half of the trajectory.
    n_blocks : int
    block : float
        Length of a block in fs.
    bootstrap : BlockBootstrap
    protocol : SpectralProtocol
    metadata : mapping
        As in `Spectrum`.
    """

    names: tuple[str, ...]
    wavenumber: Array
    values: Array
    replicates: Array
    halves: Array
    n_blocks: int
    block: float
    bootstrap: BlockBootstrap
    protocol: SpectralProtocol
    metadata: Mapping[str, Any]

    def spectrum(self, name: str) -> Spectrum:
        """Return the spectrum of one current."""
        return self._as_spectrum(self.values[self._index(name)])

    def half(self, name: str, which: int) -> Spectrum:
        """Return the spectrum of the first (0) or the second (1) half of the trajectory."""
        return self._as_spectrum(self.halves[which, self._index(name)])

    def samples(self, name: str) -> Array:
        """Return the replicates of one current, shape (replicate, wavenumber), in cm^-1."""
        return self.replicates[:, self._index(name)]

    def interval(self, name: str) -> tuple[Array, Array]:
        """Return the pointwise interval of a spectrum: low and high, shape (wavenumber,).

        NaN where the trajectory is a single block.
        """
        samples, tail = self.samples(name), self.bootstrap.tail(self.n_blocks)
        if np.isnan(tail):
            return np.full_like(samples[0], np.nan), np.full_like(samples[0], np.nan)
        low, high = np.quantile(samples, [tail, 1 - tail], axis=0)
        return low, high

    def band_integral(self, name: str, ends: Ends | None = None) -> tuple[float, float, float]:
        """Return the integral of a spectrum over a band and its interval, in cm^-2.

        Parameters
        ----------
        name : str
        ends : tuple of float, optional
            In cm^-1; the whole grid if not given.
        """
        band = Band(self.wavenumber, ends)
        value = float(band.integral(self.spectrum(name).absorption))
        return value, *self.interval_of(band.integral(self.samples(name)))

    def interval_of(self, values: npt.ArrayLike) -> tuple[float, float]:
        """Return the interval of a number from its value in each replicate."""
        return self.bootstrap.interval(np.asarray(values, float), self.n_blocks)

    def _index(self, name: str) -> int:
        if name not in self.names:
            raise UnknownNameError("spectrum", name, self.names)
        return self.names.index(name)

    def _as_spectrum(self, values: Array) -> Spectrum:
        return Spectrum(self.wavenumber, values, self.protocol, self.metadata)


def sampled_spectra(
    currents: Mapping[str, npt.ArrayLike],
    *,
    time_step: float,
    volume: float,
    temperature: float,
    protocol: SpectralProtocol = IR1,
    block: float | None = None,
    bootstrap: BlockBootstrap | None = None,
) -> SampledSpectra:
    """Return the spectra of several currents of one trajectory with their replicates.

    Parameters
    ----------
    currents : mapping of name to array (frame, pol)
        In e angstrom/fs, all of the same frames.
    time_step, volume, temperature, protocol
        As in `aptbench.spectra.absorption`.
    block : float, optional
        Length of the time blocks in fs; see `block_frames` if not given.
    bootstrap : BlockBootstrap, optional
        Replicates, confidence and seed; its ``block`` counts the time blocks.

    Raises
    ------
    InputError
        As `absorption`, or if there is no current.
    AlignmentError
        If the currents are not of the same frames.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> spectra = sampled_spectra(
    ...     {"one": rng.normal(size=(2000, 3))}, time_step=2.0, volume=1e3, temperature=300.0
    ... )
    >>> spectra.n_blocks, spectra.samples("one").shape
    (10, (400, 2001))
    """
    bootstrap = bootstrap or BlockBootstrap(replicates=REPLICATES)
    if not currents:
        raise InputError("There is no current to make a spectrum of.")
    arrays = {name: np.asarray(values, float) for name, values in currents.items()}
    shapes = {values.shape for values in arrays.values()}
    if len(shapes) != 1 or any(len(shape) != 2 for shape in shapes):
        raise AlignmentError(
            "The currents are not of the same frames.",
            got={name: values.shape for name, values in arrays.items()},
            expected="the same shape (frame, pol) for all",
        )
    series = np.stack(list(arrays.values()), 1)
    if not np.isfinite(series).all():
        raise InputError("A current has values that are not finite.")
    check_times(len(series), time_step, protocol)
    if protocol.remove_mean:
        series = series - series.mean(0)
    length = block_frames(len(series), time_step, protocol, block)
    correlation = block_correlation(
        series, n_lags=number_of_lags(time_step, protocol), block=length, names=tuple(arrays)
    )

    def spectra(correlations: Array) -> Array:
        return absorption_of(
            correlations,
            time_step=time_step,
            volume=volume,
            temperature=temperature,
            protocol=protocol,
        )

    return SampledSpectra(
        correlation.names,
        protocol.wavenumber,
        spectra(correlation.mean()),
        spectra(replicates(correlation, bootstrap)),
        spectra(correlation.mean(halves(correlation.n_blocks))),
        correlation.n_blocks,
        length * time_step,
        bootstrap,
        protocol,
        {
            "time_step_fs": float(time_step),
            "n_frames": len(series),
            "volume_angstrom3": float(volume),
            "temperature_K": float(temperature),
        },
    )


def block_frames(
    n_frames: int, time_step: float, protocol: SpectralProtocol, block: float | None = None
) -> int:
    """Return how many frames a time block has.

    Parameters
    ----------
    n_frames : int
    time_step : float
        In fs.
    protocol : SpectralProtocol
    block : float, optional
        Wanted length in fs; if not given, a tenth of the trajectory, or a quarter of the longest
        lag of the protocol if that is longer.

    Notes
    -----
    The blocks are of equal length, as near to the wanted one as the trajectory allows; longer if
    they would otherwise be more than `MOST_BLOCKS`. They are as long as can be because the
    intensity of a band changes slowly: on 12 ps of a cluster of eight molecules the standard error
    of the stretch band is 0.054 of the band from blocks of 0.4 ps, and 0.072 from those of 1.2 ps.
    """
    shortest = BLOCK_LAGS * protocol.maximum_lag
    wanted = max(shortest, n_frames * time_step / BLOCKS) if block is None else block
    if not (np.isfinite(wanted) and wanted >= time_step):
        raise InputError(
            "The time block is shorter than a time step.", got=f"{wanted} fs", expected=time_step
        )
    n_blocks = min(MOST_BLOCKS, max(1, round(n_frames * time_step / wanted)))
    return -(-n_frames // n_blocks)


def replicates(correlation: BlockCorrelation, bootstrap: BlockBootstrap) -> Array:
    """Return the correlations of resampled blocks, shape (replicate, channel, lag)."""
    return correlation.mean(bootstrap.counts(correlation.n_blocks))


def halves(n_blocks: int) -> Array:
    """Return the weights of the first and the second half of the blocks, shape (2, block)."""
    first = np.arange(n_blocks) < (n_blocks + 1) // 2
    return np.array([first, ~first if n_blocks > 1 else first], float)
