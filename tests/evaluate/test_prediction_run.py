"""Runs of models over frames: chunks, segments that are kept, bad models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from aptbench import Frames
from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate.prediction_run import (
    SEGMENT,
    PredictedTensors,
    PredictionRun,
    cache_key,
    fingerprint,
    predict_currents,
    predict_deviations,
    predict_tensors,
)


class Charges:
    """Charge 1 times the first coordinate, so that every frame differs; counts its calls."""

    name = "charges"

    def __init__(self, dtype: type = np.float64) -> None:
        self.dtype, self.calls = dtype, 0

    def predict(self, frames: Frames) -> npt.NDArray:
        self.calls += 1
        return (frames.positions[:, :, :1, None] * np.eye(3)).astype(self.dtype)


def currents(model: Charges, frames: Frames, cache: Path, key: str) -> PredictionRun:
    return predict_currents(PredictedTensors(model, frames, cache=cache, key=key), frames)


@pytest.fixture
def frames() -> Frames:
    rng = np.random.default_rng(1)
    shape = (SEGMENT + 10, 2, 3)
    return Frames([1, 1], rng.normal(size=shape), [9.0] * 3, velocities=rng.normal(size=shape))


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_chunks_do_not_change_the_result(frames: Frames, chunk: int) -> None:
    done: list[int] = []
    run = predict_tensors(Charges(), frames, chunk=chunk, advance=done.append)
    assert np.array_equal(run.values, Charges().predict(frames))
    assert sum(done) == len(frames)
    assert run.timing.frames == len(frames)
    assert run.timing.seconds_per_frame > 0


def test_single_precision_stays_single(frames: Frames) -> None:
    assert predict_tensors(Charges(np.float32), frames[:3]).values.dtype == np.float32


def test_currents_are_the_formula_and_are_made_once(frames: Frames, tmp_path: Path) -> None:
    model = Charges()
    first = currents(model, frames, tmp_path, "k")
    assert frames.velocities is not None
    expected = np.einsum("fa,fax->fx", frames.positions[:, :, 0], frames.velocities)
    np.testing.assert_allclose(first.values, expected, rtol=1e-12)
    calls = model.calls
    again = currents(model, frames, tmp_path, "k")
    assert model.calls == calls + 2, "one frame of each segment that is kept"
    assert np.array_equal(again.values, first.values)
    assert again.timing.seconds_per_frame == pytest.approx(first.timing.seconds_per_frame)
    currents(model, frames, tmp_path, "other")
    assert model.calls == 2 * calls + 2


def test_a_damaged_segment_is_made_again(frames: Frames, tmp_path: Path) -> None:
    first = currents(Charges(), frames, tmp_path, "k")
    segments = sorted((tmp_path / "k").iterdir())
    assert len(segments) == 2
    segments[0].write_bytes(b"broken")
    again = currents(Charges(), frames, tmp_path, "k")
    assert np.array_equal(again.values, first.values)


class Newer(Charges):
    """Charges of a model that was changed by something that no key tells."""

    def predict(self, frames: Frames) -> npt.NDArray:
        return 1.001 * super().predict(frames)


def test_a_segment_that_the_model_does_not_predict_any_more_is_made_again(
    frames: Frames, tmp_path: Path
) -> None:
    first = currents(Charges(), frames, tmp_path, "k")
    newer = currents(Newer(), frames, tmp_path, "k")
    np.testing.assert_allclose(newer.values, 1.001 * first.values)
    # it has replaced what was kept; what is left of rounding replaces nothing
    model = Newer()
    assert np.array_equal(currents(model, frames, tmp_path, "k").values, newer.values)
    assert model.calls == 2
    currents(Charges(np.float32), frames, tmp_path, "single")
    double = Charges()
    currents(double, frames, tmp_path, "single")
    assert double.calls == 2


def test_the_key_follows_model_and_data(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_text("a: 1")
    mark = fingerprint(tmp_path)
    assert mark is not None
    key = cache_key(Charges(), mark, "frames")
    (tmp_path / "card.md").write_text("prose")
    (tmp_path / ".checkpoint.0").write_bytes(b"half a training")
    assert fingerprint(tmp_path) == mark
    (tmp_path / "weights").write_bytes(b"1")
    assert fingerprint(tmp_path) != mark
    others = [
        cache_key(Charges(), "x", "frames"),
        cache_key(Charges(), mark, "other"),
    ]
    assert len({key, *others}) == 3
    # nothing tells one state of a model without a folder from another
    assert cache_key(Charges(), None, "frames") is None


class Broken(Charges):
    def predict(self, frames: Frames) -> npt.NDArray:
        raise RuntimeError("out of paper")


class Short(Charges):
    def predict(self, frames: Frames) -> npt.NDArray:
        return super().predict(frames)[:, :1]


@pytest.mark.parametrize(("model", "message"), [(Broken(), "out of paper"), (Short(), "shape")])
def test_bad_models_are_named(frames: Frames, model: Charges, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        predict_tensors(model, frames)
    assert "'charges'" in str(caught.value)


class Spread(Charges):
    def predict_std(self, frames: Frames) -> npt.NDArray:
        return np.abs(self.predict(frames))


def test_deviations_come_in_chunks_or_not_at_all(frames: Frames) -> None:
    few = frames[:5]
    found = predict_deviations(Spread(np.float32), few, chunk=2)
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.abs(Charges().predict(few)), rtol=1e-6)
    assert predict_deviations(Charges(), few) is None
    # a committee of one has no spread
    still = frames.replace(positions=0 * frames.positions)
    assert predict_deviations(Spread(), still[:5]) is None


class BrokenSpread(Charges):
    def predict_std(self, frames: Frames) -> npt.NDArray:
        raise RuntimeError("out of ink")


class ShortSpread(Charges):
    def predict_std(self, frames: Frames) -> npt.NDArray:
        return self.predict(frames)[:, :1]


class NegativeSpread(Charges):
    def predict_std(self, frames: Frames) -> npt.NDArray:
        return -np.abs(self.predict(frames))


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (BrokenSpread(), InputError, "out of ink"),
        (ShortSpread(), AlignmentError, "shape"),
        (NegativeSpread(), InputError, "negative"),
    ],
)
def test_bad_deviations_are_named(
    frames: Frames, model: Charges, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        predict_deviations(model, frames[:3])
