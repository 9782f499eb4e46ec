"""The trace of a grid is found by models that have not seen the labels, and taken out of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from aptbench import LabelledFrames
from aptbench.data.grid_artifact import GridArtifact
from aptbench.errors import InputError
from aptbench.models.constant import ConstantCharge
from aptbench.models.label_cleaning import clean_labels, held_out_predictions


@pytest.fixture(scope="module")
def water(synthetic_water: Callable[[int, int], LabelledFrames]) -> LabelledFrames:
    labels = synthetic_water(40, 5)
    return LabelledFrames(labels.frames.replace(cell=[6.2, 6.3, 6.1]), labels.apt)


def test_a_frame_is_predicted_by_a_model_that_did_not_see_it(water) -> None:
    seen = []

    class Watched(ConstantCharge):
        def fit(self, train, validation=None):
            seen.append({float(p) for p in train.frames.positions[:, 0, 0]})
            return super().fit(train, validation)

        def predict(self, frames):
            assert not seen[-1] & {float(p) for p in frames.positions[:, 0, 0]}
            return super().predict(frames)

    prediction = held_out_predictions(water[:7], Watched, folds=3)
    assert prediction.shape == water[:7].apt.shape
    assert len(seen) == 3
    assert np.abs(prediction).min(axis=0).max() > 0.1  # every atom of every frame was filled in


def test_the_wave_is_taken_out_of_the_labels(water) -> None:
    wave = GridArtifact(8, 40, 0.4, 0.0).wave(water.frames)
    dirty = LabelledFrames(water.frames, water.apt + wave)
    clean, (found,) = clean_labels(dirty, ConstantCharge)
    assert (found.atomic_number, found.points) == (8, 40)
    before, after = (np.abs(x.apt - water.apt).max() for x in (dirty, clean))
    assert after < 0.2 * before


def test_clean_labels_are_left_alone(water) -> None:
    labels, artifacts = clean_labels(water, ConstantCharge)
    assert labels is water
    assert artifacts == ()


def test_one_frame_is_not_enough(water) -> None:
    with pytest.raises(InputError, match="two frames"):
        clean_labels(water[0], ConstantCharge)
