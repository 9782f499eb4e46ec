"""The pages of the leaderboard: content, links, damage, and a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aptbench.board import build_site
from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate.result import (
    Cost,
    Data,
    Inference,
    Metric,
    Model,
    Result,
    Training,
    write_result,
)

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


CARD = """---
machine: front-matter
---
# Card

<script>alert(1)</script>

|p|q|
|-|-|
|1|2|
"""


def cost(speed: float | None, parameters: int = 1234) -> Cost:
    inference = None
    if speed is not None:
        inference = Inference(
            atoms_per_second=speed, memory_mb=12.0, atoms=3, frames=3, repeats=3, threads=1
        )
    return Cost(parameters=parameters, training_seconds=90.0, inference=inference)


def result(name: str, rmse: float, current: float | None = 0.1, **changes: object) -> Result:
    metrics = {
        "rmse": Metric(value=rmse, low=0.9 * rmse, high=1.1 * rmse, unit="e"),
        "normalized_rmse": Metric(value=20 * rmse, unit="1"),
    }
    if current is not None:
        metrics["current_error"] = Metric(value=current, unit="1")
    fields = {
        "task": "synthetic/iid@1",
        "data": Data(name="synthetic", version="0.1.0", content_hash="sha256:1", system="a"),
        "split_hash": "1",
        "test_frames": 3,
        "model": Model(name=name, title=f"Title of {name}"),
        "metrics": metrics,
        "training": Training(status="other data", note="frames not recorded"),
        "cost": cost(1e5 * rmse),
        "versions": {"aptbench": "0.1.0"},
    }
    return Result.model_validate(fields | changes)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    for entry in (result("b", 0.05, 0.02), result("a", 0.01, 0.3), result("c", 0.02, None)):
        write_result(entry, folder / "synthetic" / "iid" / f"{entry.model.name}.json")
    return folder


def rows(page: str, number: int = 0) -> list[str]:
    """Names in one of the tables of a page."""
    table = page.split("<table")[number + 1].split("</table>")[0]
    return re.findall(r'<th scope="row" data-value="([^"]*)"', table)


def test_rows_are_ranked_and_trivial_models_marked(results: Path, tmp_path: Path) -> None:
    page = build_site(results, tmp_path / "site").read_text()
    assert rows(page) == ["a", "c", "b"]
    assert page.count('<span class="badge" title') == 1  # 20 * 0.05 is 1, the mean charge
    assert "0.0090–0.0110" in page
    assert "sha256:1" in page


def test_pages_need_nothing_from_elsewhere(results: Path, tmp_path: Path) -> None:
    for name in ("a", "../evil"):
        card = tmp_path / "models" / name / "card.md"
        card.parent.mkdir(parents=True, exist_ok=True)
        card.write_text(CARD)
    index = build_site(results, tmp_path / "site", models=tmp_path / "models")
    page = index.read_text()
    assert "http" not in page
    links = re.findall(r'href="([^"#]+)"', page)
    assert set(links) == {"models/a.html"}
    card_page = (index.parent / "models" / "a.html").read_text()
    assert "<script" not in card_page
    assert "front-matter" not in card_page
    assert "<td>1</td>" in card_page
    assert 'href="../index.html"' in card_page


def test_costs_are_a_table_a_picture_and_facts_of_a_model(results: Path, tmp_path: Path) -> None:
    for name in "abc":
        card = tmp_path / "models" / name / "card.md"
        card.parent.mkdir(parents=True, exist_ok=True)
        card.write_text("# Card\n")
    index = build_site(results, tmp_path / "site", models=tmp_path / "models")
    page = index.read_text()
    assert rows(page, 1) == ["a", "c", "b"]
    for text in ("1,234", "90 s", "other data", "3 frames of 3 atoms, 1 thread, cpu"):
        assert text in page
    assert 'src="data:image/svg+xml;base64,' in page
    model = (index.parent / "models" / "a.html").read_text()
    for text in ("synthetic/iid@1", "0.0100 e", "1,234", "frames not recorded"):
        assert text in model


def test_uncertainties_have_a_table_of_the_models_that_predict_them(
    results: Path, tmp_path: Path
) -> None:
    assert "Predicted uncertainties" not in build_site(results, tmp_path / "site").read_text()
    metrics = result("d", 0.04).metrics | {"z_score": Metric(value=1.7, unit="1")}
    write_result(result("d", 0.04, metrics=metrics), results / "synthetic" / "iid" / "d.json")
    page = build_site(results, tmp_path / "site").read_text()
    assert rows(page, 2) == ["d"]
    assert "1.700" in page


def test_results_without_cost_have_no_table_of_it(tmp_path: Path) -> None:
    old = result("old", 0.1, cost=None, training=None)
    write_result(old, tmp_path / "results" / "synthetic" / "iid" / "old.json")
    page = build_site(tmp_path / "results", tmp_path / "site").read_text()
    assert "<h3>Cost</h3>" not in page
    assert rows(page) == ["old"]


def test_names_in_results_are_text(tmp_path: Path) -> None:
    evil = result("m", 0.1, model=Model(name="<img src=x>", title="<b>bold</b>"))
    write_result(evil, tmp_path / "results" / "synthetic" / "iid" / "m.json")
    page = build_site(tmp_path / "results", tmp_path / "site", models=tmp_path).read_text()
    assert "<img src=x" not in page
    assert "<b>" not in page


def test_results_of_other_data_do_not_mix(results: Path, tmp_path: Path) -> None:
    write_result(result("d", 0.1, split_hash="2"), results / "synthetic" / "iid" / "d.json")
    with pytest.raises(AlignmentError, match="different data or splits"):
        build_site(results, tmp_path / "site")


def test_a_damaged_result_is_named(results: Path, tmp_path: Path) -> None:
    (results / "synthetic" / "iid" / "b.json").write_text("{")
    with pytest.raises(InputError, match=r"b\.json"):
        build_site(results, tmp_path / "site")


def test_without_results_the_page_says_how_to_make_some(tmp_path: Path) -> None:
    assert "No results yet" in build_site(tmp_path, tmp_path / "site").read_text()


@pytest.fixture
def dom(tmp_path: Path) -> Callable[[Path, str], str]:
    """Return the page as the browser sees it after a script has run."""
    if BROWSER is None:
        pytest.skip("chromium is not installed: apt-get install chromium")

    def render(page: Path, script: str) -> str:
        copy = page.with_name("with-script.html")
        text = page.read_text().replace("</body>", f"<script>{script}</script></body>")
        copy.write_text(text)
        done = subprocess.run(
            [
                str(BROWSER),
                *FLAGS,
                f"--user-data-dir={tmp_path / 'browser'}",
                "--window-size=1280,800",
                "--dump-dom",
                copy.as_uri(),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert "</html>" in done.stdout, done.stderr
        return done.stdout

    return render


@pytest.mark.parametrize(
    ("clicks", "order", "state"),
    [
        ([0], ["a", "b", "c"], "ascending"),
        ([0, 0], ["c", "b", "a"], "descending"),
        ([1], ["b", "c", "a"], "descending"),  # the page is sorted by its first number
        ([3], ["b", "a", "c"], "ascending"),
        ([3, 3], ["a", "b", "c"], "descending"),  # no value: last in both directions
    ],
)
def test_a_click_sorts(
    results: Path,
    tmp_path: Path,
    dom: Callable[[Path, str], str],
    clicks: list[int],
    order: list[str],
    state: str,
) -> None:
    script = "".join(f"document.querySelectorAll('th button')[{k}].click();" for k in clicks)
    page = dom(build_site(results, tmp_path / "site"), script)
    assert rows(page) == order
    scores = page.split("</table>")[0]
    assert re.findall(r'<th scope="col"[^>]*aria-sort="(\w+)"', scores) == [state]


@pytest.mark.parametrize(
    ("clicks", "order"),
    [
        ([], ["a", "c", "b"]),  # by the error
        ([2], ["b", "c", "a"]),  # the fastest first
        ([2, 2], ["a", "c", "b"]),
    ],
)
def test_costs_sort_by_what_is_good(
    results: Path,
    tmp_path: Path,
    dom: Callable[[Path, str], str],
    clicks: list[int],
    order: list[str],
) -> None:
    buttons = "document.querySelectorAll('table')[1].querySelectorAll('th button')"
    script = "".join(f"{buttons}[{k}].click();" for k in clicks)
    page = dom(build_site(results, tmp_path / "site"), script)
    assert rows(page, 1) == order
    assert rows(page, 0) == ["a", "c", "b"]


def test_a_phone_scrolls_the_table_and_not_the_page(
    results: Path, tmp_path: Path, dom: Callable[[Path, str], str]
) -> None:
    index = build_site(results, tmp_path / "site")
    frame = index.with_name("phone.html")
    frame.write_text(
        "<html><body><iframe src='index.html' style='width:390px;height:800px'></iframe>"
        "</body></html>"
    )
    # a page from the file system may not look into another: the page measures itself
    inside = index.read_text().replace(
        "</body>",
        "<script>parent.postMessage([innerWidth, document.documentElement.scrollWidth], '*')"
        "</script></body>",
    )
    index.write_text(inside)
    page = dom(
        frame,
        "addEventListener('message', (m) => { document.body.dataset.widths = m.data.join(); });",
    )
    found = re.search(r'data-widths="(\d+),(\d+)"', page)
    assert found is not None
    assert int(found[1]) == 390
    assert int(found[2]) <= 390
