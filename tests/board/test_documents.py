"""The generated tables of the documents."""

from __future__ import annotations

import json
from pathlib import Path

from aptbench.board.documents import document_blocks
from aptbench.spectra import PROTOCOLS


def test_protocols_are_those_of_the_code(tmp_path: Path) -> None:
    blocks = document_blocks(tmp_path)
    assert "protocols" in blocks
    assert "benchmarks/periodic_field.py" in blocks["periodic-field"]
    for name, protocol in PROTOCOLS.items():
        assert f"`{name}`" in blocks["protocols"]
        assert f"{protocol.broadening:g}" in blocks["protocols"]


def test_measurements_become_tables(tmp_path: Path) -> None:
    rows = {
        "spectrum-intervals": {
            "length_ps": 5.2,
            "modulation": 0.0,
            "block_fs": 400.0,
            "n_blocks": 13,
            "coverage_points": 0.931,
            "coverage_bands": 0.9,
            "trials": 10,
        },
        "spectrum-cost": {
            "frames": 1001,
            "atoms": 192,
            "channels": 70,
            "reduction_s": 1.0,
            "reduction_cpu_s": 0.5,
            "assignment_s": 2.0,
            "assignment_cpu_s": 1.5,
            "added_memory_mb": 33.3,
            "additivity": 1e-15,
        },
        "periodic-field": {
            "method": "RPBE",
            "code": "CP2K",
            "place": "here",
            "oxygen_xx": -0.5,
            "hydrogen_xx": 0.25,
            "largest_change": 0.0,
            "acoustic_sum": 1e-3,
        },
    }
    folder = tmp_path / "benchmarks" / "results"
    folder.mkdir(parents=True)
    for name, row in rows.items():
        (folder / f"{name}.json").write_text(json.dumps([row]))
    blocks = document_blocks(tmp_path)
    assert "| 5.2 | constant | 400 | 13 | 93.1 | 90.0 |" in blocks["spectrum-intervals"]
    assert "| 1001 | 2 | 1.0 | 2.0 | 2.0 | 2.00 | 33 |" in blocks["spectrum-cost"]
    assert "| RPBE | here | -0.500 | 0.250 | – | 1e-03 |" in blocks["periodic-field"]
