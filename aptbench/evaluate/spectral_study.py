"""`SpectralStudy`: spectra of models on one trajectory, against what reference there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate.reference_currents import ReferenceCurrents
from aptbench.evaluate.trajectory import DenseTrajectory
from aptbench.spectra import Spectrum
from aptbench.spectra.band import Band
from aptbench.spectra.debiased import DebiasedSpectrum, debiased_spectrum
from aptbench.spectra.dipole import dipole_absorption
from aptbench.spectra.fidelity import WHOLE, interval_of, noise_floor
from aptbench.spectra.sampled import SampledSpectra, sampled_spectra
from aptbench.spectra.spectral_metrics import SPECTRAL_METRICS

if TYPE_CHECKING:
    import xarray as xr

Array = npt.NDArray[np.float64]
Ends = tuple[float, float]

REFERENCE: Final = "reference"
"""Name of the reference among the spectra, where every frame is labelled."""
NOISE_FLOOR: Final = "half against half"
"""Name of the row that compares the reference of one half of the trajectory with the other's."""
_ERROR: Final = "error of "
MINIMUM_LABELS: Final = 3


@dataclass(frozen=True)
class SpectralScore:
    """One number of one model with its interval.

    Parameters
    ----------
    model, band, metric, unit : str
        The band `aptbench.spectra.fidelity.WHOLE` is the whole grid.
    value, low, high : float
    """

    model: str
    band: str
    metric: str
    unit: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class SpectralStudy:
    """Spectra of models on one trajectory, and how far they are from the reference.

    Parameters
    ----------
    trajectory : DenseTrajectory
    models : tuple of str
    spectra : SampledSpectra
        Of the models; of `REFERENCE` and of the errors of the models too, where every frame is
        labelled.
    reference : ReferenceCurrents or None
    scores : tuple of SpectralScore
    debiased : mapping of model to DebiasedSpectrum
        The spectrum of the reference as estimated from its labels and each model; empty where
        every frame is labelled, or fewer than three that are no neighbours.
    from_dipole : Spectrum or None
        Of the reference, from its dipoles.
    anchor : str or None
        Name in ``debiased`` of the current that makes the reference, whatever the models are.
    """

    trajectory: DenseTrajectory
    models: tuple[str, ...]
    spectra: SampledSpectra
    reference: ReferenceCurrents | None
    scores: tuple[SpectralScore, ...]
    debiased: Mapping[str, DebiasedSpectrum] = field(default_factory=dict)
    from_dipole: Spectrum | None = None
    anchor: str | None = None

    @property
    def dense(self) -> bool:
        """Whether there is a reference spectrum from labels of every frame."""
        return self.reference is not None and self.reference.dense

    @property
    def best_debiased(self) -> str | None:
        """The model whose debiased spectrum is the reference: the anchor, or the least in error."""
        if not self.debiased:
            return None
        if self.anchor is not None:
            return self.anchor
        return min(self.debiased, key=lambda name: self.debiased[name].current_error[0])

    def reference_spectrum(self) -> tuple[Spectrum, Array, Array] | None:
        """Return the spectrum of the reference with the ends of its band, shape (wavenumber,).

        Where every frame is labelled the band is that of the dynamics (block bootstrap), else that
        of the sparse labels on the same trajectory.
        """
        if self.dense:
            return self.spectra.spectrum(REFERENCE), *self.spectra.interval(REFERENCE)
        if self.best_debiased is None:
            return None
        best = self.debiased[self.best_debiased]
        return best.spectrum, best.low, best.high

    def to_dataset(self) -> xr.Dataset:
        """Return all spectra with their bands, labelled, units and choices in the attributes."""
        import xarray as xr

        names = [*self.models, *([REFERENCE] if self.dense else [])]
        intervals = np.array([self.spectra.interval(name) for name in names])
        wavenumber = self.spectra.wavenumber
        per_cm = {"units": "cm-1"}
        variables: dict[str, Any] = {
            "absorption": (
                ("spectrum", "wavenumber"),
                np.array([self.spectra.spectrum(name).absorption for name in names]),
                per_cm | {"long_name": "absorption n(w) alpha(w), Napierian"},
            ),
            "absorption_interval": (
                ("spectrum", "end", "wavenumber"),
                intervals,
                per_cm | {"long_name": "95 % interval of the dynamics, block bootstrap"},
            ),
        }
        if self.from_dipole is not None:
            variables["absorption_from_dipole"] = (
                ("wavenumber",),
                self.from_dipole.absorption,
                per_cm | {"long_name": "absorption of the reference from its dipoles"},
            )
        if self.debiased:
            rows = list(self.debiased.values())
            for name, long_name, values in (
                (
                    "debiased",
                    "reference spectrum from its labels and the model",
                    [row.spectrum.absorption for row in rows],
                ),
                ("debiased_low", "lower end of its 95 % band", [row.low for row in rows]),
                ("debiased_high", "upper end of its 95 % band", [row.high for row in rows]),
                (
                    "debiased_residual_bound",
                    "largest possible spectrum of the residual current",
                    [row.residual_bound for row in rows],
                ),
            ):
                attrs = per_cm | {"long_name": long_name}
                variables[name] = (("model", "wavenumber"), np.array(values), attrs)
        coordinates: dict[str, Any] = {
            "wavenumber": ("wavenumber", wavenumber, per_cm),
            "spectrum": np.array(names, object),
            "end": np.array(["low", "high"], object),
        }
        if self.debiased:
            coordinates["model"] = np.array(list(self.debiased), object)
        return xr.Dataset(variables, coordinates, self.attributes())

    def attributes(self) -> dict[str, Any]:
        """Return protocol, constants and reference as plain values."""
        trajectory, reference = self.trajectory, self.reference
        return {
            **self.spectra.metadata,
            "protocol": trajectory.protocol.name,
            "quantum_correction": trajectory.protocol.quantum_correction,
            "isolated": int(trajectory.isolated),
            "n_blocks": self.spectra.n_blocks,
            "block_fs": self.spectra.block,
            "reference": reference.theory if reference else "none",
            "n_labels": len(reference.label_frames) if reference else 0,
            "labels_left_out": reference.left_out if reference else 0,
        }


