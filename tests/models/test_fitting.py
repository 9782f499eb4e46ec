"""Fitting as a library: what is passed on to the model, and what is told about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from aptbench import LabelledFrames
from aptbench.errors import InputError
from aptbench.models.constant import ConstantCharge
from aptbench.models.fitting import fit_model, load_untrained, seed_of, set_seed


@dataclass(frozen=True)
class Settings:
    seed: int = 3
    steps: int = 10


class Reporting(ConstantCharge):
    """A model of two networks that reports, and that counts the runs before it was stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.training = Settings()
        self.checkpoint: Path | None = None

    @property
    def n_parameters(self) -> int:
        return 12

    def fit(self, train, validation=None, *, checkpoint=None, report=None):
        self.checkpoint = checkpoint
        for member in range(2):
            for step in (5, 10):
                report(
                    member,
                    SimpleNamespace(
                        step=step, steps=10, train_error=0.1, validation_error=0.2, seconds=50.0
                    ),
                )
        return super().fit(train, validation)


def test_a_model_that_reports(synthetic_labels: LabelledFrames, tmp_path: Path) -> None:
    model, seen = Reporting(), []
    summary = fit_model(
        model,
        synthetic_labels,
        checkpoint_folder=tmp_path,
        report=lambda member, progress: seen.append((member, progress.step)),
    )
    assert seen == [(0, 5), (0, 10), (1, 5), (1, 10)]
    assert model.checkpoint == tmp_path / ".checkpoint"
    assert summary["committee"] == 2
    assert summary["steps"] == [10, 10]
    assert summary["validation_error"] == [0.2, 0.2]
    assert summary["seconds"] == 100.0  # stopped runs included
    assert summary["seconds_per_step"] == 5.0
    assert summary["n_parameters"] == 12


def test_a_model_that_does_not(synthetic_labels: LabelledFrames) -> None:
    summary = fit_model(ConstantCharge(), synthetic_labels)
    assert set(summary) == {"seconds", "threads", "device", "n_parameters"}
    assert summary["n_parameters"] == 2
    assert summary["device"] == "cpu"


def test_validation_does_not_train(synthetic_labels: LabelledFrames) -> None:
    alone, selected = ConstantCharge(), ConstantCharge()
    fit_model(alone, synthetic_labels[:1])
    fit_model(selected, synthetic_labels[:1], synthetic_labels[1:])
    assert alone.charges_ == selected.charges_


def test_seeds() -> None:
    model = Reporting()
    assert seed_of(model) == 3
    set_seed(model, 8)
    assert model.training == Settings(seed=8)
    direct = SimpleNamespace(seed=1)
    set_seed(direct, 2)
    assert direct.seed == 2
    assert seed_of(ConstantCharge()) is None
    with pytest.raises(InputError, match="no seed"):
        set_seed(ConstantCharge(), 1)


def test_the_constant_charge_keeps_what_it_was_trained_on(
    synthetic_labels: LabelledFrames, tmp_path: Path
) -> None:
    model = ConstantCharge().fit(synthetic_labels)
    model.save(tmp_path, {"task": "water/iid@2", "train": [1, 2]})
    again = ConstantCharge.from_folder(tmp_path)
    assert again.provenance_ == {"task": "water/iid@2", "train": [1, 2]}
    assert again.n_parameters == 2
    np.testing.assert_array_equal(
        again.predict(synthetic_labels.frames), model.predict(synthetic_labels.frames)
    )
    assert ConstantCharge().provenance_ == {}


def test_what_cannot_be_trained(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_text(
        "{name: fixed, title: Fixed, class: 'aptbench.models.point_charges:PointCharges'}"
    )
    with pytest.raises(InputError, match="cannot be trained"):
        load_untrained(tmp_path)
