"""What can be chosen from frames, and how a loop over them ends."""

from __future__ import annotations

import numpy as np
import pytest

from aptbench import Frames, LabelledFrames
from aptbench.errors import InputError


def test_a_loop_over_frames_ends() -> None:
    frames = Frames([8, 1], np.arange(18.0).reshape(3, 2, 3))
    labelled = LabelledFrames(frames, np.zeros((3, 2, 3, 3)))
    for several in (frames, labelled):
        assert [len(one) for one in several] == [1, 1, 1]
        for index in (3, -4):
            with pytest.raises(IndexError, match="no frame"):
                several[index]
    assert np.array_equal(frames[-1].positions, frames.positions[2:])


def test_the_charge_is_a_number() -> None:
    assert repr(Frames([11], np.zeros((1, 3)), total_charge=np.float64(1.0)).total_charge) == "1.0"
    for wrong in (np.nan, "one", [1.0, 2.0]):
        with pytest.raises(InputError, match="total_charge"):
            Frames([11], np.zeros((1, 3)), total_charge=wrong)
