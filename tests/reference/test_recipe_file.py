"""Recipes that are none are told by what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from aptbench.errors import InputError
from aptbench.reference.label_settings import PyscfLabels
from aptbench.reference.recipe import Recipe


def test_what_is_wrong_with_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    for content, words in (
        (b"name: \xff\xfe\x00", "is not valid"),
        (b"name: water", "title: Field required"),
        (b"- water", "is not valid"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=words) as caught:
            Recipe.read(path)
        assert str(path) in str(caught.value)
        assert "For further information" not in str(caught.value)


def test_what_is_wrong_with_a_setting() -> None:
    settings = PyscfLabels(engine="pyscf", functional="pbe", basis="sto-3g")
    with pytest.raises(InputError, match="grid_level: Input should be a valid integer") as caught:
        settings.changed({"grid_level": "fine"})
    assert "For further information" not in str(caught.value)
