"""One worker process, as the pool sees it: a line, a process id once it has spoken, and the task it has."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec

from flowscope.errors import FlowscopeError, NodeTimeout, WorkerLost, WorkerTimeout
from flowscope.execution.events import ErrorInfo
from flowscope.execution.state import encode_json
from flowscope.log import get_logger
from flowscope.nodes.answer import Answer
from flowscope.orchestrator.attempt import HandlerFailed
from flowscope.orchestrator.job import look_up
from flowscope.orchestrator.payloads import must_fit
from flowscope.workers.answers import unpack
from flowscope.workers.assignment import Assignment
from flowscope.workers.frames import (
    Answered,
    Asked,
    Cancel,
    Failed,
    Inbox,
    Ready,
    Run,
    Said,
    Started,
    Told,
    send_at_once,
)
from flowscope.workers.settings import WorkerSettings

log = get_logger("flowscope.workers")

LOADING: Final = 60.0
"""Seconds a process may take to import a handler."""

CANCEL_GRACE: Final = 1.0
"""Seconds a handler has to see that it is cancelled, before its process is killed."""


class Overseer(Protocol):
    """Who is told of a process."""

    def ready(self, worker: Worker) -> None:
        """It takes tasks."""
        ...

    def done(
        self, worker: Worker, assignment: Assignment, answer: Any, failure: BaseException | None, *, spent: bool
    ) -> None: ...

    def broken(self, worker: Worker) -> None:
        """It has closed its line, or must not be used any more: it is to be killed."""
        ...


class Worker:
    """Belongs to the event loop. It is gone when the fork server has said so, and not before: then nothing of it runs."""

    def __init__(self, line: socket.socket, overseer: Overseer, settings: WorkerSettings) -> None:
        self.pid = 0
        self.assignment: Assignment | None = None
        self.served = 0
        self.dying = False
        self._line = line
        self._overseer = overseer
        self._settings = settings
        self._inbox = Inbox()
        self._verdict: BaseException | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        line.setblocking(False)
        self._loop.add_reader(line.fileno(), self._readable)

    def give(self, assignment: Assignment) -> None:
        """Have it run a task."""
        self.assignment = assignment
        self.served += 1
        job, assignment.job = assignment.job, ()
        try:
            sent = send_at_once(self._line, Run(task=self.served, memory=self._settings.memory), *job)
        except OSError:
            sent = False
        if sent:
            self._arm(LOADING, lambda: self.kill(self._too_long(LOADING * 1000)))
        else:
            self.kill()

    def cancel(self) -> None:
        """Nobody waits for its task any more: it is told, and killed if that does not help."""
        try:
            send_at_once(self._line, Cancel(task=self.served))
        except OSError:
            return self.kill()
        self._arm(CANCEL_GRACE, self.kill)

    def kill(self, verdict: BaseException | None = None) -> None:
        """End it; `verdict` is what its task is told. Safe twice."""
        self._disarm()
        if not self.dying:
            self.dying = True
            self._verdict = verdict
            self._overseer.broken(self)

    def close(self) -> None:
        """Nothing is read from it any more; an idle process ends by that. Safe twice."""
        self._disarm()
        if self._line.fileno() >= 0:
            self._loop.remove_reader(self._line.fileno())
            self._line.close()
        self._inbox.close()

    def gone(self, status: int | None) -> BaseException:
        """It has ended: what its task is told."""
        self.close()
        if self._verdict is not None:
            return self._verdict
        return WorkerLost(f"The worker process that ran it {_how(status)}", chances=self._settings.retry_attempts)

    # --- what it says ---

    def _readable(self) -> None:
        try:
            more = self._inbox.read(self._line)
            for message, payload in self._inbox.messages():
                self._take(message, payload)
        except BlockingIOError:
            return
        except (OSError, msgspec.MsgspecError, LookupError) as error:
            log.warning("worker_line_broken", pid=self.pid, error=str(error))
            more = False
        if not more and self._line.fileno() >= 0:
            self._loop.remove_reader(self._line.fileno())
            self.kill()

    def _take(self, message: Any, payload: bytes) -> None:
        if isinstance(message, Ready):
            self._overseer.ready(self)
            return
        assignment = self.assignment
        if assignment is None or message.task != self.served or self.dying:
            return
        if isinstance(message, Started):
            self._started(assignment)
            return
        if isinstance(message, Asked):
            self._asked(assignment, message)
        elif isinstance(message, Said):
            if assignment.report is not None:
                _speak(assignment, message)
        elif isinstance(message, Answered):
            self._answered(assignment, message, payload)
        elif isinstance(message, Failed):
            failure = HandlerFailed(msgspec.msgpack.decode(message.error, type=ErrorInfo))
            self._done(assignment, None, failure, spent=message.spent)

    def _started(self, assignment: Assignment) -> None:
        if assignment.report is None:
            return  # the timer is that of its cancellation
        self._disarm()
        own = assignment.task.timeout
        limit = own or (0 if assignment.task.unhurried else self._settings.timeout)
        if limit:
            verdict = self._too_slow if own else self._too_long
            self._arm(limit / 1000, lambda: self.kill(verdict(limit)))

    def _asked(self, assignment: Assignment, message: Asked) -> None:
        """Whatever it is told and is a secret is blotted out of all that follows."""
        assert assignment.surroundings is not None
        try:
            answer, secrets = look_up(assignment.surroundings, message.field, message.name)
            assignment.task.secrets.update(secrets)
        except FlowscopeError as error:  # it cannot be unsealed
            answer = {"error": str(error)}
        try:
            told = send_at_once(self._line, Told(task=self.served), encode_json(answer))
        except OSError:
            told = False
        if not told:
            self.kill()

    def _too_slow(self, limit: float) -> BaseException:
        return NodeTimeout(f"Took longer than its time-out of {limit:g} ms")

    def _too_long(self, limit: float) -> BaseException:
        message = f"Took longer than a worker's {limit:g} ms (WORKER_TIMEOUT; a node's own timeout goes before it)"
        return WorkerTimeout(message, chances=self._settings.retry_attempts)

    def _answered(self, assignment: Assignment, message: Answered, payload: bytes) -> None:
        answer: Answer = None
        failure: BaseException | None = None
        try:
            must_fit(len(payload))
            answer = unpack(message.kind, payload)
        except Exception as error:  # noqa: BLE001 -- as where a handler answers in this process: the node's error
            failure = error
        self._done(assignment, answer, failure)

    def _done(self, assignment: Assignment, answer: Any, failure: BaseException | None, *, spent: bool = False) -> None:
        self._disarm()
        self.assignment = None
        self._overseer.done(self, assignment, answer, failure, spent=spent)

    # --- the timer ---

    def _arm(self, seconds: float, then: Callable[[], None]) -> None:
        self._disarm()
        self._timer = self._loop.call_later(seconds, then)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _speak(assignment: Assignment, said: Said) -> None:
    task = assignment.task
    if said.kind == "progress":
        task.progress(said.fraction, said.text)
    elif said.kind == "stream":
        task.stream(said.text)
    else:
        task.log(said.kind, said.text)


def _how(status: int | None) -> str:
    if status is None:
        return "ended, with the fork server"
    if status >= 0:
        return f"ended by itself with exit code {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    hint = ": was memory short?" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"
