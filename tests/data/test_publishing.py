"""What docs/publishing.md and docs/versions.md show works as it stands there, offline."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
import yaml

from aptbench.data import Dataset, SystemData, verify, write_dataset
from aptbench.data.packed import pack_store
from aptbench.data.versioning import Level, compare_versions
from aptbench.tasks import Split, write_split
from tests.data.conftest import ATTRS, random_system
from tests.data.test_dvc import Shell

ROOT = Path(__file__).parents[2]
NAME, SYSTEM = "water", "water-300K-64"

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("dvc") is None, reason="the optional package dvc is not installed"
    ),
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed"),
]


def blocks(page: str) -> list[tuple[str, str]]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = re.findall(r"^```(bash|python)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert found
    return found


class RangeHandler(http.server.SimpleHTTPRequestHandler):
    """A web server as they are: it answers requests for ranges, and lists no folders."""

    sent = 0

    def log_message(self, *args: object) -> None:
        """Be quiet."""

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        self.send_error(404)

    def send_head(self) -> io.BytesIO | None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return None
        whole = path.read_bytes()
        first, last = 0, len(whole) - 1
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if wanted and wanted[1]:
            first, last = int(wanted[1]), min(int(wanted[2] or last), last)
        elif wanted:
            first = len(whole) - int(wanted[2])
        body = whole[first : last + 1]
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(whole)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            type(self).sent += len(body)
        return io.BytesIO(body)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a server on the loopback, and its folder."""
    folder = tmp_path_factory.mktemp("web")
    handler = functools.partial(RangeHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", folder
        server.shutdown()


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    made = Shell(tmp_path_factory.mktemp("shell") / "home")
    made.env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), made.env["PATH"]])
    made.env["NO_PROXY"] = made.env["no_proxy"] = "127.0.0.1"
    return made


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """A repository with two released versions of the data set ``water``, each with a tag."""
    root = tmp_path_factory.mktemp("origin") / "repository"
    (root / ".dvc").mkdir(parents=True)
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitattributes"):
        shutil.copy(ROOT / name, root / name)
    shell(root, "git", "init", "--quiet")
    folder = root / "datasets" / NAME
    whole = random_system()
    fewer = SystemData(
        whole.frames,
        whole.label_frame[[0, 2, 3]],
        whole.apt[[0, 2, 3]],
        times=whole.times,
        dipole=whole.dipole[[0, 2, 3]],
        wannier_centers=whole.wannier_centers[[0, 2, 3]],
        quality={name: column[[0, 2, 3]] for name, column in whole.quality.items()},
        provenance=whole.provenance,
    )
    for version, system in (("0.1.0", fewer), ("0.2.0", whole)):
        attrs = ATTRS | {"name": NAME, "version": version}
        path = folder / f"{NAME}.zarr"
        data = write_dataset(path, {SYSTEM: system}, attrs, overwrite=True)
        (folder / "card.md").write_text("# water\n\nRandom numbers.\n")
        split = Split(
            name="iid", dataset=NAME, content_hash=data.content_hash, system=SYSTEM,
            train=(0, 1), test=(2,), gap_fs=0.0, rule="the first ones",
        )  # fmt: skip
        write_split(split, folder / "splits" / "iid.json", overwrite=True)
        shell(root, "dvc", "add", f"datasets/{NAME}/{NAME}.zarr")
        shell(root, "dvc", "push")
        shell(root, "git", "add", ".")
        shell(root, "git", "commit", "--quiet", "-m", f"Data set {NAME} {version}")
        shell(root, "git", "tag", f"{NAME}-{version}")
    return root


def run_block(shell: Shell, kind: str, text: str, folder: Path) -> str:
    command = (
        ["bash", "-euo", "pipefail", "-c", text] if kind == "bash" else [sys.executable, "-c", text]
    )
    done = subprocess.run(
        command, cwd=folder, env=shell.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_publishing(shell, repository, web, tmp_path):
    address, folder = web
    shell.env |= {"REPOSITORY": str(repository), "ADDRESS": address, "WEB": str(folder)}
    shell.env |= {"REVISION": "water-0.1.0", "NEWER": "water-0.2.0"}
    printed = [run_block(shell, kind, text, tmp_path) for kind, text in blocks("publishing.md")]
    current = Dataset(repository / "datasets" / NAME / f"{NAME}.zarr")

    old = Dataset(tmp_path / "got" / "water.zarr")
    assert (old.version, old.n_labels(SYSTEM)) == ("0.1.0", 3)
    assert compare_versions(old, current).level is Level.MINOR
    assert compare_versions(old, current).label_index == {SYSTEM: (0, 2, 3)}

    imported = tmp_path / "study" / "water.zarr"
    assert Dataset(imported).version == "0.2.0"
    assert verify(imported).ok
    pointer = yaml.safe_load((tmp_path / "study" / "water.zarr.dvc").read_text())
    assert pointer["deps"][0]["repo"]["rev"] == "water-0.2.0"

    # What xarray read over the network is what is in the store.
    largest = float(np.abs(current.labelled(SYSTEM).apt[0]).max())
    assert f"e pol,disp {largest!r}\n" in printed
    assert RangeHandler.sent > 0

    reader = tmp_path / "reader" / "datasets" / NAME / f"{NAME}.zarr"
    assert Dataset(reader).content_hash == current.content_hash

    config = (tmp_path / "aptbench" / ".dvc" / "config").read_text()
    assert "endpointurl = https://s3.example.org" in config
    assert "profile" not in config

    with h5py.File(tmp_path / "aptbench" / "train.h5") as file:
        np.testing.assert_array_equal(
            file[f"{SYSTEM}/apt"][...], current.labelled(SYSTEM, [0, 1]).apt
        )
    described = json.loads((tmp_path / "aptbench/datasets/water/croissant.json").read_text())
    assert described["identifier"] == current.content_hash


def test_of_a_packed_store_only_the_arrays_that_are_asked_for_are_fetched(web, tmp_path):
    address, folder = web
    system = random_system(n_frames=15000, n_molecules=16)
    data = write_dataset(tmp_path / "large.zarr", {SYSTEM: system}, ATTRS | {"name": "large"})
    packed = pack_store(data, folder / "large.zip")
    RangeHandler.sent = 0
    with xr.open_datatree(
        f"zip://large.zarr::{address}/large.zip",
        engine="zarr",
        consolidated=False,
        storage_options={"http": {"block_size": 1 << 16}},
    ) as tree:
        apt = tree[SYSTEM]["apt"].values
    np.testing.assert_array_equal(apt, data.labelled(SYSTEM).apt)
    assert RangeHandler.sent < packed.size / 2


@pytest.mark.slow
def test_versions(shell, repository, tmp_path):
    shell.env |= {"REVISION": "water-0.1.0"}
    clone = tmp_path / "clone"
    shell(tmp_path, "git", "clone", "--quiet", str(repository), "clone")
    shell(clone, "dvc", "pull", "--quiet")
    # Old versions come first: the page explains before it shows how to get one.
    compare, diff, get, carry = [text for _, text in blocks("versions.md")]
    run_block(shell, "bash", get, clone)
    said = run_block(shell, "python", f"{compare}\n{carry}\nprint(train)", clone)
    assert said.splitlines() == [
        "minor 0.2.0",
        f"minor {SYSTEM}: 2 labels are added to 3, some before or between them: the indices of "
        "the old labels move",
        "[0, 2]",
    ]
    assert run_block(shell, "bash", diff, clone).startswith("water 0.1.0 to 0.2.0: minor\n")
    assert "old/" in shell(clone, "git", "status", "--porcelain").stdout
