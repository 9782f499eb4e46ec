"""Protocols are frozen: a change of a number is a new name."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from aptbench.spectra import IR1, IR_SHORT1, PROTOCOLS, get_protocol

BANDS = (
    ("translation", 50.0, 300.0),
    ("libration", 300.0, 1000.0),
    ("bend", 1500.0, 1800.0),
    ("stretch", 3000.0, 3800.0),
)
COMMON = {
    "maximum_time_step": 2.0,
    "remove_mean": True,
    "minimum_lags": 2.0,
    "grid": (0.0, 4000.0, 2.0),
    "bands": BANDS,
    "quantum_correction": "harmonic",
}
FROZEN = {
    "ir@1": COMMON | {"name": "ir@1", "broadening": 30.0, "maximum_lag": 1600.0},
    "ir-short@1": COMMON | {"name": "ir-short@1", "broadening": 100.0, "maximum_lag": 480.0},
}


def test_released_protocols_never_change() -> None:
    assert {name: asdict(protocol) for name, protocol in PROTOCOLS.items()} == FROZEN


@pytest.mark.parametrize("protocol", [IR1, IR_SHORT1], ids=lambda p: p.name)
def test_the_window_is_negligible_where_it_is_cut(protocol) -> None:
    assert protocol.window(0.0) == 1
    assert 0 < protocol.window(protocol.maximum_lag) < 1e-3
    assert protocol.window(1.01 * protocol.maximum_lag) == 0
    lags = np.linspace(0, protocol.maximum_lag, 50)
    assert np.all(np.diff(protocol.window(lags)) < 0)
    assert get_protocol(protocol.name) is protocol
