"""JSON files as objects, and what is said of those that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from aptbench.errors import InputError
from aptbench.json_file import faults, read_json


class Box(BaseModel):
    edges: list[int]


def test_a_binary_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "box.json"
    path.write_bytes(b'{"edges": ["\xff\xfe"]}')
    with pytest.raises(InputError, match=r"The box .*box\.json is not valid") as caught:
        read_json(Box, path, "box", "aptbench box")
    assert caught.value.do == "aptbench box"


def test_every_fault_has_its_place_and_many_are_counted() -> None:
    with pytest.raises(ValidationError) as caught:
        Box.model_validate({"edges": ["a"] * 10})
    said = faults(caught.value)
    assert said.startswith("edges.0: Input should be a valid integer")
    assert said.endswith("and 2 more")
    assert "edges.7: " in said
    assert "errors.pydantic.dev" not in said
    with pytest.raises(ValidationError) as caught:
        Box.model_validate(3)
    assert faults(caught.value).startswith("Input should be")
