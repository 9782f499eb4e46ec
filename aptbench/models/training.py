"""`train_network`: the optimisation of an equivariant network, resumable and reproducible."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from aptbench.atomic import write_atomically
from aptbench.errors import InputError
from aptbench.models.graph import AtomGraph


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Parameters
    ----------
    steps : int
        Number of optimiser steps; one step sees ``batch`` frames.
    batch : int
        Frames whose gradients are added up for a step, one frame after another.
    learning_rate : float
        At its highest; it rises over ``warmup`` of the steps and then falls to zero as a cosine.
    warmup : float
    weight_decay : float
        Decoupled, on weights and not on biases.
    average_decay : float
        Of the exponential moving average of the weights, which is what is kept.
    clip : float
        Largest norm of the gradient.
    validate_every : int
        Steps between two validations (and two checkpoints).
    patience : int
        Stop after this many validations in a row without a new best one.
    seed : int
        Of the initial weights and of the order of frames.
    """

    steps: int = 3000
    batch: int = 1
    learning_rate: float = 5e-3
    warmup: float = 0.05
    weight_decay: float = 1e-3
    average_decay: float = 0.99
    clip: float = 1.0
    validate_every: int = 100
    patience: int = 1000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Example:
    """One labelled frame: graph, normalised target (atom, 9), scale of the target (atom, 9)."""

    graph: AtomGraph
    target: Tensor
    scale: Tensor


@dataclass(frozen=True)
class Progress:
    """Where a training run stands; errors are root mean squares in e over atoms and components.

    The seconds are those of all runs that led here, if it was stopped in between.
    """

    step: int
    steps: int
    train_error: float
    validation_error: float | None
    seconds: float


