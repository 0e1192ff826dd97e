"""How a program answers: by two files, one with the metadata, one with its progress.

Both are looked at while the program runs, so what it has written counts whatever happens to it
later. A third, a pipe, is for the program that must be sure of that before it goes on: what it
reads there comes when its metadata is kept, as ``ctx.checkpoint()`` returns then to a plugin.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from typing import Any, Final, Self

import msgspec

from modulehost import Context, ModuleError

EVERY: Final = 0.2
"""Seconds between two looks at the files."""

AT_ONCE: Final = 0.02
"""Seconds, at most, until a program that waits for its metadata to be kept is seen."""

KEPT: Final = b"kept\n"
"""What that program reads."""

MAX_SIZE: Final = 16 << 20
"""Bytes of a metadata file that are read; how much of them it keeps is a setting of the host."""

_PROGRESS: Final = 1000  # bytes of the end of the file: a line of 200 characters is shown
_PREFIX: Final = "modulehost-command-"


class Exchange:
    """The three files, from before the program starts until after it has ended."""

    def __init__(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        self._ctx = ctx
        self._metadata = metadata
        temporary = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - a new folder of mode 0700
        self._temporary = temporary
        self._folder = f"{temporary}/{_PREFIX}{os.getpid()}-{os.urandom(8).hex()}"
        self.metadata_file = f"{self._folder}/metadata.json"
        self.progress_file = f"{self._folder}/progress"
        self.checkpoint_file = f"{self._folder}/checkpoint"
        self._seen: tuple[int, ...] | None = None
        self._progress = ""
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._look_on, name="exchange", daemon=True)

    def __enter__(self) -> Self:
        try:
            _remove_abandoned(self._temporary)
            os.mkdir(self._folder, 0o700)
            with open(self.metadata_file, "wb") as file:
                file.write(msgspec.json.encode(self._metadata) + b"\n")
            with open(self.progress_file, "wb"):
                pass
            os.mkfifo(self.checkpoint_file, 0o600)
        except OSError as error:
            _remove(self._folder)
            raise ModuleError(
                f"{self._folder} cannot be written: {error.strerror}; set TMPDIR to a folder where"
                " there is room"
            ) from None
        self._seen = _state(self.metadata_file)
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        _remove(self._folder)

    def settle(self) -> str | None:
        """The program has ended: take its metadata; why it cannot be taken, None when it was."""
        self._stop()
        self._seen = None  # the clock of a file system may stand still between two writes
        return self._take_metadata()

    def _stop(self) -> None:
        self._ended.set()
        self._watch.join()

    def _look_on(self) -> None:
        """While the program runs. A file that cannot be taken is one that is being written."""
        next_look = time.monotonic() + EVERY
        while not self._ended.wait(AT_ONCE):
            self._answer_checkpoint()
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + EVERY
                before = self._seen
                if self._take_metadata() is None and self._seen != before:
                    self._checkpoint()
                self._take_progress()

    def _answer_checkpoint(self) -> None:
        """Keep the metadata for the program that reads from the pipe, if one does, and say so.

        When it cannot be kept the pipe is closed: the program reads nothing.
        """
        try:
            pipe = os.open(self.checkpoint_file, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return  # nobody reads
        try:
            if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
                return
            self._seen = None  # the clock of a file system may stand still between two writes
            problem = self._take_metadata() or self._checkpoint()
            # whoever reads next must not meet the end of this answer
            os.mkfifo(f"{self.checkpoint_file}.new", 0o600)
            os.rename(f"{self.checkpoint_file}.new", self.checkpoint_file)
            if problem is None:
                os.write(pipe, KEPT)
            else:
                self._ctx.log.warning("the metadata cannot be kept yet", reason=problem)
        except OSError:
            pass  # it reads no longer, or has removed the folder
        finally:
            os.close(pipe)

    def _checkpoint(self) -> str | None:
        """Have the host keep what was taken; why it cannot, None when it has."""
        try:
            self._ctx.checkpoint()
        except ModuleError as error:
            return str(error)
        return None

    def _take_metadata(self) -> str | None:
        state = _state(self.metadata_file)
        if state is not None and state == self._seen:
            return None
        try:
            new = _read(self.metadata_file)
        except ValueError as error:
            return str(error)
        self._seen = state
        # never empty in between: the host may copy it at any moment
        self._metadata.update(new)
        for key in self._metadata.keys() - new.keys():
            del self._metadata[key]
        return None

    def _take_progress(self) -> None:
        try:
            with open(self.progress_file, "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _PROGRESS))
                lines = file.read(_PROGRESS).decode("utf-8", "replace").split("\n")
        except OSError:
            return
        # a line counts once it has ended
        line = next((text.strip() for text in reversed(lines[:-1]) if text.strip()), "")
        if line and line != self._progress:
            self._progress = line
            self._ctx.progress(line)


def _state(path: str) -> tuple[int, ...] | None:
    """What changes when the file is written or replaced; None when it is gone."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _read(path: str) -> dict[str, Any]:
    """The object in the file; raises ValueError with what is wrong instead."""
    try:
        # a pipe in its place must not be waited for
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(file, "rb") as reader:
            text = reader.read(MAX_SIZE + 1)
    except FileNotFoundError:
        raise ValueError("no metadata file; write {} into it for no metadata") from None
    except OSError as error:
        raise ValueError(f"a metadata file that cannot be read: {error.strerror}") from None
    if not text or text.isspace():
        raise ValueError("an empty metadata file; write {} into it for no metadata")
    if len(text) > MAX_SIZE:
        raise ValueError(f"a metadata file of more than {MAX_SIZE} bytes; store names only")
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"a metadata file that is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError("a metadata file that holds no JSON object")
    return value


def _remove_abandoned(temporary: str) -> None:
    """Remove the folders of processes of ours that were killed."""
    for name in os.listdir(temporary):
        pid = name.removeprefix(_PREFIX).partition("-")[0]
        # one operation runs at a time, so a folder of this process is none that is in use
        if name.startswith(_PREFIX) and (pid == str(os.getpid()) or not _is_alive(pid)):
            _remove(f"{temporary}/{name}")


def _is_alive(pid: str) -> bool:
    return os.path.lexists(f"/proc/{pid}/exe")  # a zombie has none


def _remove(path: str) -> None:
    """Remove the folder with all that a program has left in it, as far as that goes.

    What fails once is tried again: nobody else comes to remove it.
    """
    _remove_once(path)
    if os.path.lexists(path):
        _remove_once(path)


def _remove_once(path: str) -> None:
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            for name in os.listdir(path):
                _remove_once(f"{path}/{name}")
            os.rmdir(path)
        else:
            os.unlink(path)
    except OSError:
        pass
