"""What starts runs by itself, while a workflow is active: times, files, the ends of other runs.

recurrence.py  when something recurs: cron with time zones, intervals
standing.py    which times that came due start a run: missed ones, overlapping ones; a pure decision
folder.py      what has happened in a folder
trigger.py     one trigger of an active workflow: does what is due, says when to come again
timed.py       schedule, interval
watched.py     file_watch
endings.py     workflow_trigger
desk.py        TriggerDesk: all of them, started and stopped as one

Exactly once: what is decided is on disk before anything starts, and starting is idempotent, for a run's id follows from the
workflow, the trigger and what made it fire.
"""

from flowscope.triggers.desk import TriggerDesk
from flowscope.triggers.standing import firing_id
from flowscope.triggers.trigger import Firing, TriggerState

__all__ = ["Firing", "TriggerDesk", "TriggerState", "firing_id"]
