"""The engine: found, or asked for with the command that installs it."""

from __future__ import annotations

import pytest

from aptbench.errors import EngineError, MissingEngineError
from aptbench.reference.engine import Cp2k


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
