"""docs/submitting.md leads from nothing to a row of a board, as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from aptbench.tasks import load_task

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"
TEXT = (DOCS / "submitting.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
FILES = {match[1]: text for _, text in BLOCKS if (match := re.match(r"# ([\w./-]+\.\w+)\n", text))}
SHELL = [text for kind, text in BLOCKS if kind == "bash"]
PYTHON = [text for kind, text in BLOCKS if kind == "python" and text not in FILES.values()]


def test_from_nothing_to_a_row(tmp_path: Path) -> None:
    assert (len(FILES), len(SHELL), len(PYTHON)) == (3, 3, 2)
    for name in ("datasets", "leaderboard", "baselines"):
        if name == "leaderboard":
            shutil.copytree(PROJECT / name / "results", tmp_path / name / "results")
        else:
            (tmp_path / name).symlink_to(PROJECT / name)
    version = load_task("water/iid").identity.partition("@")[2]
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("water/iid@3", f"water/iid@{version}"), encoding="utf-8")
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"APTBENCH_ROOT": str(tmp_path), "PATH": binaries}

    def run(*words: str) -> str:
        done = subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("bash", "-ec", SHELL[0])
    run("bash", "-ec", SHELL[1])
    run(sys.executable, "-c", PYTHON[0])
    run("bash", "-ec", SHELL[2])
    assert "(2, 192, 3)" in run(sys.executable, "-c", PYTHON[1])
    assert (tmp_path / "leaderboard" / "submissions" / "my-charges" / "submission.yaml").is_file()
    (page,) = (tmp_path / "leaderboard" / "site" / "tasks").glob("water-iid-*.html")
    assert "my-charges" in page.read_text()


@pytest.mark.parametrize("name", ["submission", "selection"])
def test_the_workflow_runs_the_base_branch_and_reads_only(name: str) -> None:
    text = (PROJECT / ".github" / "workflows" / f"{name}.yml").read_text()
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    events = workflow[True]  # YAML 1.1 reads the key "on" so
    assert list(events) == ["pull_request"]
    assert "secrets" not in text
    (job,) = workflow["jobs"].values()
    assert "permissions" not in job  # it would replace that of the workflow
    used = [step for step in job["steps"] if "uses" in step]
    assert [step["uses"] for step in used] == ["actions/checkout@v4", "actions/setup-python@v5"]
    checkout = used[0]["with"]
    assert checkout["ref"] == "${{ github.event.pull_request.base.sha }}"
    assert checkout["persist-credentials"] is False
    assert set(checkout) == {"ref", "fetch-depth", "persist-credentials"}  # no other repository
    # what a stranger can choose never becomes part of a script
    for step in job["steps"]:
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize(
    ("workflow", "file", "taken"),
    [
        (
            "submission",
            "leaderboard/submissions/{}/submission.yaml",
            "submissions/honest/submission.yaml",
        ),
        (
            "selection",
            "leaderboard/selections/water/iid/entries/{}.json",
            "selections/water/iid/honest.json",
        ),
    ],
)
def test_the_commands_that_take_a_submission_out_of_a_commit(
    workflow: str, file: str, taken: str, tmp_path: Path
) -> None:
    """The shell of a workflow, on an honest and a hostile pull request; another was accepted."""
    text = (PROJECT / ".github" / "workflows" / f"{workflow}.yml").read_text()
    steps = yaml.safe_load(text)["jobs"]["check"]["steps"]
    script = next(s["run"] for s in steps if "as data" in s.get("name", ""))
    origin = tmp_path / "origin"

    def git(*words: str, at: Path = origin) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
        done = subprocess.run(command, cwd=at, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    origin.mkdir()
    git("init", "-q", "-b", "main")
    (origin / "README").write_text("x")
    git("add", ".")
    git("commit", "-qm", "base")
    for number, name in ((1, "honest"), (2, "Bad$(touch x)")):
        git("checkout", "-q", "-b", f"pr{number}", "main")
        path = origin / file.format(name)
        path.parent.mkdir(parents=True)
        path.write_text("format: submission@1\n")
        (origin / "setup.py").write_text("raise SystemExit\n")
        git("add", ".")
        git("commit", "-qm", "submission")
        git("update-ref", f"refs/pull/{number}/head", "HEAD")
    git("checkout", "-q", "main")
    accepted = origin / file.format("accepted")
    accepted.parent.mkdir(parents=True)
    accepted.write_text("format: submission@1\n")
    accepted.with_name("standings.png").write_bytes(b"drawn by the maintainers")
    git("add", ".")
    git("commit", "-qm", "accepted since then")
    git("clone", "-q", str(origin), str(tmp_path / "base"), at=tmp_path)
    for number, code in ((1, 0), (2, 1)):
        temporary = tmp_path / f"temporary-{number}"
        temporary.mkdir()
        environment = os.environ | {
            "HEAD": git("rev-parse", f"refs/pull/{number}/head"),
            "NUMBER": str(number),
            "RUNNER_TEMP": str(temporary),
        }
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=tmp_path / "base",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        found = sorted(p.relative_to(temporary).as_posix() for p in temporary.rglob("*.*"))
        assert found == ([taken] if number == 1 else [])
        assert not (tmp_path / "base" / "setup.py").exists()


@pytest.mark.parametrize("page", ["submitting", "maintaining", "doctor", "data-selection"])
def test_links_lead_somewhere(page: str) -> None:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (DOCS / target).exists(), target
