"""The `aptbench` program: gathers the commands, and turns errors into messages and exit codes.

Exit codes: 0 done, 1 a check failed, 2 the input or the usage was wrong.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

import aptbench
import aptbench.cli
from aptbench.cli.panels import PanelGroup
from aptbench.errors import AptbenchError

if TYPE_CHECKING:
    from rich.console import Console

DEBUG_FLAG = "--debug"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aptbench {aptbench.__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(DEBUG_FLAG, help="Show the traceback of an error (anywhere in the line)."),
    ] = False,
) -> None:
    """The benchmark of machine-learned atomic polar tensors and infrared spectra."""


def build_app() -> typer.Typer:
    """Return the program with the commands of every module of `aptbench.cli` in it.

    A module takes part by having a function `register(app)`; a new group of commands is one new
    file, and names its panel of the help (`aptbench.cli.panels`). The modules import only typer at
    their top, so that `--help` is quick.
    """
    app = typer.Typer(
        name="aptbench",
        cls=PanelGroup,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for module in pkgutil.iter_modules(aptbench.cli.__path__):
        if module.name != "main":
            register = getattr(
                importlib.import_module(f"aptbench.cli.{module.name}"), "register", None
            )
            if register is not None:
                register(app)
    return app


def run(argv: Sequence[str] | None = None) -> None:
    """Run the program and leave the process with its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after the program's name; those of the process if None.

    Raises
    ------
    SystemExit
        Always. Code 2 for every `AptbenchError` and `OSError`, told on the standard error.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = DEBUG_FLAG in words
    words = [word for word in words if word != DEBUG_FLAG]
    try:
        build_app()(words, prog_name="aptbench")
    except AptbenchError as error:
        if debug:
            raise
        _print_error(error)
        raise SystemExit(2) from None
    except BrokenPipeError:
        # The reader of the pipe has left (`aptbench ... | head`): nobody is there to be told.
        sys.stderr.close()
        raise SystemExit(0) from None
    except OSError as error:
        if debug:
            raise
        _print_error(AptbenchError("Reading or writing failed.", got=error))
        raise SystemExit(2) from None


def _print_error(error: AptbenchError, console: Console | None = None) -> None:
    from rich.console import Console
    from rich.text import Text

    console = console or Console(stderr=True, highlight=False)
    console.print(Text.assemble(("Error: ", "bold red"), error.what.rstrip()), soft_wrap=True)
    rows = (("Got", error.got), ("Expected", error.expected), ("What to do", error.do))
    for label, part in rows:
        if part is not None:
            text = Text.assemble((f"  {label}: ", "bold"), str(part))
            console.print(text, soft_wrap=True)


if __name__ == "__main__":
    run()
