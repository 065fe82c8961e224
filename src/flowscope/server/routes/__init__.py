"""The routes, one file a subject; `subject.py` is what they share.

executing.py   POST /api/execute-workflow, /api/execute-node
executions.py  the list, one execution, its events, stream, log and payloads
chronicles.py  timeline, any instant of the past, histogram, replay
previews.py    what an expression would come to
forks.py       retry, fork, the family of an execution
commands.py    start, cancel, pause, resume, signal
workflows.py   the library
triggers.py    which workflows are active, how their triggers are
hooks.py       webhooks
forms.py       the pages of forms
approvals.py   what waits for people, and decisions
catalogue.py   node types, what clients are to know
access.py      tickets, keys
secrets.py     secrets, credentials, variables
health.py      health, metrics
"""
