"""Which files a node may touch: those below the configured roots, after every link is resolved.

A path is resolved first and judged then; it is opened from the root downwards, one directory at a time and
never through a link, so that a link put in its way between judging and opening leads to a refusal and not out
of the root. Files and folders whose names begin with a dot, and the private directories, are closed. Only
plain files are opened: a FIFO or a device would hang or worse.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from flowscope.errors import NodeDenied, NodeError
from flowscope.nodes.context import Surroundings

_SETTING = "FLOWSCOPE_FILE_ROOTS"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class RootedFile:
    """One path, resolved and found to be below a root."""

    def __init__(self, given: str, surroundings: Surroundings, field: str = "path") -> None:
        """`NodeDenied` when it is outside the roots, hidden or private. `field` is the setting that names
        it."""
        self.given = given
        self._field = field
        self.path = self._resolved(surroundings.file_roots)
        self._root = self._judged(surroundings)

    def _resolved(self, roots: tuple[Path, ...]) -> Path:
        if not roots:
            raise NodeDenied(f"{self._field}: nodes may not touch files. Set {_SETTING} to the folders they may")
        if not self.given.strip() or "\0" in self.given:
            raise NodeDenied(f"{self._field}: {self.given[:60]!r} is not the path of a file")
        try:
            path = (roots[0] / self.given).resolve()
        except (OSError, RuntimeError, ValueError):
            raise self._refused("leads nowhere") from None
        if path in roots or self.given.endswith("/"):
            raise self._refused("is a folder, not a file")
        return path

    def _judged(self, surroundings: Surroundings) -> Path:
        if any(private == self.path or private in self.path.parents for private in surroundings.private):
            raise self._refused("is in a folder that stays closed to nodes")
        inside = [root for root in surroundings.file_roots if root in self.path.parents]
        if not inside:
            allowed = ", ".join(map(str, surroundings.file_roots))
            raise self._refused(f"is outside the folders nodes may touch ({allowed}). {_SETTING} sets them")
        for root in inside:
            if not any(part.startswith(".") for part in self.path.relative_to(root).parts):
                return root
        raise self._refused("is hidden: names that begin with a dot are closed to nodes")

    def read(self) -> BinaryIO:
        """Open for reading."""
        with self._folder(make=False) as folder:
            return os.fdopen(self._open(os.O_RDONLY, folder), "rb")

    def append(self) -> BinaryIO:
        """Open for appending, unbuffered; makes the file and the folders on the way."""
        with self._folder(make=True) as folder:
            return os.fdopen(self._open(os.O_WRONLY | os.O_APPEND | os.O_CREAT, folder), "ab", buffering=0)

    @contextlib.contextmanager
    def replace(self) -> Iterator[BinaryIO]:
        """Write a whole new file beside it, which takes its place, durably, when all went well."""
        name, temporary = self.path.name, f".{secrets.token_hex(8)}.tmp"
        with self._folder(make=True) as folder:
            mode = self._mode(folder)
            descriptor = os.open(
                temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN, 0o666 if mode is None else mode, dir_fd=folder
            )
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    if mode is not None:
                        os.fchmod(stream.fileno(), mode)
                    yield stream
                    stream.flush()
                    os.fsync(stream.fileno())
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
                os.fsync(folder)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=folder)
                raise

    def check(self, *, make_folders: bool) -> None:
        """See that it is a plain file, or not there, without opening it: whoever opens and closes a
        database's file drops the locks this process has on it."""
        with self._folder(make=make_folders) as folder:
            self._mode(folder)

    def _mode(self, folder: int) -> int | None:
        """The permissions of the file that is there; it must be a plain one."""
        try:
            there = os.stat(self.path.name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        self._plain(there)
        return stat.S_IMODE(there.st_mode)

    @contextlib.contextmanager
    def _folder(self, *, make: bool) -> Iterator[int]:
        """The folder it is in, opened link-free from the root downwards."""
        folder = os.open(self._root, _DIRECTORY)
        try:
            for part in self.path.relative_to(self._root).parts[:-1]:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, dir_fd=folder)
                below = os.open(part, _DIRECTORY, dir_fd=folder)
                os.close(folder)
                folder = below
            yield folder
        finally:
            os.close(folder)

    def _open(self, flags: int, folder: int) -> int:
        descriptor = os.open(self.path.name, flags | _PLAIN, 0o666, dir_fd=folder)
        try:
            self._plain(os.fstat(descriptor))
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _plain(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise self._refused("is not a plain file")

    def _refused(self, reason: str) -> NodeDenied:
        return NodeDenied(f"{self._field}: {self.given[:200]!r} {reason}", code="FILE_DENIED")


@contextlib.contextmanager
def explained(file: RootedFile) -> Iterator[None]:
    """Turn what the operating system says about a file into an error that names it."""
    try:
        yield
    except FileNotFoundError:
        raise NodeError(
            f"There is no file {file.given!r} (looked for {file.path})", code="FILE_NOT_FOUND", retryable=False
        ) from None
    except OSError as error:
        raise NodeError(f"{file.given!r}: {error.strerror or error}", code="FILE_ERROR") from None
