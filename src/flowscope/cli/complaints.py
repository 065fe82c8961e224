"""Every error as one sentence on stderr, and the exit code that goes with it.

0    success
1    the run failed, or the store, or we did
2    what was asked for is not right: the definition, an input, an option
130  interrupted; the run can be taken up again
"""

from __future__ import annotations

import sys
import traceback
from typing import Final

from rich.console import Console
from rich.markup import escape

from flowscope.errors import DefinitionInvalid, FlowscopeError, UserError

SUCCESS: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130


def complain(error: BaseException, *, debug: bool = False) -> int:
    """Say what went wrong; the exit code."""
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, DefinitionInvalid):
        list_problems(error)
    elif isinstance(error, FlowscopeError):
        say_error(str(error))
    else:
        what = str(error) or type(error).__name__
        hint = "" if debug else ". This is a fault of flowscope; `flowscope --debug …` shows where"
        say_error(f"Unexpected {type(error).__name__}: {what}{hint}")
    return USAGE if isinstance(error, UserError) else FAILED


def list_problems(error: DefinitionInvalid, name: str = "The workflow") -> None:
    """All that is wrong with a definition, each with its place and remedy."""
    count = len(error.problems)
    console = _stderr()
    console.print(f"[bold red]Error:[/] {escape(name)} has {count:,} problem{'' if count == 1 else 's'}:")
    for problem in error.problems:
        place = f"[bold]{escape(_visible(problem.place))}[/]: " if problem.place else ""
        console.print(f"  [red]•[/] {place}{escape(_visible(problem.message))}")
        if problem.remedy:
            console.print(f"    [dim]→ {escape(_visible(problem.remedy))}[/]")


def say_error(sentence: str) -> None:
    """One sentence that begins with `Error:`."""
    _stderr().print(f"[bold red]Error:[/] {escape(_visible(sentence))}")


def say_note(sentence: str) -> None:
    """Something to know that is no error, beside the result."""
    _stderr().print(f"[dim]{escape(_visible(sentence))}[/]")


def _stderr() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


def _visible(text: str) -> str:
    """Text from a file may hold control characters, which are not for a terminal to obey."""
    return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text)
