"""The engine: found, or asked for with the command that installs it."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from aptbench.errors import EngineError, MissingEngineError
from aptbench.reference.engine import Cp2k
from tests.reference import stand_in_cp2k
from tests.reference.stand_in_cp2k import alive, runs, take, wait_for


def test_missing_engine_names_the_install_command(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not Cp2k.available()
    with pytest.raises(MissingEngineError, match=r"apt-get install cp2k"):
        Cp2k()


def test_named_program_that_is_absent(tmp_path):
    with pytest.raises(MissingEngineError, match="no-such-program"):
        Cp2k(program=str(tmp_path / "no-such-program"))


@pytest.mark.engine
def test_version(cp2k):
    assert cp2k.version.startswith("CP2K 20")


@pytest.mark.engine
def test_a_broken_input_gives_the_end_of_the_output(cp2k, tmp_path):
    (tmp_path / "bad.inp").write_text("&GLOBAL\n  NO_SUCH_KEYWORD 1\n&END GLOBAL\n")
    with pytest.raises(EngineError, match="PROGRAM ENDED AT"):
        cp2k.run(tmp_path, "bad")


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv of util-linux")
def test_the_program_does_not_outlive_a_killed_caller(tmp_path):
    program = stand_in_cp2k.install(tmp_path / "bin")
    take(program, 600)
    folder = tmp_path / "frame-000000"
    folder.mkdir()
    code = (
        "from pathlib import Path; from aptbench.reference.engine import Cp2k; "
        f"Cp2k(program={str(program)!r}).run(Path({str(folder)!r}), 'a')"
    )
    caller = subprocess.Popen([sys.executable, "-c", code])
    wait_for(lambda: runs(program))
    caller.kill()
    caller.wait()
    wait_for(lambda: not alive(runs(program)[0][2]))