def spectral_study(
    trajectory: DenseTrajectory,
    currents: Mapping[str, npt.ArrayLike],
    reference: ReferenceCurrents | None = None,
    *,
    block: float | None = None,
    dipole: npt.ArrayLike | None = None,
    anchor: tuple[str, npt.ArrayLike] | None = None,
) -> SpectralStudy:
    """Compare the spectra of models with the reference.

    Parameters
    ----------
    trajectory : DenseTrajectory
    currents : mapping of model to array (frame, pol)
        In e angstrom/fs, in every frame.
    reference : ReferenceCurrents, optional
    block : float, optional
        Length of the time blocks of the bootstrap in fs.
    dipole : array, shape (frame, pol), optional
        Dipoles of the reference in every frame, in e angstrom: for the spectrum by that route.
    anchor : tuple of str and array, shape (frame, pol), optional
        Name and current that make the reference spectrum from sparse labels, in e angstrom/fs; not
        given, it is the model with the least error of the current.

    Returns
    -------
    SpectralStudy

    Raises
    ------
    InputError
        If there is neither a model nor a dense reference, or a model has a reserved name.
    AlignmentError
        If currents are not of all frames.
    """
    dense = reference is not None and reference.dense
    if not currents and not dense:
        raise InputError(
            "There is nothing to make a spectrum of.",
            got="no model, and labels of some frames only" if reference else "no model, no labels",
            do="name a model with --model",
        )
    if REFERENCE in currents:
        raise InputError(f"A model cannot have the name {REFERENCE!r}.", do="rename it")
    series = {name: np.asarray(values, float) for name, values in currents.items()}
    models = tuple(series)
    corrected = dict(series)
    if anchor is not None and not dense:
        if anchor[0] in series:
            raise InputError(f"A model cannot have the name {anchor[0]!r}.", do="rename it")
        corrected[anchor[0]] = np.asarray(anchor[1], float)
    n_frames = len(trajectory.frames)
    for name, values in corrected.items():
        if values.shape != (n_frames, 3):
            raise AlignmentError(
                f"The current of {name!r} is not of all frames.",
                got=values.shape,
                expected=(n_frames, 3),
            )
    if reference is not None and reference.n_frames != n_frames:
        raise AlignmentError(
            "The reference is not of this trajectory.",
            got=f"{reference.n_frames} frames",
            expected=n_frames,
        )
    if dense:
        assert reference is not None
        for name in models:
            series[_ERROR + name] = series[name] - reference.values
        series[REFERENCE] = reference.values
    spectra = sampled_spectra(series, block=block, **trajectory.constants)
    debiased = {}
    if reference is not None and not dense and reference.n_clusters >= MINIMUM_LABELS:
        debiased = {
            name: debiased_spectrum(
                values,
                reference.label_frames,
                reference.values,
                bands=trajectory.bands or None,
                **trajectory.constants,
            )
            for name, values in corrected.items()
        }
    by_dipole = None
    if dipole is not None:
        cell = trajectory.first.cell
        by_dipole = dipole_absorption(
            dipole, cell=None if cell is None else cell[0], **trajectory.constants
        )
    made_with = anchor[0] if anchor is not None and debiased else None
    study = SpectralStudy(
        trajectory, models, spectra, reference, (), debiased, by_dipole, made_with
    )
    scores = _dense_scores(study) if dense else _sparse_scores(study)
    return replace(study, scores=tuple(scores))


