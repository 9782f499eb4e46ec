"""Models: the protocol, the registry of model folders, the conformance kit, and the baselines.

Nothing here imports torch; the equivariant model does so when it is first used.
"""

from __future__ import annotations

from aptbench.models.conformance import ConformanceReport, check_model
from aptbench.models.protocol import APTModel, TrainableModel
from aptbench.models.registry import ModelFolder, available_models, load_model, model_folder

__all__ = [
    "APTModel",
    "ConformanceReport",
    "ModelFolder",
    "TrainableModel",
    "available_models",
    "check_model",
    "load_model",
    "model_folder",
]
