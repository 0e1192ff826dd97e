"""The signals that the keeper watches, and waiting that they interrupt."""

from __future__ import annotations

import os
import select

TYPE_CHECKING = False  # typing.TYPE_CHECKING without the import of typing
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
else:
    import _signal

STOPS = (_signal.SIGTERM, _signal.SIGINT)
WATCHED = (*STOPS, _signal.SIGHUP, _signal.SIGCHLD)


def block() -> None:
    """Have them wait; process 1 loses those that nobody handles."""
    _signal.pthread_sigmask(_signal.SIG_BLOCK, WATCHED)


def unblock() -> None:
    """Have them come, those that wait at once."""
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, WATCHED)


def restore(*, stops_wait: bool) -> None:
    """In a child: none is handled any more; those to stop may wait until it handles them."""
    _signal.set_wakeup_fd(-1)
    for number in WATCHED:
        _signal.signal(number, _signal.SIG_DFL)
    come = set(WATCHED) - set(STOPS) if stops_wait else WATCHED
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, come)


class Signals:
    """What has come. There is one; raises OSError when there are no descriptors for it."""

    def __init__(self, hang_up: Callable[[], None]) -> None:
        self.stopping = False
        self._hang_up = hang_up
        self.wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # a handled signal does not interrupt poll() (PEP 475), but what it writes here does
        _signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in WATCHED:
            _signal.signal(number, self._take)
        unblock()

    def _take(self, number: int, _: object) -> None:
        # SIGHUP: gunicorn shall load its settings again; at a terminal it was the last word
        if number in STOPS or (number == _signal.SIGHUP and os.isatty(0)):
            self.stopping = True
        elif number == _signal.SIGHUP:
            self._hang_up()

    def wait(self, seconds: float | None, *descriptors: int) -> None:
        """Wait for a signal, for the time to be over, or until one of them can be read."""
        poll = select.poll()
        for descriptor in (self.wake, *descriptors):
            poll.register(descriptor, select.POLLIN)
        poll.poll(None if seconds is None else max(0, seconds * 1000))
        self.clear()

    def clear(self) -> None:
        """Forget what interrupted; what came is known all the same."""
        try:
            os.read(self.wake, 4096)
        except BlockingIOError:
            pass
