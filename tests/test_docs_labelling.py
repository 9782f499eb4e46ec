"""What docs/labelling.md shows works as it stands there, with a stand-in for the engine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_label_command import environment, make_project
from tests.reference.stand_in_cp2k import runs

pytest.importorskip("distributed")

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "labelling.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
SHELL = [text for kind, text in BLOCKS if kind == "bash"]
SLURM, COST = (text for kind, text in BLOCKS if kind == "python")

SBATCH = """#!/bin/sh
# A stand-in for SLURM: it keeps the script, which its caller deletes once this returns; a job
# starts at once, on this computer, and ends with its scancel.
cp "$1" job.sh
setsid bash job.sh > job.log 2>&1 < /dev/null &
echo $! > job.pid
echo "Submitted batch job 17"
"""
SCANCEL = """#!/bin/sh
kill -- -$(cat job.pid)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return make_project(tmp_path)


# On a busy computer a worker may need long to start, and Dask starts no other.
PATIENCE = {
    "DASK_JOBQUEUE__SLURM__DEATH_TIMEOUT": "250",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "120s",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "120s",
}


def run(root: Path, *words: str, timeout: float = 300) -> str:
    """Run a command; nothing that it has started may outlive it."""
    with subprocess.Popen(
        words,
        cwd=root,
        env=environment(root) | PATIENCE,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            out, _ = process.communicate(timeout=timeout)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, out
    return out


def records(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "datasets" / "water" / "records").iterdir())


@pytest.mark.parametrize("block", range(len(SHELL)))
def test_the_commands_label(block: int, tmp_path: Path, program: Path) -> None:
    out = run(tmp_path, "bash", "-ec", SHELL[block])
    assert "3 frames labelled" in out
    assert records(tmp_path) == [f"frame-{n:06d}.h5" for n in range(3)]
    assert len(runs(program)) == 21
    said = run(tmp_path, sys.executable, "-c", COST)
    assert re.fullmatch(r"3 labels, 0\.\d{4} core-hours, 0\.\d{4} for the dearest\n", said)


def test_the_jobs_of_the_queue(tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    (tmp_path / "label_slurm.py").write_text(SLURM)
    show = "import label_slurm\nwith label_slurm.jobs_of_workers() as c: print(c.job_script())"
    script = run(tmp_path, sys.executable, "-c", show)
    for line in (
        "#SBATCH -p standard",
        "#SBATCH -A my-project",
        "#SBATCH --cpus-per-task=16",
        "#SBATCH -t 24:00:00",
    ):
        assert line in script.splitlines()
    load, worker = script.strip().splitlines()[-2:]
    assert load == "module load cp2k"
    assert re.search(r"dask_worker tcp://\S+ .*--nthreads 1 .*--nworkers 16 --nanny", worker)
    assert worker.endswith("--memory-limit 0"), "the last of two limits counts"


def test_the_script_of_the_queue_labels(tmp_path: Path, program: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    one = SLURM.replace("cores=16", "cores=1").replace("processes=16", "processes=1")
    (tmp_path / "label_slurm.py").write_text(one.replace("jobs=4", "jobs=1"))
    words = (sys.executable, "label_slurm.py", "datasets/water/recipe.yaml")
    out = run(tmp_path, *words)
    assert "not converged: []" in out
    assert records(tmp_path) == [f"frame-{n:06d}.h5" for n in range(3)]
    assert "not converged" not in (tmp_path / "job.log").read_text()


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (DOCS / target).exists(), target
