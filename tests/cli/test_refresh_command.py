"""`aptbench refresh`: drifted tables are named and left, then made anew; no page is forgotten."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path

import pytest

from aptbench.board.generated import refresh_file
from tests.conftest import Call

PROJECT = Path(__file__).parents[2]
BLOCK = "<!-- generated: {} -->\n{}\n<!-- end generated -->\n"
PAGES = {
    "README.md": "data",
    "datasets/synthetic-water/card.md": "summary",
    "docs/labelling.md": "recipe",
    "docs/reference.md": "metrics",
    "docs/spectra.md": "protocols",
}
OTHERS = {
    "comparison-travis.md": "benchmarks/travis.py",
    "debiased.md": "benchmarks/debiased.py",
    "spectral-metrics.md": "benchmarks/fidelity.py",
}
"""Pages of a script of their own; that of the last one is checked in tests/spectra."""


@pytest.fixture
def root(synthetic_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "project"
    store = Path("datasets") / "synthetic-water" / "synthetic-water.zarr"
    shutil.copytree(synthetic_project / store, copy / store)
    for name, block in PAGES.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text("Written by hand.\n\n" + BLOCK.format(block, "old"))
    monkeypatch.setenv("APTBENCH_ROOT", str(copy))
    return copy


def test_what_has_drifted_is_named_and_left_then_made_anew(root: Path, aptbench: Call) -> None:
    def texts() -> dict[str, bytes]:
        return {name: (root / name).read_bytes() for name in PAGES}

    before = texts()
    code, out, err = aptbench("refresh", "--check")
    assert code == 1, err
    assert sorted(out.splitlines()) == sorted(f"drifted: {name}" for name in PAGES)
    assert texts() == before
    code, out, _ = aptbench("refresh")
    assert code == 0
    assert sorted(out.splitlines()) == sorted(f"refreshed: {name}" for name in PAGES)
    for name in PAGES:
        text = (root / name).read_text()
        assert text.startswith("Written by hand.\n\n<!-- generated:")
        assert "\nold\n" not in text
        assert "| :-- |" in text
    after = texts()
    assert aptbench("refresh", "--check")[:2] == (0, "")
    # one number of one page
    page = root / "docs" / "spectra.md"
    page.write_text(page.read_text().replace("4000", "4001", 1))
    assert aptbench("refresh", "--check")[:2] == (1, "drifted: docs/spectra.md\n")
    assert aptbench("refresh")[0] == 0
    assert texts() == after


def test_every_page_with_a_generated_table_is_refreshed(
    monkeypatch: pytest.MonkeyPatch, aptbench: Call
) -> None:
    seen: list[Path] = []
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    monkeypatch.setattr(
        "aptbench.board.generated.refresh_file", lambda path, *_, **__: seen.append(path)
    )
    for made in ("card.card", "documents.document", "readme.readme", "reference.reference"):
        monkeypatch.setattr(f"aptbench.board.{made}_blocks", lambda *_: {})
    assert aptbench("refresh", "--check")[0] == 0
    generated = {
        path
        for path in (
            *PROJECT.glob("*.md"),
            *PROJECT.glob("docs/*.md"),
            *PROJECT.glob("datasets/*/card.md"),
        )
        if "<!-- generated:" in path.read_text(encoding="utf-8")
    }
    assert generated - set(seen) == {PROJECT / "docs" / name for name in OTHERS}
    for script in OTHERS.values():
        assert "refresh_file(" in (PROJECT / script).read_text(encoding="utf-8")


def test_pages_of_the_other_scripts_have_the_measured_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(PROJECT / "benchmarks"))
    debiased, travis = (importlib.import_module(name) for name in ("debiased", "travis"))
    page = PROJECT / "docs" / "debiased.md"
    assert not refresh_file(page, {"debiased": debiased.table()}, check=True), (
        "run: python benchmarks/debiased.py --tables-only"
    )
    blocks = travis.blocks(json.loads(travis.RESULT.read_text(encoding="utf-8")))
    assert not refresh_file(travis.PAGE, blocks, check=True), "the page is not that of the results"
