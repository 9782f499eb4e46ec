"""Debiased spectra: exact limits first, then what bands of confidence promise, then refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aptbench.errors import AlignmentError, InputError
from aptbench.spectra import IR1, absorption, correlation
from aptbench.spectra.absorption import TO_PER_CM
from aptbench.spectra.debiased import debiased_spectrum
from aptbench.spectra.label_sample import LabelSample, channels, local_response
from aptbench.spectra.protocol import ANGULAR
from aptbench.spectra.residual import ResidualShape

COARSE = replace(IR1, name="coarse", grid=(0.0, 4000.0, 20.0))
OPTIONS = {"time_step": 2.0, "volume": 900.0, "temperature": 320.0, "protocol": COARSE}
BANDS = {"low": (100.0, 1000.0), "bend": (1500.0, 1800.0), "stretch": (3000.0, 3800.0)}
LINES = ((200.0, 90.0, 1.0), (700.0, 200.0, 1.2), (1650.0, 60.0, 0.8), (3400.0, 200.0, 2.0))


def lines(seed: int, weights, n_frames: int = 4000) -> np.ndarray:
    """Random damped oscillators at the lines, in e angstrom/fs, (frame, pol)."""
    from scipy.signal import lfilter

    rng, total = np.random.default_rng(seed), np.zeros((n_frames, 3))
    for (wavenumber, width, amplitude), weight in zip(LINES, weights, strict=True):
        decay = np.exp(-width * ANGULAR)
        turn = -2 * decay * np.cos(2 * wavenumber * ANGULAR)
        noise = rng.normal(size=(n_frames + 1000, 3))
        series = lfilter([1.0], [1.0, turn, decay**2], noise, axis=0)[1000:]
        total += 0.01 * weight * amplitude * series / series.std()
    return total


def model_and_residual() -> tuple[np.ndarray, np.ndarray]:
    """A model, and a residual that is partly coherent with it, by line."""
    model = lines(1, (1, 1, 1, 1))
    coherent = (0.15, -0.1, 0.2, -0.12)
    again = [lines(1, [float(k == n) for k in range(4)]) for n in range(4)]
    # each line draws from one generator, so that a weight of zero does not move the others
    residual = sum(c * part for c, part in zip(coherent, again, strict=True))
    return model, residual + lines(2, (0.08, 0.05, 0.05, 0.1))


MODEL, RESIDUAL = model_and_residual()
TRUTH = absorption(MODEL + RESIDUAL, **OPTIONS)


def random_frames(n_labels: int, seed: int = 0, n_frames: int = len(MODEL)) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).permutation(n_frames)[:n_labels])


def bursts(n_bursts: int, length: int, seed: int = 0) -> np.ndarray:
    starts = 20 * random_frames(n_bursts, seed, len(MODEL) // 20)
    return (starts[:, None] + np.arange(length)).ravel()


@pytest.mark.parametrize("remove_mean", [True, False])
@pytest.mark.parametrize("time_step", [2.0, 1.3])
def test_all_frames_as_labels_are_the_dense_spectrum(remove_mean, time_step) -> None:
    """S_mm + 2 S_md + S_dd to rounding: edges, lag weights and the unknown mean of d."""
    protocol = replace(COARSE, remove_mean=remove_mean)
    rng = np.random.default_rng(5)
    m, d = rng.normal(size=(2, 2500, 3)) + np.array([[[0.3]], [[-0.7]]])
    options = OPTIONS | {"protocol": protocol, "time_step": time_step}
    response = local_response(m, np.arange(len(m)), time_step=time_step, protocol=protocol)
    factor = TO_PER_CM / (6 * options["volume"] * options["temperature"])
    cross = factor * np.einsum("lp,lpw->w", d, response) / len(m)
    parts = absorption(m, **options).absorption + absorption(d, **options).absorption
    exact = absorption(m + d, **options).absorption
    assert np.allclose(parts + 2 * cross, exact, rtol=0, atol=1e-12 * exact.max())
    assert np.abs(cross).max() > 1e-3 * exact.max()


def test_disjoint_sets_of_labels_average_to_the_dense_cross_spectrum() -> None:
    """The plain estimate has no bias at all: every frame counts alike."""
    rng = np.random.default_rng(5)
    m, d = rng.normal(size=(2, 1700, 3)) + np.array([[[0.3]], [[-0.7]]])
    sets = rng.permutation(len(m)).reshape(17, 100)
    cross = [
        debiased_spectrum(m, frames, (m + d)[frames], control_variate=False, **OPTIONS).cross
        for frames in sets
    ]
    spectra = [absorption(x, **OPTIONS).absorption for x in (m + d, m, d)]
    exact = spectra[0] - spectra[1] - spectra[2]
    assert np.allclose(np.mean(cross, 0), exact, rtol=0, atol=1e-10 * spectra[1].max())


@pytest.mark.parametrize("factor", [0.0, 0.2, -0.5])
@pytest.mark.parametrize("frames", [random_frames(4), random_frames(30), bursts(6, 4)])
def test_a_model_wrong_by_a_factor_is_corrected_exactly(factor, frames) -> None:
    m = MODEL - MODEL.mean(0)
    result = debiased_spectrum(m, frames, (1 + factor) * m[frames], **OPTIONS)
    exact = absorption((1 + factor) * m, **OPTIONS).absorption
    scale = 1e-7 * exact.max()
    assert np.allclose(result.spectrum.absorption, exact, rtol=0, atol=scale)
    assert np.abs(result.high - result.low).max() < 10 * scale
    assert result.current_error == pytest.approx([abs(factor) / (1 + factor)] * 3, abs=1e-6)
    value, low, high = result.band_integral(3000.0, 3800.0)
    assert high - low < 1e-6 * value


def test_parts_add_up_and_order_does_not_matter() -> None:
    frames = random_frames(20)
    reference = (MODEL + RESIDUAL)[frames]
    result = debiased_spectrum(MODEL, frames, reference, **OPTIONS)
    total = result.model.absorption + result.cross + result.residual
    assert np.allclose(total, result.spectrum.absorption)
    assert np.array_equal(result.model.absorption, absorption(MODEL, **OPTIONS).absorption)
    shuffled = np.random.default_rng(1).permutation(20)
    again = debiased_spectrum(MODEL, frames[shuffled], reference[shuffled], **OPTIONS)
    assert np.array_equal(again.low, result.low)


def test_rotation_and_scale() -> None:
    frames, turn = random_frames(20), np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    reference = MODEL + RESIDUAL
    one = debiased_spectrum(MODEL, frames, reference[frames], **OPTIONS)
    turned = debiased_spectrum(MODEL @ turn, frames, reference[frames] @ turn, **OPTIONS)
    double = debiased_spectrum(2 * MODEL, frames, 2 * reference[frames], **OPTIONS)
    scale = one.high.max()
    for name in ("low", "high", "residual", "residual_bound"):
        expected = getattr(one, name)
        assert np.allclose(getattr(turned, name), expected, rtol=0, atol=1e-8 * scale), name
        assert np.allclose(getattr(double, name), 4 * expected, rtol=0, atol=1e-8 * scale), name


def test_the_quantum_factor_multiplies_all() -> None:
    frames = random_frames(20)
    reference = (MODEL + RESIDUAL)[frames]
    one = debiased_spectrum(MODEL, frames, reference, **OPTIONS)
    protocol = replace(COARSE, quantum_correction="standard")
    two = debiased_spectrum(MODEL, frames, reference, **OPTIONS | {"protocol": protocol})
    factor = two.model.absorption / one.model.absorption
    assert factor[-1] < 0.2
    for name in ("low", "high", "cross", "residual", "residual_bound"):
        assert np.allclose(getattr(two, name), factor * getattr(one, name)), name


def test_channels_add_up_and_do_not_overlap() -> None:
    parts = channels(MODEL, np.array([0.0, 1000.0, 2500.0, 4000.0]), 2.0)
    assert np.allclose(parts.sum(-1), MODEL)
    gram = np.einsum("tpa,tpb->ab", parts, parts)
    assert np.abs(gram - np.diag(np.diag(gram))).max() < 1e-9 * gram.max()


def shape_of(model: np.ndarray) -> ResidualShape:
    return ResidualShape(
        absorption(model, **OPTIONS).absorption,
        correlation(model, model, 801),
        TO_PER_CM / (6 * OPTIONS["volume"] * OPTIONS["temperature"]),
        2.0,
        len(model),
        COARSE,
        BANDS,
    )


def test_no_residual_spectrum_exceeds_the_bound_and_a_line_comes_near() -> None:
    shape = shape_of(MODEL)
    times = 2.0 * np.arange(len(MODEL))
    for wavenumber in (0.0, 300.0, 1660.0, 3980.0):
        line = np.cos(wavenumber * ANGULAR * times)[:, None] * np.array([0.3, -0.4, 1.0])
        options = OPTIONS | {"protocol": replace(COARSE, remove_mean=False)}
        peak = absorption(line, **options).absorption.max()
        bound = shape.upper_bound(float(np.mean(np.sum(line**2, 1))))
        assert (0.9 if wavenumber == 0 else 0.4) * bound < peak <= bound
    noise = absorption(RESIDUAL, **OPTIONS).absorption.max()
    assert noise < shape.upper_bound(float(np.mean(np.sum(RESIDUAL**2, 1))))


def test_bursts_find_the_band_of_the_residual() -> None:
    """Isolated labels spread it like the model spectrum; neighbours see that it is fast."""
    fast = lines(7, (0, 0, 0, 0.3))
    exact = absorption(fast, **OPTIONS)
    reference = MODEL + fast
    total = exact.integral()
    stretch = {}
    for name, frames in (("isolated", random_frames(72, 3)), ("bursts", bursts(12, 6, 3))):
        result = debiased_spectrum(MODEL, frames, reference[frames], bands=BANDS, **OPTIONS)
        residual = replace(exact, absorption=result.residual)
        stretch[name] = residual.integral(2400.0, 4000.0) / residual.integral()
    assert exact.integral(2400.0, 4000.0) / total > 0.9
    assert stretch["bursts"] > 0.9 > 0.75 > stretch["isolated"]
    assert "10 fs" in result.method


def test_the_residual_has_the_area_of_the_sum_rule() -> None:
    shape = shape_of(MODEL)
    square = np.array([1.7e-4])
    coherent = shape.possible(0.01 * shape.model[None], 0 * shape.model[None], square)
    values, deviation, *_ = shape.spread(
        coherent, square, np.zeros((1, 0)), np.zeros(0), np.zeros(0, np.int64)
    )
    area = np.trapezoid(values[0], COARSE.wavenumber)
    inside = np.trapezoid(shape.model, COARSE.wavenumber) * ANGULAR / (np.pi * shape.factor)
    share = inside / shape.model_correlation[0]
    expected = square[0] * np.pi * shape.factor / ANGULAR
    assert share > 0.97
    assert area == pytest.approx(expected * share, rel=0.02)
    assert np.all(deviation >= 0)


@pytest.fixture(scope="module")
def drawn() -> dict[int, list]:
    reference = MODEL + RESIDUAL
    return {
        n: [
            debiased_spectrum(MODEL, frames, reference[frames], bands=BANDS, **OPTIONS)
            for frames in (random_frames(n, seed) for seed in range(40))
        ]
        for n in (8, 64)
    }


@pytest.mark.parametrize("n_labels", [8, 64])
def test_the_band_covers_the_truth(drawn, n_labels) -> None:
    exact, inside = TRUTH.absorption, TRUTH.wavenumber >= 50
    points = [np.mean(((r.low <= exact) & (exact <= r.high))[inside]) for r in drawn[n_labels]]
    assert np.mean(points) > 0.94
    square = np.mean(np.sum(RESIDUAL**2, 1)) / np.mean(np.sum((MODEL + RESIDUAL) ** 2, 1))
    assert (
        np.mean([r.current_error[1] <= square**0.5 <= r.current_error[2] for r in drawn[n_labels]])
        > 0.8
    )
    hits = []
    for ends in BANDS.values():
        limits = [r.band_integral(*ends) for r in drawn[n_labels]]
        hits += [low <= TRUTH.integral(*ends) <= high for _, low, high in limits]
    assert np.mean(hits) > 0.88


@pytest.mark.parametrize(("n_labels", "least"), [(8, 0.16), (64, 0.3)])
def test_the_band_is_not_wider_than_its_errors_ask_for(drawn, n_labels, least) -> None:
    """Two thirds of the errors of a normal distribution are below half of its 95 % limit."""
    results, inside = drawn[n_labels], TRUTH.wavenumber >= 50

    def part(truth, value, low, high):
        half = np.where(truth > value, high - value, value - low)
        return np.abs(truth - value) / half

    points = [part(TRUTH.absorption, r.spectrum.absorption, r.low, r.high)[inside] for r in results]
    # what no label tells makes the band of few labels wider than their noise
    assert least < np.quantile(points, 0.68) < 0.55
    for ends in BANDS.values():
        exact = TRUTH.integral(*ends)
        limits = [part(exact, *r.band_integral(*ends)) for r in results]
        assert 0.3 < np.quantile(limits, 0.68) < 0.65
    eta = (np.sum(RESIDUAL**2) / np.sum((MODEL + RESIDUAL) ** 2)) ** 0.5
    limits = [part(eta, *r.current_error) for r in results]
    assert 0.3 < np.quantile(limits, 0.68) < 0.55


def test_the_confidence_sets_the_width_by_the_distribution_of_student() -> None:
    from scipy.stats import t

    frames = random_frames(8)
    reference = (MODEL + RESIDUAL)[frames]
    low, high = (
        debiased_spectrum(MODEL, frames, reference, bands=BANDS, confidence=p, **OPTIONS)
        for p in (0.68, 0.95)
    )
    ratio = t.ppf(0.975, 7) / t.ppf(0.84, 7)  # 2.21; it would be 1.96 with the normal one
    eta, *_, least = low.current_error
    assert high.current_error[2] - eta == pytest.approx(ratio * (least - eta), rel=1e-9)
    for ends in BANDS.values():
        (value, *_, few), (*_, more) = low.band_integral(*ends), high.band_integral(*ends)
        assert more - value == pytest.approx(ratio * (few - value), rel=0.02)
    widths = [np.median(r.high - r.low) for r in (low, high)]
    assert widths[1] == pytest.approx(ratio * widths[0], rel=0.03)


def test_more_labels_narrow_the_band_and_beat_the_model(drawn) -> None:
    width = {n: np.median([np.sum(r.high - r.low) for r in drawn[n]]) for n in drawn}
    assert width[64] < 0.5 * width[8]
    error = [np.abs(r.spectrum.absorption - TRUTH.absorption).sum() for r in drawn[64]]
    of_model = np.abs(absorption(MODEL, **OPTIONS).absorption - TRUTH.absorption).sum()
    assert np.median(error) < 0.3 * of_model
    value, low, high = drawn[64][0].band_integral(*BANDS["stretch"])
    one = drawn[64][0]
    points = (
        replace(TRUTH, absorption=edge).integral(*BANDS["stretch"]) for edge in (one.low, one.high)
    )
    assert next(points) < low < value < high < next(points)


def test_the_control_reduces_the_noise() -> None:
    reference = MODEL + RESIDUAL
    error = {}
    for control in (True, False):
        results = [
            debiased_spectrum(
                MODEL, frames, reference[frames], control_variate=control, **OPTIONS
            ).spectrum.absorption
            for frames in (random_frames(32, seed) for seed in range(10))
        ]
        error[control] = np.abs(np.array(results) - TRUTH.absorption).mean()
    assert error[True] < 0.5 * error[False]


def test_clusters() -> None:
    frames = [4, 5, 6, 40, 41, 300, 304]
    zero = np.zeros((500, 3))
    sample = LabelSample.of(frames, np.zeros((7, 3)), zero, 1)
    assert sample.cluster.tolist() == [0, 0, 0, 1, 1, 2, 3]
    assert LabelSample.of(frames, np.zeros((7, 3)), zero, 4).n_clusters == 3
    twice = LabelSample.of([*frames, 100, 101], np.zeros((9, 3)), zero, 1)
    assert twice.lags(50).tolist() == [1]
    reference = (MODEL + RESIDUAL)[frames]
    result = debiased_spectrum(MODEL, frames, reference, **OPTIONS)
    assert (result.n_labels, result.n_clusters) == (7, 4)
    assert debiased_spectrum(MODEL, frames, reference, cluster_time=8.0, **OPTIONS).n_clusters == 3


@pytest.mark.parametrize(
    ("frames", "error", "message"),
    [
        ([5, 100], InputError, "more independent labels"),
        ([5, 6, 7, 8, 9, 700], InputError, "6 labels in 2 clusters"),
        ([], InputError, "more independent labels"),
        ([5, 100, 5, 700], InputError, "labelled twice"),
        ([5, 100, 4000], InputError, "frame 4000"),
        ([-1, 5, 100], InputError, "frame -1"),
        ([5.0, 100.0, 700.0], InputError, "not integers"),
        ([[5, 100, 700]], AlignmentError, "do not fit"),
    ],
)
def test_labels_that_are_refused(frames, error, message) -> None:
    with pytest.raises(error, match=message):
        debiased_spectrum(MODEL, frames, np.zeros((np.size(frames), 3)), **OPTIONS)


def test_other_input_that_is_refused() -> None:
    frames = [5, 100, 700]
    with pytest.raises(AlignmentError, match="do not fit"):
        debiased_spectrum(MODEL, frames, np.zeros((4, 3)), **OPTIONS)
    with pytest.raises(InputError, match="not finite"):
        debiased_spectrum(MODEL, frames, np.full((3, 3), np.nan), **OPTIONS)
    with pytest.raises(InputError, match="confidence"):
        debiased_spectrum(MODEL, frames, np.zeros((3, 3)), confidence=95, **OPTIONS)
    with pytest.raises(InputError, match="too short"):
        debiased_spectrum(MODEL[:1000], frames, np.zeros((3, 3)), **OPTIONS)
    result = debiased_spectrum(MODEL, frames, np.zeros((3, 3)), **OPTIONS)
    with pytest.raises(InputError, match="does not lie on the grid"):
        result.band_integral(100.0, 5000.0)


def test_a_model_without_any_current_says_that_nothing_is_known() -> None:
    """Then only the sum rule is left: no estimate of a shape, but a bound that holds."""
    frames = random_frames(20)
    result = debiased_spectrum(0 * MODEL, frames, MODEL[frames], **OPTIONS)
    assert np.isfinite(result.spectrum.absorption).all()
    assert np.all(absorption(MODEL, **OPTIONS).absorption <= result.residual_bound)
    assert result.current_error[0] == pytest.approx(1.0)


def test_a_line_that_the_model_does_not_see_is_inside_the_band() -> None:
    """The sum rule says how much is missing, no isolated label says where: the band is wide."""
    model = lines(1, (1, 1, 1, 0.02))
    reference = model + lines(4, (0, 0, 0, 1))
    exact = absorption(reference, **OPTIONS)
    hits = []
    for seed in range(10):
        frames = random_frames(32, seed)
        result = debiased_spectrum(model, frames, reference[frames], bands=BANDS, **OPTIONS)
        _, low, high = result.band_integral(*BANDS["stretch"])
        hits.append(low <= exact.integral(*BANDS["stretch"]) <= high)
    assert result.current_error[0] > 0.6
    assert np.mean(hits) > 0.8
