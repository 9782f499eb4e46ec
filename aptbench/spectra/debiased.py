"""`debiased_spectrum`: reference spectrum from a model everywhere and a few reference labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.spectra.absorption import TO_PER_CM, absorption, number_of_lags
from aptbench.spectra.correlation import correlation
from aptbench.spectra.label_estimate import LabelEstimate
from aptbench.spectra.label_sample import LabelSample, standard_error
from aptbench.spectra.protocol import IR1, SpectralProtocol
from aptbench.spectra.quantum import quantum_factor
from aptbench.spectra.residual import HIDDEN_BAND, ResidualShape
from aptbench.spectra.spectrum import Spectrum

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DebiasedSpectrum:
    """An absorption spectrum of the reference, estimated from labels, with its confidence band.

    Arrays have the shape (wavenumber,) and are in cm^-1.

    Parameters
    ----------
    spectrum : Spectrum
        The estimate: ``model + cross + residual``.
    low, high : array
        Ends of the confidence band, point by point.
    model : Spectrum
        Of the model current, exact.
    cross : array
        Twice the cross spectrum of model and residual.
    residual, residual_bound : array
        Spectrum of the residual, as estimated, and the most that it can be.
    n_labels, n_clusters : int
        Labels, and independent clusters of them.
    current_error : tuple of float
        Value and confidence limits of the relative error of the model current (physics.md, 3.1).
    confidence : float
    method : str
        How the estimate was made, in words.
    """

    spectrum: Spectrum
    low: Array
    high: Array
    model: Spectrum
    cross: Array
    residual: Array
    residual_bound: Array
    n_labels: int
    n_clusters: int
    current_error: tuple[float, float, float]
    confidence: float
    method: str
    _rows: Array = field(repr=False)
    _systematic: tuple[Array, Array] = field(repr=False)
    _hidden: Array = field(repr=False)

    def band_integral(self, low: float, high: float) -> tuple[float, float, float]:
        """Return the integral over a band in cm^-2, and its confidence limits.

        The value is that of the estimate before its noise is reduced point by point, which a band
        does not need; so it differs a little from the integral of ``spectrum``. The limits come
        from the jackknife of the integral itself: errors of neighbouring points are correlated.

        Raises
        ------
        InputError
            If the band is not on the grid.
        """
        grid, protocol = self.spectrum.wavenumber, self.spectrum.protocol

        def integral(values: Array) -> float:
            return Spectrum(grid, values, protocol).integral(low, high)

        values = np.array([integral(row) for row in self._rows])
        value, half = float(values[0]), float(_half_width([values[1:]], self.confidence))
        below, above = (integral(part) for part in self._systematic)
        # all of a band that the model does not see may lie in here
        inside = (grid >= low) & (grid <= high)
        width = min(high - low, HIDDEN_BAND * protocol.broadening)
        hidden = width * float(np.max(self._hidden[inside], initial=0.0))
        below, above = np.hypot(half, below), np.sqrt(half**2 + above**2 + hidden**2)
        return value, float(value - below), float(value + above)


def debiased_spectrum(
    model_current: npt.ArrayLike,
    label_frames: npt.ArrayLike,
    reference_current_at_labels: npt.ArrayLike,
    *,
    time_step: float,
    volume: float,
    temperature: float,
    protocol: SpectralProtocol = IR1,
    bands: Mapping[str, tuple[float, float]] | None = None,
    confidence: float = 0.95,
    control_variate: bool = True,
    cluster_time: float = 0.0,
) -> DebiasedSpectrum:
    r"""Return the spectrum of a reference that is known at a few frames of a trajectory.

    Parameters
    ----------
    model_current : array, shape (frame, pol)
        In e angstrom/fs, of a model that was not fitted to these labels.
    label_frames : array of int, shape (label,)
        Frames with a label, chosen at random; runs of neighbouring frames are bursts.
    reference_current_at_labels : array, shape (label, pol)
        In e angstrom/fs.
    time_step, volume, temperature, protocol
        As `aptbench.spectra.absorption`.
    bands : mapping of name to (low, high), optional
        In cm^-1, for the spectrum of the residual; those of the protocol if not given.
    confidence : float
        Between 0 and 1.
    control_variate : bool
        Whether the known spectrum of the model is used to reduce the noise.
    cluster_time : float
        Labels that are not farther apart than this, in fs, form one cluster, as those of a burst
        do: needed where labels were not chosen at random but close to each other.

    Raises
    ------
    InputError
        As `absorption`; or if there are fewer than 3 clusters of labels, a label is repeated or
        not in the trajectory, or ``confidence`` is out of range.
    AlignmentError
        If labels and currents do not fit.

    Notes
    -----
    With m the current of the model and d the difference of the reference from it,

    .. math:: S_\mathrm{ref} = S_{mm} + 2\,\mathrm{Re} S_{md} + S_{dd}

    of which the first term is known, the second is a mean over labels, and the third is estimated
    as `ResidualShape` tells. The target is the spectrum that dense reference currents would give on
    the same trajectory. See docs/debiased.md.

    The jackknife is that of Efron and Stein, Ann. Stat. 9, 586 (1981), doi:10.1214/aos/1176345462;
    what the channels leave is shrunk as Morris, J. Am. Stat. Assoc. 78, 47 (1983),
    doi:10.1080/01621459.1983.10477920, does.

    Examples
    --------
    A model that is wrong by a constant factor is corrected exactly:

    >>> rng = np.random.default_rng(0)
    >>> model = rng.normal(size=(2000, 3))
    >>> frames = np.array([100, 700, 900, 1500])
    >>> options = {"time_step": 2.0, "volume": 1000.0, "temperature": 300.0}
    >>> model -= model.mean(0)
    >>> result = debiased_spectrum(model, frames, 1.2 * model[frames], **options)
    >>> truth = absorption(1.2 * model, **options)
    >>> bool(np.allclose(result.spectrum.absorption, truth.absorption))
    True
    """
    from scipy.special import ndtri

    model = absorption(
        model_current,
        time_step=time_step,
        volume=volume,
        temperature=temperature,
        protocol=protocol,
    )
    if not 0 < confidence < 1:
        raise InputError(
            "The 'confidence' is out of range.", got=confidence, expected="between 0 and 1"
        )
    gap = max(1, int(cluster_time / time_step * (1 + 1e-9)))
    sample = LabelSample.of(label_frames, reference_current_at_labels, model_current, gap)
    if sample.n_clusters < 3:
        raise InputError(
            "A confidence band needs more independent labels.",
            got=f"{len(sample.frames)} labels in {sample.n_clusters} clusters",
            expected="3 clusters or more; neighbouring frames are one cluster",
            do="label frames far from each other",
        )
    rates = np.asarray(model_current, float)
    rates = rates - rates.mean(0) if protocol.remove_mean else rates
    correction = quantum_factor(protocol.quantum_correction, protocol.wavenumber, temperature)
    shape = ResidualShape(
        model.absorption / correction,
        correlation(rates, rates, number_of_lags(time_step, protocol)),
        TO_PER_CM / (6 * volume * temperature),
        time_step,
        len(rates),
        protocol,
        bands if bands is not None else {n: (low, high) for n, low, high in protocol.bands},
    )
    estimate = LabelEstimate.of(shape, sample, rates, control_variate)
    bound = estimate.mean_square[0] + _half_width([estimate.mean_square[1:]], confidence)
    eta = estimate.current_error
    eta_half = float(_half_width([eta[1:]], confidence))
    total = correction * (shape.model + 2 * estimate.cross + estimate.residual)
    half = _half_width([total[1:], 2 * correction * estimate.shrunk[1:]], confidence)
    above = correction * estimate.deviation * float(ndtri((1 + confidence) / 2))
    lower, upper = (correction * part for part in estimate.hidden)
    incoherent = correction * (estimate.residual[0] - estimate.coherent)
    below = np.minimum(np.hypot(above, lower), incoherent)
    return DebiasedSpectrum(
        Spectrum(model.wavenumber, total[0], protocol, model.metadata),
        total[0] - np.hypot(half, below),
        total[0] + np.sqrt(half**2 + above**2 + upper**2),
        model,
        2 * correction * estimate.cross[0],
        correction * estimate.residual[0],
        correction * shape.upper_bound(float(bound)),
        len(sample.frames),
        sample.n_clusters,
        (float(eta[0]), max(0.0, float(eta[0]) - eta_half), float(eta[0]) + eta_half),
        confidence,
        estimate.method,
        correction * (shape.model + 2 * estimate.unshrunk + estimate.residual),
        (below, above),
        upper,
    )


def _half_width(parts: Sequence[Array], confidence: float) -> Array:
    """Half width from replicates, (cluster, ...), of parts whose variances add up."""
    from scipy.special import stdtrit

    quantile = stdtrit(len(parts[0]) - 1, (1 + confidence) / 2)
    error = np.sqrt(np.sum([standard_error(part) ** 2 for part in parts], 0))
    return np.asarray(quantile * error)
