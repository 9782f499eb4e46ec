"""The package as a whole: light to import, true to its layers, its tables not drifted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    return set(done.stdout.split())


def test_importing_the_package_imports_nothing_heavy():
    loaded = modules_after("import aptbench")
    assert not loaded & {"numpy", "torch", "e3nn", "xarray", "zarr", "ase", "matplotlib", "dvc"}


def test_the_commands_load_without_the_extras():
    loaded = modules_after("from aptbench.cli.main import build_app; build_app()")
    assert not loaded & {"torch", "e3nn", "ase", "matplotlib", "dvc"}


def test_the_package_never_imports_dvc():
    sources = (PROJECT / "aptbench").rglob("*.py")
    assert not [p for p in sources if "import dvc" in p.read_text() or "from dvc" in p.read_text()]


def test_layers_import_one_way_only():
    pytest.importorskip("importlinter")
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        capture_output=True,
        text=True,
        cwd=PROJECT,
    )
    assert done.returncode == 0, done.stdout


def test_version_is_that_of_the_citation_file():
    import yaml

    import aptbench

    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text())
    assert citation["version"] == aptbench.__version__