def _dense_scores(study: SpectralStudy) -> list[SpectralScore]:
    spectra, rows = study.spectra, []
    reference, truth = spectra.spectrum(REFERENCE), spectra.samples(REFERENCE)
    for model in study.models:
        spectrum, samples = spectra.spectrum(model), spectra.samples(model)
        error, errors = spectra.spectrum(_ERROR + model), spectra.samples(_ERROR + model)
        for place, band in study.trajectory.places.items():
            part = Band(spectra.wavenumber, band)
            power = part.integral(np.vstack([error.absorption, errors]))
            eta = np.sqrt(
                np.maximum(power, 0) / part.integral(np.vstack([reference.absorption, truth]))
            )
            rows.append(
                SpectralScore(
                    model,
                    place,
                    "current_error",
                    "1",
                    float(eta[0]),
                    *spectra.interval_of(eta[1:]),
                )
            )
            for name, metric in SPECTRAL_METRICS.items():
                values = interval_of(
                    metric, spectrum, reference, samples, truth, band, n_blocks=spectra.n_blocks
                )
                rows.append(SpectralScore(model, place, name, metric.unit, *values))
    floor: dict[str, dict[str, float]] = {}
    if spectra.n_blocks > 1:  # a single block has no halves
        floor = noise_floor(
            spectra.half(REFERENCE, 0), spectra.half(REFERENCE, 1), dict(study.trajectory.bands)
        )
    for place, numbers in floor.items():
        for name, value in numbers.items():
            rows.append(
                SpectralScore(
                    NOISE_FLOOR,
                    place,
                    name,
                    SPECTRAL_METRICS[name].unit,
                    value,
                    float("nan"),
                    float("nan"),
                )
            )
    return rows


def _sparse_scores(study: SpectralStudy) -> list[SpectralScore]:
    """Errors of the current, and of band integrals against the best debiased spectrum."""
    rows, reference = [], study.reference
    if reference is None or not study.debiased:
        return []
    for model in study.models:
        result = study.debiased[model]
        rows.append(SpectralScore(model, WHOLE, "current_error", "1", *result.current_error))
    assert study.best_debiased is not None
    best = study.debiased[study.best_debiased]
    for model in study.models:
        spectrum = study.spectra.spectrum(model)
        for place, band in study.trajectory.places.items():
            low, high = band or (float(spectrum.wavenumber[0]), float(spectrum.wavenumber[-1]))
            ours, (theirs, least, most) = (
                spectrum.integral(low, high),
                best.band_integral(low, high),
            )
            ratios = [ours / theirs - 1, ours / most - 1]
            ratios.append(ours / least - 1 if least > 0 else float("inf"))
            rows.append(SpectralScore(model, place, "band_integral_error", "1", *ratios))
    return rows
