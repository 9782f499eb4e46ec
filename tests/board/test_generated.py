"""Generated blocks: replaced where they are, refused where they cannot be made."""

from __future__ import annotations

import pytest

from aptbench.board.generated import markdown_table, refresh_blocks, refresh_file
from aptbench.errors import InputError

TEXT = "before\n<!-- generated: n -->\nold\n<!-- end generated -->\nafter\n"


def test_only_the_body_of_a_block_changes():
    new = refresh_blocks(TEXT, {"n": "1\n2\n"})
    assert new == TEXT.replace("old", "\n1\n2\n")
    assert refresh_blocks(new, {"n": "1\n2\n"}) == new


def test_unknown_block_is_refused():
    with pytest.raises(InputError, match=r"'n' of card\.md"):
        refresh_blocks(TEXT, {"m": ""}, "card.md")


def test_check_tells_and_does_not_write(tmp_path):
    path = tmp_path / "card.md"
    path.write_text(TEXT)
    assert refresh_file(path, {"n": "new"}, check=True)
    assert path.read_text() == TEXT
    assert refresh_file(path, {"n": "new"})
    assert not refresh_file(path, {"n": "new"})


def test_table():
    assert markdown_table(["a", "b"], [["x", 1]]).splitlines()[1] == "| :-- | --: |"
