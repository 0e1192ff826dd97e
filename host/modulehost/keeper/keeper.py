"""The keeper: it keeps gunicorn running on its socket, or asleep, until it is told to stop."""

from __future__ import annotations

import os
import select
import sys
import time

from modulehost.keeper import lastresort, signals
from modulehost.keeper.child import SIGHUP, Child, in_words
from modulehost.keeper.listening import FIRST
from modulehost.keeper.log import log
from modulehost.shared import linux
from modulehost.shared.names import LISTENER, STARTED

TYPE_CHECKING = False  # typing.TYPE_CHECKING without the import of typing
if TYPE_CHECKING:
    import _socket

LONGEST_PAUSE = 30.0  # s, between two tries to start gunicorn
LEAST_STOP = 3.0  # s, for gunicorn to begin and stop
LAST_WORDS = 0.5  # s, to answer those who came too late
STEADY = 10.0  # s; gunicorn that has run as long is started again at once
PATIENCE = 5  # ends in a row, each sooner than that, until callers are told


class Keeper:
    """Holds the listening socket. ``started`` when it has slept as another program since then.

    ``native`` is that program, the native listener, where there is one.
    """

    def __init__(self, listener: _socket.socket, native: str, started: float | None) -> None:
        self._listener = listener
        self._native = native
        self._slept = started is not None
        self._started = time.monotonic() if started is None else started
        self._signals = signals.Signals(lambda: self._child.send(SIGHUP))
        self._child = Child(self._run_gunicorn, self._signals)
        self._failures = 0

    def run(self) -> int:
        """Keep gunicorn running until SIGTERM or SIGINT; the exit status. Nothing else ends it."""
        try:
            linux.become_subreaper()
        except (ImportError, AttributeError, OSError):
            pass  # process 1 of a container is one anyway
        if self._slept:
            log("info", "awake")
        else:
            log("info", "listening", port=self._listener.getsockname()[1])
        while not self._signals.stopping:
            try:
                self._live()
            except BaseException as error:  # noqa: BLE001 - whatever it is, the pod shall live
                self._survive(error)
        self._serve_late()
        log("info", "stopped")
        return 0

    def _live(self) -> None:
        """One life of gunicorn, and what comes after it."""
        born = time.monotonic()
        status, reason = self._child.run()
        self._end_children()
        if self._signals.stopping:
            return
        if status == 0:
            self._failures = 0
            self._sleep()
        else:
            self._recover(time.monotonic() - born, status, reason)

    def _recover(self, lived: float, status: int, reason: str) -> None:
        """gunicorn ended by itself: go on at once, or after a growing pause.

        When it could not start, that is what callers are told meanwhile.
        """
        how = f"exit status {status}" if status > 0 else f"signal {-status}"
        log("error", "gunicorn ended", how=how, reason=reason)
        self._failures = 0 if lived > STEADY else self._failures + 1
        if reason or self._failures >= PATIENCE:
            pause = min(0.5 * 2 ** min(self._failures, 10), LONGEST_PAUSE)
            text = f"the host cannot start: {reason or how}; see its log"
            lastresort.serve(
                self._listener, self._signals, text, pause, lambda _: self._signals.stopping
            )

    def _survive(self, error: BaseException) -> None:
        """Something failed in the keeper itself: begin anew, and not too soon."""
        try:
            log("error", "the keeper failed", reason=in_words(error))
            self._end_children()
            self._signals.wait(1)
        except BaseException:  # noqa: BLE001 - not even that could be done
            time.sleep(1)

    def _end_children(self) -> None:
        try:
            for pid in linux.kill_children():
                log("warning", "a process cannot be ended", pid=pid)
        except OSError:
            pass  # no descriptor to look for them with: another time

    def _run_gunicorn(self) -> int:
        import gc

        gc.disable()  # until all is imported: it would look through the same lasting objects again
        os.environ[STARTED] = repr(self._started)
        from modulehost.shared.late import SERVER_LATE, import_with_late, put_off_imports

        put_off_imports(True)
        import_with_late("gunicorn.config", SERVER_LATE)
        gunicorn = import_with_late("modulehost.front.gunicorn", SERVER_LATE)
        gunicorn.run(self._listener.fileno())
        return 0

    def _sleep(self) -> None:
        """Wait for a connection, taking as little memory as can be."""
        if not self._native:
            linux.give_pages_back()
        log("info", "asleep")
        if self._native:
            self._become_listener()
        while not self._signals.stopping and not self._has_connection():
            self._signals.wait(None, self._listener.fileno())
            linux.reap_orphans(keep=0)
        if not self._signals.stopping:
            log("info", "awake")

    def _become_listener(self) -> None:
        """Sleep as the native listener, which becomes us again; returns when that cannot be."""
        environ = {
            **os.environ,
            "LISTEN_PID": str(os.getpid()),
            "LISTEN_FDS": "1",
            LISTENER: self._native,
            STARTED: repr(self._started),
        }
        signals.block()  # from here on they wait for the listener
        try:
            if not self._signals.stopping:
                os.dup2(self._listener.fileno(), FIRST)
                os.set_inheritable(FIRST, True)
                command = [self._native, sys.executable, *sys.orig_argv[1:]]
                os.execvpe(self._native, command, environ)  # noqa: S606 - without a shell
        except OSError as error:
            log("warning", "the native listener cannot be run", reason=in_words(error))
            os.set_inheritable(FIRST, False)
            self._native = ""
        finally:
            signals.unblock()

    def _has_connection(self) -> bool:
        poll = select.poll()
        poll.register(self._listener.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def _serve_late(self) -> None:
        """Serve those whose connection came too late for gunicorn.

        It is started for them once more and stops as it begins: an uninstall is done, whoever
        comes for anything else is told that the host stops. That is all where it cannot start.
        """
        try:
            while self._has_connection() and self._child.time_to_stop > LEAST_STOP:
                status, _ = self._child.run()
                self._end_children()
                if status:
                    break
            if self._has_connection():
                text = "the host is stopping"
                lastresort.serve(
                    self._listener, self._signals, text, LAST_WORDS, lambda clients: not clients
                )
        except Exception as error:  # noqa: BLE001 - the end comes all the same
            log("warning", "the keeper failed", reason=in_words(error))
