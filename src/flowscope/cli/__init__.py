"""The command line: `flowscope run FILE` and what belongs to it.

application.py   the commands and their options; `main`
complaints.py    every error as one sentence on stderr, and the exit code
documents.py     the workflow and the input that were named
running.py       run and resume: an engine, somebody watching, and signals
remote.py        watch, and run --url: the same for a run that a server executes
watcher.py       what is known of the run while it goes on; tells a display
live_tree.py     the display on a terminal
plain_lines.py   the display elsewhere
result.py        what is printed at the end
listings.py      events, executions, nodes
formats.py       durations, times, statuses as people read them
"""

from flowscope.cli.application import main

__all__ = ["main"]
