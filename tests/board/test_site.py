"""The pages of the leaderboard: content, links, damage, and a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aptbench.board import build_site
from aptbench.board.submission import Submission, write_submission
from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate.comparison import (
    Comparison,
    Gap,
    Place,
    read_comparison,
    write_comparison,
)
from aptbench.evaluate.result import (
    Band,
    Cost,
    Data,
    Inference,
    Metric,
    Model,
    Result,
    SpectrumSummary,
    SystemScores,
    Training,
    read_result,
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

[Splits](../../docs/splits.md), [elsewhere](https://example.org/a), [bad](javascript:alert(2))

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


def task_page(index: Path) -> Path:
    """Return the page of the only task."""
    return index.parent / "tasks" / "synthetic-iid-1.html"


def rows(page: str, number: int = 0) -> list[str]:
    """Names in one of the tables of the page of a task."""
    table = page.split("<table")[number + 1].split("</table>")[0]
    return re.findall(r'<th scope="row" data-value="([^"]*)"', table)


def test_rows_are_ranked_and_trivial_models_marked(results: Path, tmp_path: Path) -> None:
    page = task_page(build_site(results, tmp_path / "site")).read_text()
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
    page = task_page(index).read_text()
    for text in (page, index.read_text()):
        assert "http" not in text.replace("http://www.w3.org/2000/svg", ""), "but for a namespace"
    links = re.findall(r'href="([^"#]+)"', index.read_text())
    assert set(links) == {
        "style.css",
        "tasks/synthetic-iid-1.html",
        "results.json",
        "guides/glossary.html",
    }
    assert set(re.findall(r'href="([^"#]+)"', page)) == {
        "../style.css",
        "../models/a.html",
        "../index.html",
    }
    card_page = (index.parent / "models" / "a.html").read_text()
    assert "<script" not in card_page
    assert "front-matter" not in card_page
    assert "Splits, <a" in card_page, "a document that the site does not have is not linked"
    assert 'href="https://example.org/a"' in card_page
    assert 'href="javascript' not in card_page
    assert "<td>1</td>" in card_page
    assert 'href="../index.html"' in card_page


def test_costs_are_a_table_a_picture_and_facts_of_a_model(results: Path, tmp_path: Path) -> None:
    for name in "abc":
        card = tmp_path / "models" / name / "card.md"
        card.parent.mkdir(parents=True, exist_ok=True)
        card.write_text("# Card\n")
    index = build_site(results, tmp_path / "site", models=tmp_path / "models")
    page = task_page(index).read_text()
    assert rows(page, 1) == ["a", "c", "b"]
    for text in ("1,234", "90 s", "other data", "3 frames of 3 atoms, 1 thread, cpu"):
        assert text in page
    drawing = page.split('<figure class="points">')[1].split("</figure>")[0]
    assert re.findall(r'<a href="([^"]+)"', drawing) == [f"../models/{n}.html" for n in "acb"]
    assert 'aria-label="a: 0.0100 e, 1e3 atoms/s"' in drawing
    # a is the most accurate, b the fastest, and c neither
    assert len(drawing.split('class="front" points="')[1].split('"')[0].split()) == 3
    model = (index.parent / "models" / "a.html").read_text()
    for text in ("synthetic/iid@1", "0.0100 e", "1,234", "frames not recorded"):
        assert text in model


def test_uncertainties_have_a_table_of_the_models_that_predict_them(
    results: Path, tmp_path: Path
) -> None:
    before = task_page(build_site(results, tmp_path / "site")).read_text()
    assert "Predicted uncertainties" not in before
    metrics = result("d", 0.04).metrics | {"z_score": Metric(value=1.7, unit="1")}
    write_result(result("d", 0.04, metrics=metrics), results / "synthetic" / "iid" / "d.json")
    page = task_page(build_site(results, tmp_path / "site")).read_text()
    assert rows(page, 2) == ["d"]
    assert "1.700" in page


def test_spectrum_and_assignment_have_tables_of_their_own(results: Path, tmp_path: Path) -> None:
    modes = {f"assignment_error[{m}]": Metric(value=0.3, unit="1") for m in ("libration", "bend")}
    errors = {
        "current_error[all]": Metric(value=0.21, low=0.2, high=0.22, unit="1"),
        "band_integral_error[all]": Metric(value=-0.05, low=-0.1, high=0.01, unit="1"),
        "band_integral_error[bend]": Metric(value=0.4, low=0.1, high=0.7, unit="1"),
    }
    spectrum = SpectrumSummary(
        protocol="ir@1",
        frames=2001,
        time_step_fs=2.0,
        temperature_kelvin=300.0,
        bands={"bend": Band(low=1500.0, high=1800.0, integral=1e5)},
        metrics=errors,
        reference="7 RPBE labels, with a (frozen)",
    )
    kept = results / "synthetic" / "iid"
    for name, current in (("a", 0.21), ("b", 0.01)):
        mine = errors | {"current_error[all]": Metric(value=current, unit="1")}
        changed = spectrum.model_copy(update={"metrics": mine})
        error, labels = {"a": (0.01, 0.3), "b": (0.05, 0.05)}[name]
        entry = result(name, error, labels, spectrum=changed)
        entry = entry.model_copy(update={"metrics": entry.metrics | modes})
        write_result(entry, kept / f"{name}.json")
    write_result(result("c", 0.02, 0.7), kept / "c.json")
    (tmp_path / "models" / "a").mkdir(parents=True)
    (tmp_path / "models" / "a" / "card.md").write_text("# A\n")
    index = build_site(results, tmp_path / "site", models=tmp_path / "models")
    page = task_page(index).read_text()
    assert rows(page, 1) == ["a", "b"]  # c has no modes
    assert rows(page, 2) == ["b", "a", "c"]  # by the error of the current at the labels
    for text in ("7 RPBE labels, with a (frozen)", "bend 1500 to 1800", "-0.1000 to 0.0100"):
        assert text in page
    assert "Ordered by the current error at the test labels." in page
    assert "300 K as measured" in page
    table = page.split('aria-label="Errors of the spectrum')[1].split("</table>")[0]
    heads = re.findall(r"<button[^>]*>([^<]+)</button>", table)
    assert heads[1:4] == [
        "current error, test labels",
        "current error, whole segment (estimated)",
        "integral, all",
    ]
    best = re.findall(r'class="best">([^<]+)<', table)
    assert best == ["0.0500", "0.0100"], "of the two current errors, none of an integral"
    card = (index.parent / "models" / "a.html").read_text()
    for text in ("assignment, bend", "spectrum, integral, bend", "0.4000"):
        assert text in card


def groups(page: str) -> list[str]:
    """Return the groups in the table of spectra."""
    table = page.split('aria-label="Errors of the spectrum')[1].split("</table>")[0]
    return re.findall(r'<td data-value="(\d)"', table)


def test_spectra_have_groups_where_they_were_compared(results: Path, tmp_path: Path) -> None:
    errors = {"current_error[all]": Metric(value=0.2, low=0.1, high=0.3, unit="1")}
    spectrum = SpectrumSummary(
        protocol="ir@1",
        frames=9,
        time_step_fs=2.0,
        temperature_kelvin=300.0,
        bands={},
        metrics=errors,
        reference="labels",
    )
    for name in "ab":
        path = results / "synthetic" / "iid" / f"{name}.json"
        write_result(result(name, 0.01, spectrum=spectrum), path)
    places = (
        Place(model="b", value=0.1, group=1),
        Place(model="a", value=0.2, group=2, to_best=Gap(value=0.1, low=0.05, high=0.2, p=0.001)),
    )
    comparison = Comparison(
        task="synthetic/iid@1",
        of="spectrum",
        metric="relative_l1",
        unit="1",
        test_frames=9,
        confidence=0.95,
        level=0.05,
        places=places,
    )
    write_comparison(comparison, tmp_path / "comparisons")
    folders = {"comparisons": tmp_path / "comparisons"}
    page = task_page(build_site(results, tmp_path / "site", **folders)).read_text()
    assert rows(page, 1) == ["b", "a"]
    assert groups(page) == ["1", "2"]
    assert "0.1000 above the best, 95 % interval 0.0500 to 0.2000" in page
    assert "the same resampled blocks of time" in page
    assert page.count("anked by the relative L1 distance of the spectra") == 2
    sparse = comparison.model_copy(update={"metric": "current_error"})
    write_comparison(sparse, tmp_path / "comparisons")
    page = task_page(build_site(results, tmp_path / "s1", **folders)).read_text()
    assert page.count("anked by the current error at the test labels") == 2
    write_comparison(comparison.model_copy(update={"places": places[:1]}), tmp_path / "comparisons")
    page = task_page(build_site(results, tmp_path / "s2", **folders)).read_text()
    assert groups(page) == []  # a model was not compared
    alone = result("a", 0.01)  # without a spectrum, and so not in this comparison
    write_result(alone, results / "synthetic" / "iid" / "a.json")
    page = task_page(build_site(results, tmp_path / "s3", **folders)).read_text()
    assert groups(page) == ["1"]


def test_results_without_cost_have_no_table_of_it(tmp_path: Path) -> None:
    old = result("old", 0.1, cost=None, training=None)
    write_result(old, tmp_path / "results" / "synthetic" / "iid" / "old.json")
    page = task_page(build_site(tmp_path / "results", tmp_path / "site")).read_text()
    assert "<h2>Cost</h2>" not in page
    assert rows(page) == ["old"]


def test_names_in_results_are_text(tmp_path: Path) -> None:
    evil = result("m", 0.1, model=Model(name="<img src=x>", title="<b>bold</b>"))
    write_result(evil, tmp_path / "results" / "synthetic" / "iid" / "m.json")
    page = task_page(
        build_site(tmp_path / "results", tmp_path / "site", models=tmp_path)
    ).read_text()
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


def compared(tmp_path: Path) -> Path:
    """Write a comparison in which ``c`` is not told apart from ``a``; return its folder."""
    places = (
        Place(model="a", value=0.01, group=1),
        Place(
            model="c",
            value=0.02,
            group=1,
            to_best=Gap(value=0.01, low=-0.001, high=0.02, p=0.07),
            to_leader=Gap(value=0.01, low=-0.001, high=0.02, p=0.07),
        ),
        Place(model="b", value=0.05, group=2, to_best=Gap(value=0.04, low=0.03, high=0.05, p=0.0)),
    )
    comparison = Comparison(
        task="synthetic/iid@1",
        metric="rmse",
        unit="e",
        test_frames=3,
        confidence=0.95,
        level=0.05,
        noise_floor=0.0014,
        noise={"O": 0.0021},
        places=places,
    )
    write_comparison(comparison, tmp_path / "comparisons")
    return tmp_path / "comparisons"


def test_groups_differences_and_the_noise_of_labels(results: Path, tmp_path: Path) -> None:
    index = build_site(results, tmp_path / "site", comparisons=compared(tmp_path))
    assert "<td>a, c</td>" in index.read_text()
    page = task_page(index).read_text()
    scores = page.split("<table")[1].split("</table>")[0]
    assert re.findall(r'<td data-value="(\d)"', scores) == ["1", "1", "2"]
    assert "0.0100 above the best" in page
    assert "(p = 0.07)" in page
    assert "<tfoot>" in page
    assert "0.0014" in page.split("<tfoot>")[1]
    assert "0.0021" not in page, "there is no column for oxygen"
    for path in (results / "synthetic" / "iid").glob("*.json"):
        one = read_result(path)
        metrics = {**one.metrics, "rmse[O]": Metric(value=0.02, unit="e")}
        write_result(one.model_copy(update={"metrics": metrics}), path)
    index = build_site(results, tmp_path / "site", comparisons=tmp_path / "comparisons")
    foot = task_page(index).read_text().split("<tfoot>")[1].split("</tfoot>")[0]
    assert re.findall(r"<td>([\d.]*)</td>", foot)[:3] == ["", "0.0014", "0.0021"]
    # one that does not know all rows names no best model
    extra = read_result(results / "synthetic" / "iid" / "a.json")
    new = extra.model_copy(update={"model": extra.model.model_copy(update={"name": "new"})})
    write_result(new, results / "synthetic" / "iid" / "new.json")
    index = build_site(results, tmp_path / "site", comparisons=tmp_path / "comparisons")
    assert "<td>a, c</td>" not in index.read_text()
    (results / "synthetic" / "iid" / "new.json").unlink()
    # a comparison of another version of the task says nothing of this one
    other = read_comparison(tmp_path / "comparisons" / "synthetic" / "iid.json")
    write_comparison(other.model_copy(update={"task": "synthetic/iid@2"}), tmp_path / "comparisons")
    page = task_page(
        build_site(results, tmp_path / "s2", comparisons=tmp_path / "comparisons")
    ).read_text()
    assert "<tfoot>" not in page


def test_the_same_inputs_give_the_same_bytes(results: Path, tmp_path: Path) -> None:
    first = build_site(results, tmp_path / "one")
    second = build_site(results, tmp_path / "two")
    assert first.read_bytes() == second.read_bytes()
    data = (first.parent / "results.json").read_bytes()
    assert [one["model"]["name"] for one in json.loads(data)] == ["a", "b", "c"]


def test_pages_of_a_retired_task_go_and_files_of_others_stay(results: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    build_site(results, site)
    page = next((site / "tasks").glob("*.html"))
    retired = page.with_name("retired-1.html")
    shutil.copy(page, retired)
    own = page.with_name("own.html")
    own.write_text("<html></html>")
    build_site(results, site)
    assert (page.exists(), retired.exists(), own.exists()) == (True, False, True)


def test_systems_of_a_task_have_a_table(tmp_path: Path) -> None:
    systems = {
        name: SystemScores(test_frames=2, metrics={"rmse": Metric(value=value, unit="e")})
        for name, value in (("hcn", 0.011), ("co2", 0.022))
    }
    write_result(
        result("a", 0.01, systems=systems), tmp_path / "r" / "synthetic" / "iid" / "a.json"
    )
    page = task_page(build_site(tmp_path / "r", tmp_path / "site")).read_text()
    assert "System by system" in page
    for text in ("hcn", "0.0110", "co2", "0.0220"):
        assert text in page


def test_what_was_submitted_is_said_and_is_text(results: Path, tmp_path: Path) -> None:
    said = {
        "name": "a",
        "title": "<script>alert(1)</script>",
        "description": "A **model**. <script>alert(2)</script>",
        "authors": [{"name": "Ada <b>E</b>", "orcid": "0000-0002-1825-0097"}],
        "license": "MIT",
        "framework": "numpy",
        "cost": {"atoms_per_second": 5e5, "hardware": "1 accelerator"},
        "url": "https://example.org/a",
        "training": [],
        "predictions": [
            {"task": "synthetic/iid@1", "file": "p.npz", "sha256": 64 * "0", "bytes": 1}
        ],
    }
    write_submission(Submission.model_validate(said), tmp_path / "submissions" / "a")
    index = build_site(results, tmp_path / "site", submissions=tmp_path / "submissions")
    page, card = task_page(index).read_text(), (index.parent / "models" / "a.html").read_text()
    assert page.count(">submitted<") == 1
    assert "<strong>model</strong>" in card
    assert "0000-0002-1825-0097" in card
    assert "<dd>500k</dd>" in card
    assert "<dd>1 accelerator</dd>" in card
    assert "<script>alert" not in page + card
    assert "<b>" not in card


@pytest.mark.parametrize(
    ("typed", "shown"), [("", ["a", "c", "b", "d"]), ("of A", ["a", "b"]), ("zz", ["b"])]
)
def test_typing_filters_and_trivial_models_stay(
    results: Path, tmp_path: Path, dom: Callable[[Path, str], str], typed: str, shown: list[str]
) -> None:
    write_result(result("d", 0.03), results / "synthetic" / "iid" / "d.json")
    script = (
        f"const i = document.querySelector('.filter input'); i.value = '{typed}';"
        "i.dispatchEvent(new Event('input', {bubbles: true}));"
    )
    page = dom(task_page(build_site(results, tmp_path / "site")), script)
    table = page.split("<table")[1].split("</table>")[0]
    visible = [row for row in table.split("<tr")[2:] if "hidden" not in row.split(">")[0]]
    names = [re.search(r'data-value="([^"]*)"', row) for row in visible]
    assert sorted(name[1] for name in names if name) == sorted(shown)
    assert ("trivial ones always stay" in page.split("</main>")[0]) is bool(typed)


@pytest.fixture
def spectra(results: Path, tmp_path: Path) -> Path:
    """Files of `aptbench spectrum`, and a result that has a spectrum."""
    folder = tmp_path / "spectra" / "synthetic" / "iid"
    folder.mkdir(parents=True)
    names = ["wavenumber_cm-1", "one n*alpha_cm-1", "</script> n*alpha_cm-1"]
    names += [f"debiased reference{end}" for end in (" n*alpha_cm-1", " low", " high")]
    rows = [f"{w},{w},{2 * w},{3 * w},{2.5 * w},{3.5 * w}" for w in range(0, 4001, 2)]
    (folder / "spectrum.csv").write_text("\n".join([",".join(names), *rows]) + "\n")
    band = {
        "cm-1": [0.0, 4000.0],
        "models": {"one": [1e6, 9e5, 1.1e6]},
        "reference": [2e6, 1e6, 3e6],
    }
    error = {"value": 0.1, "low": 0.05, "high": 0.2, "model": "one", "unit": "1"}
    summary = {
        "n_labels": 7,
        "reference": "RPBE",
        "n_frames": 2001,
        "protocol": "ir@1",
        "debiased_with": "one",
        "band_integrals_cm-2": {"all": band, "bend": band | {"cm-1": [1500.0, 1800.0]}},
        "scores": [
            error | {"band": place, "metric": metric}
            for place in ("all", "bend")
            for metric in ("current_error", "band_integral_error")
        ],
    }
    (folder / "spectrum.json").write_text(json.dumps(summary))
    (folder / "spectrum.png").write_bytes(b"png")
    summary = SpectrumSummary(
        protocol="ir@1", frames=9, time_step_fs=2.0, temperature_kelvin=300.0, bands={}
    )
    write_result(result("a", 0.01, spectrum=summary), results / "synthetic" / "iid" / "a.json")
    return tmp_path / "spectra"


@pytest.mark.parametrize(
    ("script", "pressed", "said"),
    [
        ("", ["true"] * 3, "arrow keys"),
        ("buttons[0].click();", ["false", "true", "true"], "arrow keys"),
        ("for (const b of buttons) b.click();", ["false", "false", "true"], "arrow keys"),
        ("press('ArrowRight'); press('ArrowRight');", ["true"] * 3, "4 1/cm: one 4; "),
        ("touch();", ["true"] * 3, "1/cm: one "),
        (
            "press('PageUp'); press('PageUp');",
            ["true"] * 3,
            "reference with its 95 % band 300 [250",
        ),
    ],
)
def test_the_chart_of_spectra(
    results: Path,
    spectra: Path,
    tmp_path: Path,
    dom: Callable[[Path, str], str],
    script: str,
    pressed: list[str],
    said: str,
) -> None:
    index = build_site(results, tmp_path / "site", spectra=spectra)
    assert (index.parent / "pictures" / "synthetic-iid-1-spectrum.png").is_file()
    assert "The bands in numbers" in task_page(index).read_text()
    page = dom(
        task_page(index),
        "const buttons = document.querySelectorAll('.legend button');"
        "const press = (key) => document.querySelector('.chart svg')"
        ".dispatchEvent(new KeyboardEvent('keydown', {key}));"
        "const touch = () => { const svg = document.querySelector('.chart svg');"
        "const box = svg.getBoundingClientRect(); svg.dispatchEvent(new PointerEvent("
        "'pointerdown', {clientX: box.left + box.width / 2, clientY: box.top + 9})); };" + script,
    )
    chart = page.split('<figure class="chart"')[1].split("</figure>")[0]
    assert "<noscript><img" in task_page(index).read_text()
    assert re.findall(r'aria-pressed="(\w+)"', chart) == pressed
    assert len(re.findall(r'<path [^>]*fill="none"', chart)) == pressed.count("true")
    assert said in chart.split("<output>")[1].split("</output>")[0]


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
    page = dom(task_page(build_site(results, tmp_path / "site")), script)
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
    page = dom(task_page(build_site(results, tmp_path / "site")), script)
    assert rows(page, 1) == order
    assert rows(page, 0) == ["a", "c", "b"]


@pytest.mark.parametrize("page_of", [task_page, lambda index: index])
def test_a_phone_scrolls_the_table_and_not_the_page(
    results: Path,
    tmp_path: Path,
    dom: Callable[[Path, str], str],
    page_of: Callable[[Path], Path],
) -> None:
    index = page_of(build_site(results, tmp_path / "site"))
    frame = index.with_name("phone.html")
    frame.write_text(
        f"<html><body><iframe src='{index.name}' style='width:390px;height:800px'></iframe>"
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
