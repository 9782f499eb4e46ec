"""A clone of a repository with an embedded DVC remote restores its data, byte by byte, offline."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aptbench.data import Dataset, root, verify
from aptbench.data.project import catalog

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("dvc") is None, reason="the optional package dvc is not installed"
    ),
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed"),
]


class Shell:
    """Runs git and dvc with their own configuration and caches, and no proxy to a network."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        identity = {"NAME": "Test", "EMAIL": "test@example.org"}
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(home / "site"),
            "OMP_NUM_THREADS": "1",
        }
        for who in ("AUTHOR", "COMMITTER"):
            self.env |= {f"GIT_{who}_{key}": value for key, value in identity.items()}

    def __call__(
        self, folder: Path, *words: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *words] if words[0] == "dvc" else list(words)
        done = subprocess.run(
            command, cwd=folder, env=self.env, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("shell") / "home")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory, shell: Shell, sound_store: Path) -> Path:
    """A repository with this project's DVC configuration, and one data set pushed and committed."""
    folder = tmp_path_factory.mktemp("origin") / "repository"
    (folder / ".dvc").mkdir(parents=True)
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitattributes"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(sound_store, folder / "datasets" / "tiny" / "tiny.zarr")
    shell(folder, "git", "init", "--quiet")
    shell(folder, "dvc", "add", "datasets/tiny/tiny.zarr")
    shell(folder, "dvc", "push")
    shell(folder, "git", "add", ".")
    shell(folder, "git", "commit", "--quiet", "-m", "Add a data set")
    tracked = shell(folder, "git", "ls-files").stdout
    assert "datasets/tiny/tiny.zarr.dvc" in tracked
    assert "datasets/store/files/md5/" in tracked
    assert "datasets/tiny/tiny.zarr/" not in tracked
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.mark.parametrize("autocrlf", ["false", "true"])
def test_a_clone_with_an_empty_cache_restores_identical_bytes(
    origin, shell, sound_store, tmp_path, monkeypatch, autocrlf
):
    clone = tmp_path / "clone"
    shell(
        tmp_path, "git", "clone", "--quiet", "-c", f"core.autocrlf={autocrlf}", str(origin), "clone"
    )
    assert not (clone / ".dvc" / "cache").exists()
    monkeypatch.setenv("APTBENCH_ROOT", str(clone))
    assert root() == clone
    entry = catalog()["tiny"]
    assert not entry.available
    # Exactly the command that aptbench proposes, from the root of the project.
    shell(clone, *entry.pull_command.split())
    restored = clone / "datasets" / "tiny" / "tiny.zarr"
    assert contents(restored) == contents(sound_store)
    assert verify(restored).ok
    assert shell(clone, "git", "status", "--porcelain").stdout == ""


def test_a_damaged_store_is_repaired_by_the_proposed_command(origin, shell, sound_store, tmp_path):
    shell(tmp_path, "git", "clone", "--quiet", str(origin), "clone")
    shell(tmp_path / "clone", "dvc", "pull")
    store = tmp_path / "clone" / "datasets" / "tiny" / "tiny.zarr"
    (store / "liquid" / "apt" / "zarr.json").write_text("{}")
    advice = verify(store).repair
    assert advice is not None
    command = advice.split(" restores")[0]
    shell(tmp_path / "clone", *command.split())
    assert contents(store) == contents(sound_store)
    assert Dataset(store).name == "tiny"


def test_a_damaged_remote_is_refused(origin, shell, tmp_path):
    shell(tmp_path, "git", "clone", "--quiet", str(origin), "clone")
    objects = tmp_path / "clone" / "datasets" / "store" / "files" / "md5"
    victim = max((p for p in objects.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    victim.chmod(0o644)
    victim.write_bytes(victim.read_bytes() + b"x")
    assert shell(tmp_path / "clone", "dvc", "pull", check=False).returncode != 0
