"""Metrics against their closed forms, and the laws that all of them obey."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import special_ortho_group

from aptbench.errors import AlignmentError, InputError, UnknownNameError
from aptbench.frames import Frames
from aptbench.metrics import METRICS, BlockBootstrap, get_metric, metric_names, score
from aptbench.metrics.base import Samples
from aptbench.oracle import liquid


def values(prediction, reference, frames, names=None):
    scores = score(prediction, reference, frames, names=names)
    return {name: item.value for name, item in scores.items()}


ERRORS = [
    *("rmse", "mae", "normalized_rmse", "worst_1_percent", "current_error"),
    *("rmse[O]", "rmse[L=0]", "rmse[L=1]", "rmse[L=2]", "rmse[H,L=1]", "mae[H]"),
]


@pytest.mark.parametrize("name", ERRORS)
def test_zero_at_truth_and_proportional_to_the_error(case, name) -> None:
    prediction, reference, frames = case
    assert values(reference, reference, frames, [name])[name] == 0
    once = values(prediction, reference, frames, [name])[name]
    tenfold = values(reference + 10 * (prediction - reference), reference, frames, [name])[name]
    assert once > 0
    assert tenfold == pytest.approx(10 * once, rel=0.01 if name == "worst_1_percent" else 1e-10)


@pytest.mark.parametrize("name", [*ERRORS, "sum_rule_residual"])
def test_permutation_and_rotation_change_nothing(case, name) -> None:
    prediction, reference, frames = case
    before = values(prediction, reference, frames, [name])[name]
    order = np.random.default_rng(0).permutation(frames.n_atoms)
    permuted = values(prediction[:, order], reference[:, order], frames.permuted(order), [name])
    assert permuted[name] == pytest.approx(before, rel=1e-12)
    if name.startswith("mae"):
        return
    rotation = -special_ortho_group.rvs(3, random_state=1)
    turned = (rotation @ tensor @ rotation.T for tensor in (prediction, reference))
    after = values(*turned, frames.rotated(rotation), [name])[name]
    assert after == pytest.approx(before, rel=1e-10)


def test_squares_of_irreps_and_species_add_up(case) -> None:
    result = values(*case)
    for inner in ("", "O", "H"):
        whole = result[f"rmse[{inner}]" if inner else "rmse"]
        comma = f"{inner}," if inner else ""
        parts = [result[f"rmse[{comma}L={k}]"] for k in (0, 1, 2)]
        assert sum(part**2 for part in parts) == pytest.approx(whole**2, rel=1e-12)
    total = (result["rmse[O]"] ** 2 + 2 * result["rmse[H]"] ** 2) / 3
    assert total == pytest.approx(result["rmse"] ** 2, rel=1e-12)


def test_plain_formulas(case) -> None:
    prediction, reference, frames = case
    error, result = prediction - reference, values(*case)
    assert result["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-12)
    assert result["mae[H]"] == pytest.approx(
        np.abs(error[:, frames.atomic_numbers == 1]).mean(), rel=1e-12
    )
    rates = [np.einsum("fapd,fad->fp", p, frames.velocities) for p in (error, reference)]
    eta = np.sqrt(np.sum(rates[0] ** 2) / np.sum(rates[1] ** 2))
    assert result["current_error"] == pytest.approx(eta, rel=1e-12)
    residual = prediction.sum(1)
    assert result["sum_rule_residual"] == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-12)


def test_total_charge_belongs_to_the_sum_rule() -> None:
    frames = Frames([11], np.zeros((1, 3)), total_charge=1.0)
    assert values(np.eye(3)[None, None], np.eye(3)[None, None], frames)["sum_rule_residual"] == 0


def test_mean_isotropic_charge_has_a_normalized_error_of_one(case) -> None:
    _, reference, frames = case
    trivial = np.zeros_like(reference)
    for z in (1, 8):
        mask = frames.atomic_numbers == z
        trivial[:, mask] = np.trace(reference[:, mask], axis1=-2, axis2=-1).mean() / 3 * np.eye(3)
    names = ["normalized_rmse", "normalized_rmse[O]", "normalized_rmse[H]"]
    for value in values(trivial, reference, frames, names).values():
        assert value == pytest.approx(1.0, rel=1e-10)


def test_worst_percent_is_the_tail_of_the_atoms() -> None:
    rng = np.random.default_rng(3)
    frames = Frames(np.ones(50), np.zeros((100, 50, 3)))
    error = rng.normal(size=(100, 50, 3, 3)) * rng.gamma(1.0, size=(100, 50, 1, 1))
    worst = np.sort((error**2).mean((-1, -2)).ravel())[-50:]
    got = values(error, np.zeros_like(error), frames, ["worst_1_percent"])["worst_1_percent"]
    assert got == pytest.approx(np.sqrt(worst.mean()), rel=0.02)


def test_fewer_atoms_than_a_hundred_give_the_worst_atom() -> None:
    frames = Frames([1, 1, 1], np.zeros((3, 3)))
    error = np.array([0.1, 0.2, 0.5])[None, :, None, None] * np.ones((3, 3))
    assert values(error, 0 * error, frames, ["worst_1_percent"])["worst_1_percent"] == (
        pytest.approx(0.5)
    )


def spoil(case, how):
    prediction, reference, frames = case
    if how == "nan":
        prediction = prediction.copy()
        prediction[2, 1, 0, 0] = np.nan
    change = {
        "atoms": (prediction[:, :-1], AlignmentError, "1 missing"),
        "frames": (prediction[:-2], AlignmentError, "2 missing"),
        "many": (np.concatenate([prediction, prediction]), AlignmentError, "12 too many"),
        "flat": (prediction.reshape(12, 6, 9), InputError, "not an array of tensors"),
        "nan": (prediction, InputError, r"\(2, 1, 0, 0\)"),
        "text": ([["a"]], InputError, "cannot be read"),
    }
    return change[how], reference, frames


@pytest.mark.parametrize("how", ["atoms", "frames", "many", "flat", "nan", "text"])
def test_a_spoiled_prediction_has_no_score(case, how) -> None:
    (prediction, error, message), reference, frames = spoil(case, how)
    with pytest.raises(error, match=message):
        score(prediction, reference, frames)


def test_current_error_needs_velocities(case) -> None:
    prediction, reference, frames = case
    still = frames.replace(velocities=None)
    assert "current_error" not in metric_names(still)
    with pytest.raises(InputError, match="needs velocities"):
        score(prediction, reference, still, names=["current_error"])


@pytest.mark.parametrize(
    "name", ["rmsd", "rmse[Q]", "rmse[L=3]", "mae[L=1]", "current_error[O]", "rmse[O,O]", "rmse[O"]
)
def test_unknown_names(name) -> None:
    with pytest.raises(UnknownNameError, match="There is no metric named"):
        get_metric(name)


def test_near_names_are_proposed() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'rmse'"):
        get_metric("rmsee")


def test_a_species_that_does_not_occur(case) -> None:
    with pytest.raises(UnknownNameError, match="'Na'"):
        score(*case, names=["rmse[Na]"])


def test_every_metric_has_unit_and_title(case) -> None:
    molecules = metric_names(liquid(8, 1, equilibration=1))
    assert set(METRICS) == {name.split("[")[0] for name in molecules}
    # atoms at random places are no molecules
    anywhere = {name.split("[")[0] for name in metric_names(case[2])}
    assert set(METRICS) - anywhere == {"assignment_error"}
    for name, item in score(*case, bootstrap=BlockBootstrap(50)).items():
        assert item.unit in ("e", "1")
        assert item.low is not None, name
        assert item.low <= item.high


def test_samples_have_the_dimensions_they_say() -> None:
    with pytest.raises(InputError, match="dimensions"):
        Samples(np.zeros(3), ("frame", "atom"))
