"""What docs/models.md shows works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from aptbench.cli.main import build_app
from aptbench.errors import InputError
from aptbench.models import available_models, check_model, load_model
from aptbench.models.properties import PROPERTIES
from aptbench.models.registry import ModelFolder
from aptbench.testing import sample_frames

PROJECT = Path(__file__).parents[1]
TEXT = (PROJECT / "docs" / "models.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
FILES = {
    match[1]: text
    for _, text in BLOCKS
    if (match := re.match(r"# ([\w.-]+/[\w.-]+)\n", text)) is not None
}
SNIPPETS = [text for kind, text in BLOCKS if kind == "python" and text not in FILES.values()]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All files of the page, as a project whose baseline is the worked model."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "datasets").mkdir()
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "crowded-charge").symlink_to(tmp_path / "crowded-charge")
    monkeypatch.setenv("APTBENCH_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def _their_module(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(project / "crowded-charge")
    yield
    sys.modules.pop("crowded", None)


def test_the_page_is_read() -> None:
    assert len(FILES) == 8
    assert len(SNIPPETS) == 4


@pytest.mark.skipif(not (find_spec("torch") and find_spec("ase")), reason="needs torch and ase")
@pytest.mark.usefixtures("_their_module")
def test_the_snippets_run_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {"__name__": "snippets"}
    for text in SNIPPETS:
        exec(compile(text, "docs/models.md", "exec"), names)
    errors = [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("name", [n for n in FILES if n.endswith("model.yaml")])
def test_every_folder_is_described_as_it_must_be(name: str, project: Path) -> None:
    folder = ModelFolder.read(project / Path(name).parent)
    assert folder.name == Path(name).parent.name


def test_the_worked_model_is_a_baseline(project: Path) -> None:
    model = load_model("crowded-charge")
    report = check_model(model, sample_frames("molecule"))
    assert report.passed, str(report)
    assert np.ptp(model.predict(sample_frames("liquid"))[0, 1::3, 0, 0]) > 1e-4


def test_the_model_elsewhere_runs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELSEWHERE_PYTHON", sys.executable)
    with load_model("./elsewhere") as model:  # type: ignore[attr-defined]
        assert model.predict(sample_frames("molecule"))[0, 0, 1, 1] == -0.8
    monkeypatch.delenv("ELSEWHERE_PYTHON")
    with pytest.raises(InputError, match="no Python at this path"):
        load_model("./elsewhere")


@pytest.mark.engine
@pytest.mark.skipif(not (find_spec("tblite") and find_spec("ase")), reason="needs tblite and ase")
def test_the_yaml_of_tblite_gives_tensors(project: Path) -> None:
    report = check_model(load_model("./gfn2"), sample_frames("molecule")[:1], only=["curl"])
    assert report["curl"].value < 0.1
    apt = load_model("./gfn2").predict(sample_frames("molecule")[:1])
    assert np.abs(apt.sum(1)).max() < 1e-3
    assert apt[0, 1].trace() > 0.3


def test_the_tests_of_the_page_pass(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "crowded-tests"],
        capture_output=True,
        text=True,
        cwd=project,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b18 passed, 6 skipped", done.stdout), done.stdout


def install(site: Path, module: str, target: str) -> None:
    """What an installer leaves of a package with one entry point."""
    site.mkdir()
    (site / "crowded.py").write_text(module, encoding="utf-8")
    info = site / "crowded_charge-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: crowded-charge\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(f"[aptbench.models]\ncrowded = {target}\n")


MAKE = """
def make():
    return CrowdedCharge(coefficients={8: [-1.2, 0.46], 1: [0.59, -0.42]})
"""


def test_an_installed_package_is_found_by_its_entry_point(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tomllib

    points = tomllib.loads(FILES["crowded-package/pyproject.toml"])["project"]["entry-points"]
    install(
        project / "site",
        FILES["crowded-charge/crowded.py"] + MAKE,
        points["aptbench.models"]["crowded"],
    )
    monkeypatch.syspath_prepend(project / "site")
    monkeypatch.delitem(sys.modules, "crowded", raising=False)
    assert available_models()["crowded"] == "entry point crowded:make"
    model = load_model("crowded")
    assert model.name == "crowded"  # type: ignore[attr-defined]
    folder = load_model("crowded-charge")
    frames = sample_frames("molecule")
    np.testing.assert_array_equal(model.predict(frames), folder.predict(frames))
    # a folder of the project comes before a package of the same name
    (project / "baselines" / "crowded").symlink_to(project / "elsewhere")
    monkeypatch.setenv("ELSEWHERE_PYTHON", sys.executable)
    assert type(load_model("crowded")).__name__ == "ExternalPython"
    sys.modules.pop("crowded", None)


def test_a_broken_package_hinders_nobody_else(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(project / "site", "raise RuntimeError('no weights')\n", "crowded:make")
    monkeypatch.syspath_prepend(project / "site")
    monkeypatch.delitem(sys.modules, "crowded", raising=False)
    assert load_model("crowded-charge").predict(sample_frames("molecule")).shape == (2, 3, 3, 3)
    with pytest.raises(InputError, match=r"(?s)entry point 'crowded'.*no weights"):
        load_model("crowded")


def test_the_table_of_properties_is_complete() -> None:
    table = TEXT.split("<!-- properties -->")[1].split("<!-- end properties -->")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| `")]
    shown = {
        name: needed.strip().startswith("yes")
        for names, needed in rows
        for name in re.findall(r"`(\w+)`", names)
    }
    assert shown == {name: p.demanded for name, p in PROPERTIES.items()}


def test_the_table_of_adapters_is_complete() -> None:
    import aptbench.models.adapters as adapters

    shown = dict(re.findall(r"^\| `(\w+)` \(`(\w+)`\)", TEXT, re.MULTILINE))
    assert shown == {n: m for n, m in adapters._PUBLIC.items() if n[0].isupper()}
    for module in set(shown.values()):
        assert find_spec(f"aptbench.models.adapters.{module}"), module


def test_commands_exist_and_links_lead_somewhere(project: Path) -> None:
    app = build_app()
    for command in set(re.findall(r"(?:`|^)aptbench ([a-z-]+)", TEXT, re.MULTILINE)):
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0, command
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (PROJECT / "docs" / target).exists(), target
    listed = CliRunner().invoke(app, ["models"])
    assert "crowded-charge" in listed.output
    conformed = CliRunner().invoke(app, ["conform", "crowded-charge"])
    assert conformed.exit_code == 0, conformed.output


def test_yaml_blocks_are_yaml() -> None:
    for name, text in FILES.items():
        if name.endswith(".yaml"):
            assert yaml.safe_load(text)["class"]
