"""The generated tables of the documents."""

from __future__ import annotations

import json
from pathlib import Path

from aptbench.board.documents import document_blocks
from aptbench.spectra import PROTOCOLS


def test_protocols_are_those_of_the_code(tmp_path: Path) -> None:
    blocks = document_blocks(tmp_path)
    assert "benchmarks/periodic_field.py" in blocks["periodic-field"]
    assert list(PROTOCOLS) == ["ir@1", "ir-short@1"]
    # a released protocol never changes, so its numbers can stand here
    assert blocks["protocols"].splitlines() == [
        "|  | `ir@1` | `ir-short@1` |",
        "| :-- | --: | --: |",
        "| longest time step / fs | 2 | 2 |",
        "| mean of the current removed | yes | yes |",
        "| full width of a line / cm^-1 | 30 | 100 |",
        "| longest lag / fs | 1600 | 480 |",
        "| shortest trajectory / ps | 3.2 | 0.96 |",
        "| grid / cm^-1 | 0 to 4000 by 2 | 0 to 4000 by 2 |",
        "| quantum correction | harmonic | harmonic |",
        "| default band translation / cm^-1 | 50 to 300 | 50 to 300 |",
        "| default band libration / cm^-1 | 300 to 1000 | 300 to 1000 |",
        "| default band bend / cm^-1 | 1500 to 1800 | 1500 to 1800 |",
        "| default band stretch / cm^-1 | 3000 to 3800 | 3000 to 3800 |",
    ]


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


def test_other_measurements_become_whole_rows(tmp_path: Path) -> None:
    rows: dict[str, dict[str, object]] = {
        "coverage": {
            "frames": 40,
            "components": 9,
            "memory": 0,
            "block": 4,
            "coverage": 0.9474,
            "told_apart": 0.051,
            "trials": 500,
        },
        "transposed": {
            "dataset": "water",
            "version": "1.0.0",
            "labels": 55,
            "current_error": 0.123,
            "intensity": -0.045,
            "standard_error": 0.006,
        },
        "frozen-reference": {
            "model": "mine",
            "labels": 24,
            "band": "bend",
            "alone": 0.0512,
            "mean": -0.0021,
            "standard_error": 0.0009,
            "rms": 0.034,
            "inside": 0.941,
            "draws": 200,
        },
        "two-programs": {
            "cp2k_basis": "DZVP",
            "pyscf_basis": "def2-TZVP",
            "rms": {"O": 0.0123, "H": 0.0067},
            "largest": 0.0345,
            "slope": 1.0012,
            "swapped_rms": 0.0891,
            "first": {"code": "CP2K"},
            "second": {"code": "PySCF"},
        },
    }
    folder = tmp_path / "benchmarks" / "results"
    folder.mkdir(parents=True)
    for name, row in rows.items():
        (folder / f"{name}.json").write_text(json.dumps([row]))
    blocks = document_blocks(tmp_path)
    said = {
        "coverage": "| 40 | 9 | none | 4 | 0.947 | 0.051 |",
        "transposed": "| `water` 1.0.0 | 55 | 12.3 % | -4.5 ± 0.6 % |",
        "frozen-reference": "| `mine` | 24 | bend | +5.12 % | -0.21 ± 0.09 % | 3.4 % | 94.1 % |",
        "two-programs": "| DZVP | def2-TZVP | 0.0123 | 0.0067 | 0.0345 | 1.0012 | 0.0891 |",
    }
    for name, row in said.items():
        assert blocks[name].splitlines()[-1] == row
    assert blocks["coverage"].startswith("500 trials each:")
    assert blocks["frozen-reference"].startswith("200 sets of labels a row:")
    assert "CP2K against PySCF" in blocks["two-programs"]