def train_network(
    network: nn.Module,
    train: list[Example],
    validation: list[Example],
    settings: TrainingSettings,
    *,
    identity: str = "",
    checkpoint: Path | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Progress:
    """Minimise the mean square error in e; leave the averaged weights in the network.

    With validation frames the average of least validation error is kept, else the last one.

    Parameters
    ----------
    network : module
        From an `AtomGraph` to the normalised components of every atom, shape (atom, 9).
    train, validation : list of Example
        Validation only selects; it may be empty.
    settings : TrainingSettings
    identity : str
        Of everything else that the training depends on; a checkpoint of another is refused.
    checkpoint : Path, optional
        Continued from if it exists, rewritten at every validation, and left at the end: a run that
        had ended costs nothing when it is asked for again.
    report : callable, optional
        Called at every step.

    Returns
    -------
    Progress
        Of the state that is kept.

    Raises
    ------
    InputError
        If the checkpoint belongs to other settings or labels, or the loss is not finite.
    """
    started = time.monotonic()
    decayed = [p for n, p in network.named_parameters() if "bias" not in n]
    rest = [p for n, p in network.named_parameters() if "bias" in n]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": rest},
    ]
    optimizer = torch.optim.AdamW(
        groups,
        lr=settings.learning_rate,
        weight_decay=0.0,
        betas=(0.9, 0.99),
    )
    average = {k: v.detach().clone() for k, v in network.state_dict().items()}
    best: dict[str, Any] = {"error": math.inf, "step": 0, "weights": None, "stale": 0}
    first = 0
    if checkpoint is not None and checkpoint.is_file():
        state = torch.load(checkpoint, weights_only=True)
        if state["settings"] != asdict(settings):
            raise InputError(
                "The checkpoint belongs to a run with other settings.",
                got=state["settings"],
                expected=asdict(settings),
                do=f"remove {checkpoint}, or train with its settings",
            )
        if state.get("identity") != identity:
            raise InputError(
                "The checkpoint belongs to a run with another network or other labels.",
                do=f"remove {checkpoint}, or train with its settings for its task",
            )
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        average, best, first = state["average"], state["best"], state["step"]
        started -= state["seconds"]
        if best["stale"] >= settings.patience:
            first = settings.steps

    errors: list[float] = []
    validation_error: float | None = None
    last = first
    for step in range(first, settings.steps):
        last = step + 1
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _schedule(step / settings.steps, settings.warmup)
        optimizer.zero_grad(set_to_none=True)
        for visit in range(step * settings.batch, last * settings.batch):
            example = train[_frame_of(visit, len(train), settings.seed)]
            square_error = _square_error(network, example)
            if not torch.isfinite(square_error):
                raise InputError(
                    f"The training diverged at step {step}.",
                    got="a loss that is not finite",
                    do="lower the learning rate, and look for outliers in the labels",
                )
            (square_error / (settings.batch * example.scale.square().mean())).backward()
            errors = [*errors, square_error.item()][-len(train) :]
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        optimizer.step()
        # early on a long average would remember the start: let it grow with the run
        decay = min(settings.average_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in network.state_dict().items():
                average[name].lerp_(value, 1 - decay)
        if last % settings.validate_every == 0 or last == settings.steps:
            if validation:
                validation_error = _evaluate(network, average, validation)
                best["stale"] += 1
                if validation_error < best["error"]:
                    weights = {k: v.clone() for k, v in average.items()}
                    best = {"error": validation_error, "step": last, "weights": weights, "stale": 0}
            if checkpoint is not None:
                seconds = time.monotonic() - started
                progress = {"step": last, "seconds": seconds, "identity": identity}
                _save(checkpoint, network, optimizer, average, best, settings, progress)
        if report is not None:
            seconds = time.monotonic() - started
            error = math.sqrt(np.mean(errors))
            report(Progress(last, settings.steps, error, validation_error, seconds))
        if best["stale"] >= settings.patience:
            break
    kept = best["weights"] if best["weights"] is not None else average
    network.load_state_dict(kept)
    return Progress(
        best["step"] if best["weights"] is not None else last,
        settings.steps,
        _evaluate(network, kept, train),
        best["error"] if best["weights"] is not None else None,
        time.monotonic() - started,
    )


def train_committee(
    make_network: Callable[[], nn.Module],
    size: int,
    train: list[Example],
    validation: list[Example],
    settings: TrainingSettings,
    *,
    identity: str = "",
    checkpoint: Path | None = None,
    report: Callable[[int, Progress], None] | None = None,
) -> list[nn.Module]:
    """Train networks that differ in their seeds, the first of which is that of the settings.

    Parameters
    ----------
    make_network : callable
        Makes an untrained network from the global random state, which is that of the seed.
    size : int
        Number of networks.
    train, validation, settings, identity
        As `train_network` takes them.
    checkpoint : Path, optional
        Stem of the checkpoints, one a network. They are removed when all networks are done.
    report : callable, optional
        Called with the index of the network and its progress at every step.

    Returns
    -------
    list of module
    """
    networks, checkpoints = [], []
    for member in range(size):
        own = replace(settings, seed=settings.seed + member)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(own.seed)
            network = make_network()
        place = checkpoint and checkpoint.with_name(f"{checkpoint.name}.{member}")
        told = None if report is None else partial(report, member)
        train_network(
            network, train, validation, own, identity=identity, checkpoint=place, report=told
        )
        networks.append(network.eval())
        checkpoints.append(place)
    for place in checkpoints:
        if place is not None:
            place.unlink(missing_ok=True)
    return networks


def _frame_of(visit: int, n_frames: int, seed: int) -> int:
    # a fresh order each epoch that follows from the visit alone: a resumed run repeats it exactly
    epoch, place = divmod(visit, n_frames)
    return int(np.random.default_rng((seed, epoch)).permutation(n_frames)[place])


def _schedule(done: float, warmup: float) -> float:
    if done < warmup:
        return 0.05 + 0.95 * done / warmup
    return 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))


def _square_error(network: nn.Module, example: Example) -> Tensor:
    return ((network(example.graph) - example.target) * example.scale).square().mean()


@torch.no_grad()
def _evaluate(network: nn.Module, weights: dict[str, Tensor], examples: list[Example]) -> float:
    current = {k: v.clone() for k, v in network.state_dict().items()}
    network.load_state_dict(weights)
    error = math.sqrt(np.mean([_square_error(network, e).item() for e in examples]))
    network.load_state_dict(current)
    return error


def _save(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: dict[str, Tensor],
    best: dict[str, Any],
    settings: TrainingSettings,
    progress: dict[str, Any],
) -> None:
    stream = io.BytesIO()
    state = {
        "settings": asdict(settings),
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "average": average,
        "best": best,
        **progress,
    }
    torch.save(state, stream)
    write_atomically(path, stream.getvalue())
