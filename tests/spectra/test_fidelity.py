"""Metrics of spectra: closed forms, then what each metric claims, intervals, and bad input."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aptbench.board.generated import refresh_file
from aptbench.errors import AlignmentError, InputError, UnknownNameError
from aptbench.oracle import ChargedOscillators
from aptbench.spectra import IR1, Spectrum, absorption, current, relative_l1
from aptbench.spectra.band import Band
from aptbench.spectra.fidelity import (
    HALF_AGAINST_HALF,
    WHOLE,
    band_current_error,
    current_error,
    fidelity,
    interval_of,
    noise_floor,
)
from aptbench.spectra.peaks import highest_peak
from aptbench.spectra.spectral_metrics import (
    SPECTRAL_METRICS,
    SpectralMetric,
    get_spectral_metric,
)

GRID = IR1.wavenumber
BAND = (1300.0, 2100.0)
SIGMA = 40.0
FWHM = SIGMA * np.sqrt(8 * np.log(2))

ALL = pytest.mark.parametrize("metric", SPECTRAL_METRICS.values(), ids=SPECTRAL_METRICS.keys())


def claiming(claim: str) -> pytest.MarkDecorator:
    members = [metric for metric in SPECTRAL_METRICS.values() if getattr(metric, claim)]
    assert members
    return pytest.mark.parametrize("metric", members, ids=[metric.name for metric in members])


def gaussian(center: float, sigma: float = SIGMA, height: float = 1.0) -> np.ndarray:
    return height * np.exp(-((GRID - center) ** 2) / (2 * sigma**2))


def spectrum(absorption: np.ndarray) -> Spectrum:
    return Spectrum(GRID, absorption, IR1)


def value(name: str, model: np.ndarray, reference: np.ndarray, band=BAND) -> float:
    return SPECTRAL_METRICS[name](spectrum(model), spectrum(reference), band)


def water_like(seed: int = 0) -> np.ndarray:
    rough = np.random.default_rng(seed).uniform(0.9, 1.1, (4, 1))
    lines = [(190, 60), (620, 150), (1650, 40), (3400, 150)]
    return (rough * [gaussian(center, sigma) for center, sigma in lines]).sum(0)


# closed forms


@pytest.mark.parametrize("shift", [-97.3, -8.0, 0.5, 2.0, 31.7, 150.0])
def test_a_shifted_line(shift) -> None:
    model, line = gaussian(1700.0 + shift), gaussian(1700.0)
    assert value("wasserstein1", model, line) == pytest.approx(abs(shift), rel=1e-4)
    assert value("peak_shift", model, line) == pytest.approx(shift, abs=1e-3)
    assert value("peak_height_ratio", model, line) == pytest.approx(1.0, abs=1e-6)
    assert value("peak_width_error", model, line) == pytest.approx(0.0, abs=0.05)
    assert value("band_integral_error", model, line) == pytest.approx(0.0, abs=1e-6)
    assert value("cosine", model, line) == pytest.approx(np.exp(-((shift / SIGMA) ** 2) / 4))
    divergence = shift**2 / (SIGMA**2 + 10.0**2)
    # the floor cuts the tails of a line that is far away
    expected = pytest.approx(1 / (1 + divergence), rel=1e-4 if abs(shift) < 100 else 5e-3)
    assert value("information_similarity", model, line) == expected


@pytest.mark.parametrize("scale", [0.5, 0.93, 1.0, 2.0])
def test_a_scaled_spectrum(scale) -> None:
    line = water_like()
    for band in (None, (3000.0, 3800.0), (1501.0, 1789.3)):
        row = {name: value(name, scale * line, line, band) for name in SPECTRAL_METRICS}
        assert row["relative_l1"] == pytest.approx(abs(scale - 1), abs=1e-12)
        assert row["band_integral_error"] == pytest.approx(scale - 1, abs=1e-12)
        assert row["peak_height_ratio"] == pytest.approx(scale)
        assert row["wasserstein1"] == pytest.approx(0.0, abs=1e-9)
        for name in ("information_similarity", "pearson", "cosine"):
            assert row[name] == pytest.approx(1.0)


@pytest.mark.parametrize("sigma", [25.0, 33.0, 60.0])
def test_a_broadened_line(sigma) -> None:
    model, line = gaussian(1700.0, sigma) / sigma, gaussian(1700.0) / SIGMA
    expected = abs(sigma - SIGMA) * np.sqrt(2 / np.pi)
    assert value("wasserstein1", model, line) == pytest.approx(expected, rel=1e-3)
    expected = (sigma - SIGMA) * np.sqrt(8 * np.log(2))
    assert value("peak_width_error", model, line) == pytest.approx(expected, abs=0.1)
    assert value("peak_height_ratio", model, line) == pytest.approx(SIGMA / sigma)
    assert value("peak_shift", model, line) == pytest.approx(0.0, abs=1e-9)
    assert value("cosine", model, line) == pytest.approx(
        np.sqrt(2 * sigma * SIGMA / (sigma**2 + SIGMA**2))
    )


def test_pearson_is_the_cosine_about_the_means() -> None:
    model, line = gaussian(1740.0), gaussian(1700.0)
    width, area = BAND[1] - BAND[0], SIGMA * np.sqrt(2 * np.pi)
    own = SIGMA * np.sqrt(np.pi)
    mean = area**2 / width
    expected = (own * np.exp(-0.25) - mean) / (own - mean)
    assert value("pearson", model, line) == pytest.approx(expected)


def test_information_similarity_is_that_of_the_published_sums() -> None:
    """The sums over the grid of the published definition, written out."""
    model, line = water_like(1) + gaussian(2500.0, 60.0, 0.3), water_like(2)
    kernel = np.exp(-((GRID[:, None] - GRID) ** 2) / (2 * 10.0**2))
    rows = []
    for curve in (model, line):
        row = np.maximum(curve / curve.sum(), 1e-10) @ kernel
        rows.append(row / row.sum())
    p, q = rows
    expected = 1 / (1 + (p * np.log(p / q) + q * np.log(q / p)).sum())
    assert value("information_similarity", model, line, None) == pytest.approx(expected, rel=1e-3)


def test_nothing_in_common() -> None:
    model, line = gaussian(1900.0, 12.0), gaussian(1500.0, 12.0)
    assert value("relative_l1", model, line) == pytest.approx(2.0)
    assert value("cosine", model, line) == pytest.approx(0.0, abs=1e-9)
    assert value("pearson", model, line) < 0
    assert value("wasserstein1", model, line) == pytest.approx(400.0)


def test_negative_absorption_is_clipped_and_reported() -> None:
    line = gaussian(1700.0)
    noisy = line - 0.5 * gaussian(1400.0, 20.0)
    assert value("wasserstein1", noisy, line) == pytest.approx(0.0, abs=1e-3)
    share = 0.5 * 20.0 / (SIGMA + 0.5 * 20.0)
    assert value("clipped_fraction", noisy, line) == pytest.approx(share, rel=1e-2)
    assert value("clipped_fraction", line, noisy) == pytest.approx(share, rel=1e-2)
    assert value("band_integral_error", noisy, line) == pytest.approx(-0.25, rel=1e-3)


@pytest.mark.parametrize("sigma", [IR1.broadening / 2.3548, 20.0, SIGMA])
def test_the_vertex_is_better_than_the_grid(sigma) -> None:
    """The bound that the docstring of `highest_peak` states."""
    step, width = 2.0, sigma * np.sqrt(8 * np.log(2))
    for center in 1700.0 + np.linspace(0, step, 11):
        peak = highest_peak(GRID, gaussian(center, sigma))
        assert abs(peak.position - center) < 0.02 * step
        assert peak.height == pytest.approx(1.0, abs=2e-3)
        assert peak.width == pytest.approx(width, rel=5e-3)


# what every metric claims


@ALL
@pytest.mark.parametrize("band", [None, *[ends[1:] for ends in IR1.bands]])
def test_a_perfect_model_is_ideal(metric: SpectralMetric, band) -> None:
    line = spectrum(water_like())
    # a wide band that is cut at half of its height has no width
    if metric.name == "peak_width_error" and np.isnan(metric(line, line, band)):
        peak = highest_peak(Band(GRID, band).points, Band(GRID, band).cut(line.absorption))
        assert np.isfinite(peak.position) == np.isfinite(peak.height)
        assert np.isnan(peak.width)
    else:
        assert metric(line, line, band) == pytest.approx(metric.ideal, abs=1e-12)


@ALL
def test_a_wrong_model_is_not_ideal(metric: SpectralMetric) -> None:
    """Of another height, place and width, with a negative stretch: every number sees some of it."""
    model = 1.2 * gaussian(1720.0, 50.0) - 0.1 * gaussian(1450.0, 20.0)
    assert metric.distance(metric(spectrum(model), spectrum(gaussian(1700.0)), BAND)) > 1e-3


@ALL
@given(scale=st.floats(1e-3, 1e3))
@settings(max_examples=20, deadline=None)
def test_the_unit_of_absorption_does_not_matter(metric: SpectralMetric, scale) -> None:
    model, line = water_like(3) + 0.3 * gaussian(1600.0), water_like(4)
    before = metric(spectrum(model), spectrum(line), BAND)
    after = metric(spectrum(scale * model), spectrum(scale * line), BAND)
    assert after == pytest.approx(before, rel=1e-9, abs=1e-9)


@claiming("scale_free")
@given(scale=st.floats(1e-2, 1e2))
@settings(max_examples=20, deadline=None)
def test_intensity_does_not_matter_where_that_is_claimed(metric: SpectralMetric, scale) -> None:
    model, line = water_like(3) + 0.3 * gaussian(1600.0), water_like(4)
    before = metric(spectrum(model), spectrum(line), BAND)
    after = metric(spectrum(scale * model), spectrum(line), BAND)
    assert after == pytest.approx(before, rel=1e-9, abs=1e-9)


@ALL
def test_intensity_matters_where_nothing_is_claimed(metric: SpectralMetric) -> None:
    line = spectrum(gaussian(1700.0) - 0.1 * gaussian(1450.0, 20.0))
    moved = metric(replace(line, absorption=1.1 * line.absorption), line, BAND)
    ideal = metric(line, line, BAND)
    assert (moved == pytest.approx(ideal, abs=1e-9)) == metric.scale_free


@claiming("shift_monotone")
@given(first=st.floats(0, 300), second=st.floats(0, 300), sign=st.sampled_from([-1, 1]))
@settings(max_examples=40, deadline=None)
def test_a_larger_shift_is_worse_where_that_is_claimed(metric, first, second, sign) -> None:
    """Of a doublet, where overlap comes back when one line meets the other."""
    assume(abs(first - second) > 1e-3)
    ends = (1000.0, 2400.0)

    def doublet(shift: float) -> Spectrum:
        return spectrum(gaussian(1640 + shift, 15.0) + 1.2 * gaussian(1760 + shift, 15.0))

    near, far = sorted((first, second))
    distances = [
        metric.distance(metric(doublet(sign * shift), doublet(0), ends)) for shift in (near, far)
    ]
    # a vertex is as good as a hundredth of the grid step
    assert distances[0] < distances[1] + (0.04 if metric.name == "peak_shift" else 0)


@pytest.mark.parametrize("name", ["information_similarity", "pearson", "cosine", "relative_l1"])
def test_overlap_inverts_under_a_shift_of_a_doublet(name) -> None:
    """Why overlap scores are not ranked: a shift of 120 looks better than one of 60."""

    def doublet(shift: float) -> np.ndarray:
        # on a background of 1 %; without any, the divergence of the lone line hides the other
        return gaussian(1640 + shift, 15.0) + gaussian(1760 + shift, 15.0) + 0.01

    scores = [value(name, doublet(shift), doublet(0.0), (1000, 2400)) for shift in (60.0, 120.0)]
    middle, far = map(SPECTRAL_METRICS[name].distance, scores)
    assert far < 0.95 * middle
    moved = [value("wasserstein1", doublet(d), doublet(0.0), (1000, 2400)) for d in (60.0, 120.0)]
    assert moved[1] == pytest.approx(2 * moved[0], rel=0.01)


@claiming("order")
def test_the_order_of_a_small_deviation(metric: SpectralMetric) -> None:
    """Halving a small deviation halves the distance, or quarters it where the order is two."""
    bump = 0.02 * gaussian(1655.0, 20.0)
    line = gaussian(1700.0)
    whole, half = (
        metric.distance(value(metric.name, line + part * bump, line)) for part in (1.0, 0.5)
    )
    assert whole / half == pytest.approx(2.0**metric.order, rel=0.1)


@ALL
def test_replicates_are_the_spectra_one_by_one(metric: SpectralMetric) -> None:
    rng = np.random.default_rng(5)
    model, line = (
        np.array([water_like(seed + start) for seed in range(4)]) + rng.normal(0, 0.01, (4, 1))
        for start in (0, 10)
    )
    for band in (None, BAND, (1501.3, 1790.9)):
        together = metric.kernel(Band(GRID, band), model, line)
        alone = [
            metric(spectrum(ours), spectrum(theirs), band)
            for ours, theirs in zip(model, line, strict=True)
        ]
        np.testing.assert_allclose(together, alone, rtol=1e-10, atol=1e-9)


@given(low=st.floats(0, 3900), width=st.floats(30, 4000))
@settings(max_examples=50, deadline=None)
def test_l1_and_integral_are_those_of_the_spectrum(low, width) -> None:
    assume(low + width <= 4000)
    ends = (low, low + width)
    model, line = spectrum(water_like(1) + 0.01), spectrum(water_like(2) + 0.01)
    expected = relative_l1(model, line, ends)
    assert SPECTRAL_METRICS["relative_l1"](model, line, ends) == pytest.approx(expected)
    expected = model.integral(*ends) / line.integral(*ends) - 1
    assert SPECTRAL_METRICS["band_integral_error"](model, line, ends) == pytest.approx(expected)


def test_the_registry_is_complete_and_overlap_is_not_ranked() -> None:
    for name, metric in SPECTRAL_METRICS.items():
        assert name == metric.name
        assert metric.meaning
        assert metric.unit in ("1", "cm^-1")
    unranked = {name for name, metric in SPECTRAL_METRICS.items() if not metric.ranked}
    assert unranked == {"information_similarity", "pearson", "cosine", "clipped_fraction"}
    assert get_spectral_metric("cosine") is SPECTRAL_METRICS["cosine"]


def test_fidelity_has_every_metric_of_every_band() -> None:
    model, line = spectrum(water_like(1)), spectrum(water_like(2))
    table = fidelity(model, line)
    assert list(table) == [WHOLE, *(name for name, _, _ in IR1.bands)]
    assert all(list(row) == list(SPECTRAL_METRICS) for row in table.values())
    assert table["bend"]["wasserstein1"] == value(
        "wasserstein1", model.absorption, line.absorption, (1500.0, 1800.0)
    )


# peaks and shapes that are not there


def test_there_is_no_peak_where_the_curve_only_rises() -> None:
    line = gaussian(1700.0)
    for ends in ((1300.0, 1690.0), (1710.0, 2100.0)):
        for name in ("peak_shift", "peak_height_ratio", "peak_width_error"):
            assert np.isnan(value(name, line, line, ends)), name
    assert np.isnan(highest_peak(GRID, np.zeros_like(GRID)).position)
    assert np.isnan(highest_peak(GRID, gaussian(1700.0) - 2).height)


def test_there_is_no_width_where_the_half_maximum_is_outside() -> None:
    half = FWHM / 2
    cases = {half - 3: True, half + 3: False}
    for reach, missing in cases.items():
        for ends in ((1700 - reach, 2100.0), (1300.0, 1700 + reach)):
            band = Band(GRID, ends)
            peak = highest_peak(band.points, band.cut(gaussian(1700.0)))
            assert peak.position == pytest.approx(1700.0, abs=1e-6)
            assert np.isnan(peak.width) == missing


def test_a_model_without_intensity_has_no_shape() -> None:
    line, zero = gaussian(1700.0), np.zeros_like(GRID)
    row = {name: value(name, zero, line) for name in SPECTRAL_METRICS}
    assert row["relative_l1"] == 1.0
    assert row["band_integral_error"] == -1.0
    assert row["clipped_fraction"] == 0.0
    shapes = set(row) - {"relative_l1", "band_integral_error", "clipped_fraction"}
    assert {name for name, number in row.items() if np.isnan(number)} == shapes
    assert np.isnan(value("pearson", zero + 3.0, line))


# the current


@pytest.mark.parametrize("factor", [0.0, 0.8, 1.3])
def test_a_scaled_charge_has_its_error_in_every_band(factor) -> None:
    charges = np.array([0.5, 1.3])
    oscillators = ChargedOscillators(tuple(charges), (1.0, 12.0), (3400.0, 1650.0))
    frames = oscillators.trajectory(np.arange(4000) * 2.0, 300.0, side=9.0)
    exact = current(oscillators.predict(frames), frames.velocities)
    constants = {"time_step": 2.0, "volume": 729.0, "temperature": 300.0}
    reference, difference = (absorption(part * exact, **constants) for part in (1.0, factor - 1.0))
    assert current_error(factor * exact, exact) == pytest.approx(abs(factor - 1))
    for band in (None, (1500.0, 1800.0), (3000.0, 3800.0)):
        found = band_current_error(difference, reference, band)
        assert found == pytest.approx(abs(factor - 1))


def test_the_error_of_the_current_bounds_that_of_the_spectrum() -> None:
    """And sparse frames, dense frames and the integral of the spectrum agree on it."""
    rng = np.random.default_rng(1)
    constants = {"time_step": 2.0, "volume": 1000.0, "temperature": 300.0}
    exact, noise = (_coloured(rng, 20000, center) for center in (1650.0, 1700.0))
    for size in (0.1, 0.5):
        error = size * noise * exact.std() / noise.std()
        model = exact + error
        reference, ours, difference = (
            absorption(series, **constants) for series in (exact, model, error)
        )
        eta = current_error(model, exact)
        assert eta == pytest.approx(size, rel=0.02)
        assert current_error(model[::100], exact[::100]) == pytest.approx(eta, rel=0.15)
        assert band_current_error(difference, reference) == pytest.approx(eta, rel=0.02)
        for band in (None, (1500.0, 1800.0)):
            eta = band_current_error(difference, reference, band)
            assert relative_l1(ours, reference, band) < (2 * eta + eta**2) * 1.02


def test_a_difference_below_the_noise_has_no_error() -> None:
    line = spectrum(gaussian(1700.0))
    assert np.isnan(band_current_error(spectrum(-0.01 * gaussian(1700.0)), line, BAND))


def _coloured(rng: np.random.Generator, frames: int, center: float, width: float = 60.0):
    """Return a Gaussian process with a Gaussian line, shape (frame, pol)."""
    frequency = np.fft.rfftfreq(frames, 2.0) / 2.99792458e-5
    line = np.exp(-((frequency - center) ** 2) / (4 * width**2))
    white = np.fft.rfft(rng.normal(size=(frames, 3)), axis=0)
    return 1e-3 * np.fft.irfft(white * line[:, None], frames, axis=0)


# noise and intervals


def test_halves_differ_twice_as_much_as_the_whole_from_the_truth() -> None:
    """And four times for scores that are quadratic in the deviation."""
    rng = np.random.default_rng(2)
    protocol = replace(IR1, grid=(1000.0, 2400.0, 10.0))
    constants = {"time_step": 2.0, "volume": 1000.0, "temperature": 300.0, "protocol": protocol}
    runs = [_coloured(rng, 8000, 1700.0, 80.0) for _ in range(40)]
    whole = [absorption(run, **constants) for run in runs]
    truth = replace(whole[0], absorption=np.mean([one.absorption for one in whole], 0))
    halves = [[absorption(run[part], **constants) for run in runs] for part in _two(8000)]
    for name, metric in SPECTRAL_METRICS.items():
        if metric.order is None:
            continue
        converged = np.mean([metric.distance(metric(one, truth, BAND)) for one in whole])
        between = np.mean(
            [metric.distance(metric(*pair, BAND)) for pair in zip(*halves, strict=True)]
        )
        expected = HALF_AGAINST_HALF**metric.order
        assert between / converged == pytest.approx(expected, rel=0.12), name


def _two(frames: int) -> tuple[slice, slice]:
    return slice(0, frames // 2), slice(frames // 2, frames)


def test_the_noise_floor_is_that_of_the_halves_or_of_the_whole() -> None:
    first, second = spectrum(water_like(1)), spectrum(water_like(2))
    floor, whole = noise_floor(first, second), noise_floor(first, second, of_whole=True)
    expected = fidelity(first, second)
    assert floor.keys() == whole.keys() == expected.keys()
    for place, row in expected.items():
        np.testing.assert_array_equal(list(floor[place].values()), list(row.values()))
    assert whole["bend"]["relative_l1"] == pytest.approx(floor["bend"]["relative_l1"] / 2)
    assert 1 - whole["bend"]["cosine"] == pytest.approx((1 - floor["bend"]["cosine"]) / 4)
    missing = {name for name, number in whole["bend"].items() if np.isnan(number)}
    assert missing == {name for name, metric in SPECTRAL_METRICS.items() if metric.order is None}


def test_the_interval_of_known_replicates() -> None:
    line = water_like()
    factors = np.linspace(0.9, 1.3, 401)
    shared = np.random.default_rng(0).uniform(0.5, 2.0, (401, 1))
    reference = shared * line
    model = factors[:, None] * reference
    arguments = (spectrum(1.1 * line), spectrum(line), model, reference)
    found = interval_of("band_integral_error", *arguments, BAND)
    assert found == pytest.approx((0.1, -0.09, 0.29))
    found = interval_of(SPECTRAL_METRICS["band_integral_error"], *arguments, BAND, confidence=0.5)
    assert found == pytest.approx((0.1, 0.0, 0.2))
    _, low, high = interval_of("band_integral_error", *arguments, BAND, n_blocks=6)
    assert low < -0.09
    assert high > 0.29
    assert np.isnan(interval_of("band_integral_error", *arguments, BAND, n_blocks=1)[1:]).all()


def test_noise_that_the_pair_shares_cancels() -> None:
    rng = np.random.default_rng(3)
    line = water_like()
    shared, own = (1 + 0.2 * rng.normal(size=(200, 1)) for _ in range(2))
    model, reference = spectrum(1.1 * line), spectrum(line)
    paired = interval_of("relative_l1", model, reference, 1.1 * shared * line, shared * line, BAND)
    apart = interval_of("relative_l1", model, reference, 1.1 * shared * line, own * line, BAND)
    assert paired[2] - paired[1] < 1e-9
    assert apart[2] - apart[1] > 0.1


def test_an_interval_does_not_hide_missing_numbers() -> None:
    line = gaussian(1700.0)
    away = gaussian(2300.0)
    replicates = np.array([line] * 97 + [away] * 3)
    arguments = (spectrum(line), spectrum(line), replicates)
    found = interval_of("peak_shift", *arguments, np.array([line] * 100), BAND)
    assert found == pytest.approx((0.0, 0.0, 0.0))
    replicates[80:] = away
    found = interval_of("peak_shift", *arguments, np.array([line] * 100), BAND)
    assert found[0] == 0
    assert np.isnan(found[1:]).all()


# bad input


@ALL
def test_what_cannot_be_compared_is_refused(metric: SpectralMetric) -> None:
    line = spectrum(gaussian(1700.0))
    other = replace(line, protocol=replace(IR1, name="ir@x"))
    with pytest.raises(AlignmentError, match="same protocol"):
        metric(other, line)
    with pytest.raises(AlignmentError, match="same grid"):
        metric(Spectrum(GRID + 1, line.absorption, IR1), line)
    for ends in ((1000.0, 4001.0), (-1.0, 100.0), (1800.0, 1500.0), (np.nan, 1800.0)):
        with pytest.raises(InputError, match="does not lie on the grid"):
            metric(line, line, ends)
    with pytest.raises(InputError, match="narrower than the broadening"):
        metric(line, line, (1690.0, 1719.0))
    assert metric(line, line, (1685.0, 1715.0)) is not None
    for reference in (0 * line.absorption, -line.absorption):
        with pytest.raises(InputError, match="no intensity in the band"):
            metric(line, spectrum(reference), BAND)
    broken = line.absorption.copy()
    broken[3] = np.nan
    with pytest.raises(InputError, match="not finite"):
        metric(spectrum(broken), line)


def test_bad_arguments_are_refused() -> None:
    line = spectrum(gaussian(1700.0))
    with pytest.raises(UnknownNameError, match="did you mean 'pearson'"):
        fidelity(line, line, metrics=["pearsen"])
    with pytest.raises(AlignmentError, match="same blocks"):
        interval_of("cosine", line, line, np.ones((3, 2001)), np.ones((4, 2001)))
    with pytest.raises(AlignmentError, match="same blocks"):
        interval_of("cosine", line, line, np.ones((3, 2000)), np.ones((3, 2000)))
    with pytest.raises(InputError, match="not finite"):
        interval_of("cosine", line, line, np.full((3, 2001), np.nan), np.ones((3, 2001)))
    with pytest.raises(InputError, match="confidence"):
        interval_of("cosine", line, line, np.ones((3, 2001)), np.ones((3, 2001)), confidence=95)
    with pytest.raises(AlignmentError, match="same frames"):
        current_error(np.ones((3, 3)), np.ones((2, 3)))
    with pytest.raises(AlignmentError, match="same frames"):
        current_error(np.ones(3), np.ones(3))
    with pytest.raises(InputError, match="is zero"):
        current_error(np.ones((2, 3)), np.zeros((2, 3)))
    with pytest.raises(InputError, match="is zero"):
        current_error(np.ones((0, 3)), np.ones((0, 3)))
    with pytest.raises(InputError, match="not finite"):
        current_error(np.full((2, 3), np.nan), np.ones((2, 3)))
    with pytest.raises(InputError, match="three points"):
        highest_peak(np.arange(2.0), np.ones(2))
    uneven = Spectrum(np.array([0.0, 100.0, 300.0]), np.ones(3), IR1)
    with pytest.raises(InputError, match="evenly spaced"):
        SPECTRAL_METRICS["information_similarity"](uneven, uneven)


# the document


def test_the_document_has_the_measured_numbers() -> None:
    benchmark = _benchmark()
    results = json.loads(benchmark.RESULTS.read_text(encoding="utf-8"))
    blocks = benchmark.document_blocks(results)
    assert not refresh_file(benchmark.DOCUMENT, blocks, check=True), "run: benchmarks/fidelity.py"
    text = benchmark.DOCUMENT.read_text(encoding="utf-8")
    for name, metric in SPECTRAL_METRICS.items():
        assert re.search(rf"\*\*`{name}`\*\*|`{name}` reports", text), name
        assert metric.distance(results["doublet"]["metrics"][name][0]) < 1e-5
    for name, values in benchmark.doublet_response()["metrics"].items():
        measured = results["doublet"]["metrics"][name]
        np.testing.assert_allclose(measured, values, rtol=1e-3, atol=1e-6, err_msg=name)


def test_overlap_calls_fixed_charges_nearly_perfect_where_they_are_not() -> None:
    """The lesson of the document, from its numbers."""
    results = json.loads(_benchmark().RESULTS.read_text(encoding="utf-8"))
    for model in results["models"].values():
        bend = {name: number["value"] for name, number in model["bands"]["bend"].items()}
        assert bend["band_integral_error"] > 1
        for name in ("information_similarity", "pearson", "cosine"):
            assert bend[name] > 0.95
        for row in model["bands"].values():
            eta = row["band_current_error"]["value"]
            assert row["relative_l1"]["value"] < 2 * eta + eta**2


def _benchmark() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "fidelity.py"
    specification = importlib.util.spec_from_file_location("fidelity_benchmark", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
