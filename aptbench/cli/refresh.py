"""`aptbench refresh`: the generated tables of README, cards and docs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aptbench.cli.panels import OTHER


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("refresh", rich_help_panel=OTHER)(refresh)


def refresh(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 if a table has drifted.")
    ] = False,
) -> None:
    """Make the tables of README, cards and docs anew from data and results."""
    from aptbench.board.card import card_blocks
    from aptbench.board.documents import document_blocks
    from aptbench.board.generated import refresh_file
    from aptbench.board.readme import readme_blocks
    from aptbench.board.reference import reference_blocks
    from aptbench.cli.main import build_app
    from aptbench.data import root

    project = root()
    drifted = [
        card
        for card in sorted(project.glob("datasets/*/card.md"))
        if refresh_file(card, card_blocks(card.parent), check=check)
    ]
    of_documents, of_code = document_blocks(project), reference_blocks(build_app)
    pages = {
        project / "README.md": readme_blocks(project),
        **dict.fromkeys(_documents(project), of_documents),
        project / "docs" / "reference.md": of_code,
        project / "docs" / "labelling.md": of_code,
    }
    drifted += [
        page
        for page, blocks in pages.items()
        if page.exists() and refresh_file(page, blocks, check=check)
    ]
    for path in drifted:
        typer.echo(f"{'drifted' if check else 'refreshed'}: {path.relative_to(project)}")
    raise typer.Exit(1 if check and drifted else 0)


def _documents(project: Path) -> list[Path]:
    """Pages of ``docs`` whose tables are made here; the others have a script of their own."""
    names = (
        "spectra",
        "statistics",
        "engines",
        "learning-curves",
        "published-water",
        "comparison-published",
        "data-format",
        "data-selection",
        "training",
        "results",
    )
    return [project / "docs" / f"{name}.md" for name in names]
