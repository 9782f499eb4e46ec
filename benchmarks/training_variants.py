"""What else was tried with the e3nn reference: weights of the loss, a residual, the sum rule.

Trains one network a row on the first eight frames of the published ten-frame training file and
scores it on the last two, so that no test frame is seen; rows differ in one thing.

    python benchmarks/training_variants.py --data FOLDER   # holds train_10.xyz; 20 minutes
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aptbench.atomic import write_atomically
from aptbench.cli.published_water import CELL, ORDER
from aptbench.data.grid_artifact import without_grid_artifacts
from aptbench.data.readers.columns_xyz import read_columns_xyz
from aptbench.frames import LabelledFrames
from aptbench.metrics import score
from aptbench.models.allocator import keep_freed_memory
from aptbench.models.equivariant import EquivariantModel
from aptbench.models.fitting import allowed_threads, load_untrained, set_threads
from aptbench.models.label_cleaning import clean_labels
from aptbench.models.training import Example

HELD_OUT = 2
IRREPS = (slice(0, 1), slice(1, 4), slice(4, 9))
METRICS = ("rmse", "rmse[L=0]", "rmse[L=1]", "rmse[L=2]")
RESULT = Path(__file__).parent / "results" / "training-variants.json"


class WeightedLoss(EquivariantModel):
    """The reference model with other weights of the irreps in the loss of its training."""

    weights: Callable[[torch.Tensor], torch.Tensor]

    def _examples(self, labels: LabelledFrames, normalization: Any) -> list[Example]:
        examples = super()._examples(labels, normalization)
        return [replace(example, scale=self.weights(example.scale)) for example in examples]


class Residual:
    """The reference model, trained on what ridge regression on tensor features leaves."""

    def __init__(self, network: EquivariantModel) -> None:
        self.network, self.linear = network, load_untrained("linear-tensor")

    def fit(self, train: LabelledFrames) -> None:
        self.linear.fit(train)
        rest = train.apt - self.linear.predict(train.frames)
        self.network.fit(replace(train, apt=rest))

    def predict(self, frames: Any) -> np.ndarray:
        return self.linear.predict(frames) + self.network.predict(frames)


def by_irrep(*factors: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """Multiply the errors of L = 0, 1, 2 by factors."""
    row = torch.ones(9)
    for irrep, factor in zip(IRREPS, factors, strict=True):
        row[irrep] = factor
    return lambda scale: scale * row


def equal(scale: torch.Tensor) -> torch.Tensor:
    """Give every species and irrep the same weight relative to its spread."""
    return torch.full_like(scale, float(scale.square().mean().sqrt()))


def variants(seed: int) -> dict[str, Any]:
    """Return the models of all rows by name."""
    reference = load_untrained("e3nn-reference")
    settings = {**reference.config, "committee": 1}
    settings["training"] = {**settings["training"], "seed": seed}

    def weighted(weights: Callable[[torch.Tensor], torch.Tensor]) -> WeightedLoss:
        model = WeightedLoss(**settings)
        model.weights = weights
        return model

    return {
        "as shipped, one network": EquivariantModel(**settings),
        "loss: errors of L=2 count twice": weighted(by_irrep(1.0, 1.0, 2**0.5)),
        "loss: errors of L=0 and L=1 count twice": weighted(by_irrep(2**0.5, 2**0.5, 1.0)),
        "loss: relative to the spread of species and irrep": weighted(equal),
        "residual of ridge regression on tensor features": Residual(EquivariantModel(**settings)),
        "mean of the acoustic sum subtracted": EquivariantModel(**{**settings, "sum_rule": "mean"}),
    }


def main() -> None:
    """Train all rows with all seeds and write the result; a row that is there is kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    keep_freed_memory()
    set_threads(allowed_threads())
    labels = read_columns_xyz(options.data / "train_10.xyz", order=ORDER, cell=[CELL] * 3)
    train, scored = labels[:-HELD_OUT], labels[len(labels) - HELD_OUT :]
    clean, artifacts = clean_labels(train)
    scored = without_grid_artifacts(scored, artifacts)
    rows = json.loads(options.out.read_text()) if options.out.exists() else []
    done = {(row["variant"], row["seed"]) for row in rows}
    for seed in range(options.seeds):
        for name, model in variants(seed).items():
            if (name, seed) in done:
                continue
            model.fit(clean)
            scores = score(model.predict(scored.frames), scored.apt, scored.frames, names=METRICS)
            rows.append(
                {"variant": name, "seed": seed, **{k: float(s.value) for k, s in scores.items()}}
            )
            write_atomically(options.out, json.dumps(rows, indent=1) + "\n")
            print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
