"""The error of the currents of the modes, against cases with closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from aptbench import Frames
from aptbench.errors import InputError, UnknownNameError
from aptbench.metrics import (
    BlockBootstrap,
    accumulate,
    get_metric,
    metric_names,
    score,
    score_means,
)
from aptbench.molecules import MoleculeTable
from aptbench.oracle import PolarizableWater, liquid
from aptbench.spectra.modes import WATER_MODES, molecular_modes

MODE_NAMES = [f"assignment_error[{mode}]" for mode in WATER_MODES]


@pytest.fixture(scope="module")
def frames() -> Frames:
    return liquid(8, 5, equilibration=5)


def moving_in(frames: Frames, mode: int) -> Frames:
    """Return the frames with the velocities of one mode only."""
    table = MoleculeTable.of(frames)
    (kind,) = table.kinds
    whole, velocities = table.whole(frames.positions, frames.cell), np.empty(frames.positions.shape)
    split = molecular_modes(kind, whole[:, kind.atoms], frames.velocities[:, kind.atoms])
    velocities[:, kind.atoms] = split[:, :, mode]
    return Frames(
        frames.atomic_numbers,
        frames.positions,
        cell=frames.cell,
        velocities=velocities,
        molecule=frames.molecule,
    )


def test_a_common_factor_is_the_error_of_every_mode(frames: Frames) -> None:
    reference = PolarizableWater().predict(frames)
    found = score(1.25 * reference, reference, frames, names=["assignment_error", *MODE_NAMES])
    for name, one in found.items():
        assert one.value == pytest.approx(0.25, rel=1e-9), name
        assert one.unit == "1"


@pytest.mark.parametrize("mode", range(len(WATER_MODES)))
def test_motion_in_one_mode_has_its_error_only(frames: Frames, mode: int) -> None:
    only = moving_in(frames, mode)
    reference = PolarizableWater().predict(only)
    prediction = reference + np.random.default_rng(mode).normal(0, 0.1, reference.shape)
    names = ["current_error", "assignment_error", MODE_NAMES[mode]]
    total, every, own = (score(prediction, reference, only, names=names)[name] for name in names)
    assert own.value == pytest.approx(total.value, rel=1e-6)
    assert every.value == pytest.approx(total.value, rel=1e-6)


def test_errors_that_cancel_between_modes_are_seen(frames: Frames) -> None:
    reference = PolarizableWater().predict(frames)
    table = MoleculeTable.of(frames)
    (kind,) = table.kinds
    whole = table.whole(frames.positions, frames.cell)
    split = molecular_modes(kind, whole[:, kind.atoms], frames.velocities[:, kind.atoms])
    # a tensor that is orthogonal to the whole velocity of a molecule, and not to its bend
    prediction = reference.copy()
    v = frames.velocities[:, kind.atoms].reshape(*split.shape[:2], -1)
    bend = split[:, :, 2].reshape(v.shape)
    share = (v * bend).sum(-1, keepdims=True) / (v * v).sum(-1, keepdims=True)
    row = (bend - share * v).reshape(*split.shape[:2], 3, 3)
    prediction[:, kind.atoms, 0] += 50 * row
    found = score(prediction, reference, frames, names=["current_error", "assignment_error"])
    assert found["current_error"].value < 1e-9
    assert found["assignment_error"].value > 1e-3


def test_chunks_and_intervals(frames: Frames) -> None:
    reference = PolarizableWater().predict(frames)
    prediction = reference + np.random.default_rng(0).normal(0, 0.1, reference.shape)
    names = ["assignment_error", *MODE_NAMES]
    whole = score(prediction, reference, frames, names=names, bootstrap=BlockBootstrap(50))
    means = accumulate(names, prediction[:2], reference[:2], frames[:2])
    means = accumulate(names, prediction[2:], reference[2:], frames[2:], means)
    assert score_means(means, names, BlockBootstrap(50)) == whole
    for one in whole.values():
        assert one.low < one.value < one.high


def test_only_where_molecules_move(frames: Frames) -> None:
    assert set(MODE_NAMES) < set(metric_names(frames))
    still = Frames(frames.atomic_numbers, frames.positions, cell=frames.cell)
    assert not any("assignment" in name for name in metric_names(still))
    # a hydrogen far from its oxygen belongs to no molecule
    apart = [[0, 0, 0], [3.0, 0, 0]]
    lone = Frames([8, 1], apart, velocities=np.ones((1, 2, 3)))
    assert not any("assignment" in name for name in metric_names(frames, lone))
    zero = np.zeros((1, 1, 3, 3))
    with pytest.raises(InputError, match="leave out 'assignment_error'"):
        score(zero, zero, Frames([1], zero[..., 0]), names=["assignment_error"])
    with pytest.raises(UnknownNameError, match="bend"):
        get_metric("assignment_error[bendx]")
    assert get_metric("assignment_error[ symmetric  stretch ]").mode == "symmetric stretch"


def test_a_mode_that_does_not_absorb_has_no_error(frames: Frames) -> None:
    reference = np.zeros((len(frames), frames.n_atoms, 3, 3))
    # fixed charges, neutral molecules: their centres of mass carry no current
    reference[:] = np.where(frames.atomic_numbers == 8, -0.8, 0.4)[:, None, None] * np.eye(3)
    noise = np.random.default_rng(0).normal(0, 1e-5, reference.shape)
    names = ["assignment_error", *MODE_NAMES]
    found = score(reference + 0.1, reference + noise, frames, names=names)
    assert np.isnan(found["assignment_error[translation]"].value)
    rest = [found[name].value for name in names if "translation" not in name]
    assert np.isfinite(rest).all()
