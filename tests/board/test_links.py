"""The site stands alone: every link of it leads into it, to a page, a place or a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from aptbench.board import build_site
from aptbench.board.glossary_terms import TERMS
from aptbench.evaluate.result import (
    Band,
    Cost,
    Data,
    Metric,
    Model,
    Result,
    SpectrumSummary,
    write_result,
)

PROJECT = Path(__file__).parents[2]


def result(data: str, model: str, rmse: float = 0.1) -> Result:
    names = ("rmse", "rmse[O]", "rmse[L=1]", "normalized_rmse", "current_error", "z_score")
    names += ("assignment_error", "assignment_error[bend]", "sum_rule_residual")
    errors = ("current_error[all]", "relative_l1[all]", "band_integral_error[bend]")
    spectrum = SpectrumSummary(
        protocol="ir@1",
        frames=9,
        time_step_fs=2.0,
        temperature_kelvin=300.0,
        bands={"bend": Band(low=1500.0, high=1800.0, integral=1.0)},
        metrics={name: Metric(value=0.2, unit="1") for name in errors},
    )
    return Result(
        task=f"{data}/made-up@1",
        data=Data(name=data, version="0.1.0", content_hash="sha256:1", system="a"),
        split_hash="1",
        test_frames=3,
        model=Model(name=model, title=model),
        metrics={name: Metric(value=rmse, unit="1") for name in names},
        spectrum=spectrum,
        cost=Cost(parameters=3),
        versions={"aptbench": "0.1.0"},
    )


def links(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield every link of every page, but for those to the web."""
    for page in sorted(folder.rglob("*.html")):
        for link in re.findall(r'(?:href|src)="([^"]*)"', page.read_text(encoding="utf-8")):
            if not re.match(r"(https?|mailto):", link):
                yield page, link


def broken(folder: Path) -> list[tuple[str, str]]:
    """Return page and link of what leads nowhere, or out of the folder."""
    root, found = folder.resolve(), []
    for page, link in links(folder):
        path, _, place = link.partition("#")
        target = (page.parent / path).resolve() if path else page.resolve()
        inside = target.is_relative_to(root) and target.is_file()
        if not inside or (place and f'id="{place}"' not in target.read_text(encoding="utf-8")):
            found.append((page.relative_to(folder).as_posix(), link))
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Documents and cards that link to each other, to files, and to what is not there."""
    texts = {
        "README.md": "# P\n\n## Score your model\n\n[models](docs/models.md#a-b), [](LICENSE)\n",
        "LICENSE": "all rights",
        "secret.png": "outside",
        "work/docs/submitting.md": "# Submitting\n\n[m](models.md) [d](../datasets/d/card.md)\n"
        "[self](#submitting-2)\n\n## Submitting 2\n",
        "work/docs/models.md": "# Models\n\n## a `b`\n\n## a b\n\n[back](submitting.md)\n"
        "![a picture](p/one.png) ![lost](p/lost.png) [yaml](../about.yaml) [folder](p)\n"
        "[gone](gone.md) [out](../../secret.png) [web](https://example.org)\n"
        "[second](#a-b-1) [e](../datasets/e/card.md) [m](../models/m/card.md)\n",
        "work/docs/unlinked.md": "# Unlinked\n",
        "work/docs/p/one.png": "png",
        "work/about.yaml": "name: a\n",
        "work/datasets/d/card.md": "# D\n\n[e](../e/card.md) [docs](../../docs/models.md)\n",
        "work/datasets/e/card.md": "# E\n\n[d](../d/card.md)\n",
        "work/models/m/card.md": "# M\n",
    }
    texts["work/README.md"] = texts.pop("README.md")
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    write_result(result("d", "m"), tmp_path / "work/results/d/made-up/m.json")
    return tmp_path / "work"


def build(project: Path, results: Path, out: Path) -> Path:
    folders = {name: project / name for name in ("datasets", "docs")}
    return build_site(results, out, models=project / "models", **folders).parent


def test_what_is_linked_becomes_a_page_or_a_copy_and_all_else_is_words(project: Path) -> None:
    site = build(project, project / "results", project / "site")
    assert broken(site) == []
    guide = (site / "guides" / "models.html").read_text()
    for link in ("submitting.html", "../files/docs/p/one.png", "../files/about.yaml", "#a-b-1"):
        assert f'="{link}"' in guide
    for link in ("../data/e.html", "../models/m.html", "https://example.org"):
        assert f'="{link}"' in guide
    assert "lost" in guide  # the words stay
    assert not re.search(r"gone\.|lost\.|secret|unlinked", guide)
    assert (site / "files/docs/p/one.png").read_text() == "png"
    assert not (site / "guides" / "unlinked.html").exists()
    assert not list(site.rglob("secret.png"))
    index = (site / "index.html").read_text()
    assert index.index('href="guides/start.html"') < index.index('href="guides/submitting.html"')
    start = (site / "guides" / "start.html").read_text()
    assert 'href="models.html#a-b"' in start


def test_no_link_of_the_documents_and_cards_of_this_project_leaves_the_site(
    tmp_path: Path,
) -> None:
    for folder in sorted((PROJECT / "datasets").iterdir()):
        if (folder / "card.md").is_file():
            for model in ("constant-charge", "e3nn-reference"):
                one = result(folder.name, model, 0.1 if model == "e3nn-reference" else 0.2)
                write_result(one, tmp_path / f"results/{one.task_name}/{model}.json")
    site = build_site(
        tmp_path / "results",
        tmp_path / "site",
        models=PROJECT / "baselines",
        datasets=PROJECT / "datasets",
        docs=PROJECT / "docs",
    ).parent
    assert broken(site) == []
    assert len(list(links(site))) > 300
    start = (site / "guides" / "start.html").read_text()
    for words in ("make benchmark", "aptbench run water/iid --model my-model", "submit check"):
        assert words in start
    glossary = (site / "guides" / "glossary.html").read_text()
    assert all(f'id="{term.place}"' in glossary for term in TERMS)


def test_heads_of_tables_are_explained_without_a_pointer(project: Path) -> None:
    site = build(project, project / "results", project / "site")
    page = (site / "tasks" / "d-made-up-1.html").read_text()
    described = re.findall(r'<button type="button"[^>]*aria-describedby="([^"]+)"', page)
    buttons = re.findall(r'<th scope="col"[^>]*><button[^>]*>([^<]*)', page)
    assert len(described) == len([name for name in buttons if name != "model"]) > 10
    for place in described:
        (words,) = re.findall(rf'<span id="{place}">([^<]+)</span>', page)
        assert words
    for term in TERMS:
        assert (
            f'href="../guides/glossary.html#{term.place}"' in page or term.place == "equivariance"
        )
