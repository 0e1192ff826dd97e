"""gunicorn's gthread worker without its gaps: bounds on clients, an orderly stop, and sleep."""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from concurrent import futures
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import TConn, ThreadWorker

from modulehost.front import clients, stopping
from modulehost.front.clients import Client, Watch, cork, linger
from modulehost.shared.errors import one_line
from modulehost.shared.names import STARTED

if TYPE_CHECKING:
    from modulehost.front.operations import Operations

STOPS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""Signals by which a worker is told to end."""

NEXT_REQUEST: Final = 5
"""Milliseconds for which a thread waits for the next request on a kept connection: to give the
connection back, and to take it again, costs as much as a short operation."""

_MOST_AT_ONCE: Final = 4096  # connections that are taken at the end: as many as the backlog holds


class Pool(futures.ThreadPoolExecutor):
    """Threads as they are needed; when no more can be made, those that there are do the work."""

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except RuntimeError:
            if not self._threads:
                raise


class Worker(ThreadWorker):
    """The gthread worker, with bounds on clients, an orderly stop, and sleep."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._watch = Watch(max(1, self.cfg.threads * 3 // 4))
        self._operations: Operations | None = None
        self._busy_at = time.monotonic()
        self._idle = 0.0
        self._host_stops = False

    def load_wsgi(self) -> None:
        """Load the application; when that fails, serve the reason: the arbiter would give up."""
        app: Callable[..., Iterable[bytes]]
        try:
            super().load_wsgi()
            app = loaded = self.app.wsgi()
            self._operations = loaded.extensions["modulehost"]
            if STARTED in os.environ:  # without a keeper nobody would wake us
                self._idle = self._operations.settings.idle
        except BaseException as error:
            self.log.exception("the host's application cannot be loaded")
            app = partial(_broken, one_line(f"{type(error).__name__}: {error}"))

        def watched(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            sock = environ["gunicorn.socket"]
            environ[Client.KEY] = Client(sock, self._watch)
            answer = app(environ, start_response)
            self._watch.start(sock, socket.SHUT_RDWR)
            cork(sock, True)
            return answer

        self.wsgi = watched
        gc.freeze()
        gc.enable()
        if not self.alive:  # told so meanwhile
            self._have_operations_stop()

    def run(self) -> None:
        """Serve until told to stop; leave nothing behind."""
        try:
            super().run()
        finally:
            if self._operations:
                self._operations.close()

    def get_thread_pool(self) -> futures.ThreadPoolExecutor:
        """The threads that serve."""
        return Pool(self.cfg.threads)

    def init_signals(self) -> None:
        """Take the signals; one may have come since the fork."""
        super().init_signals()
        unblock_stops()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: the operation that runs has its time to finish, all others are refused."""
        if self.alive:
            self._host_stops = stopping.is_announced()
            self._have_operations_stop()
        super().handle_exit(sig, frame)

    def _have_operations_stop(self) -> None:
        if self._operations:
            try:
                threading.Thread(target=self._operations.stop, name="stop", daemon=True).start()
            except RuntimeError:  # no thread can be made
                self._operations.end()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT and SIGQUIT: end now.

        gthread's own handler would shut down its pool, for which it takes a lock that this very
        thread holds while it hands a connection to the pool.
        """
        if self._operations:
            self._operations.close()
        super(ThreadWorker, self).handle_quit(sig, frame)

    def handle_abort(self, sig: int, frame: Any) -> None:
        """The arbiter takes us for hung: who can hear that is not, but was stopped for a while."""
        del sig, frame
        self.notify()
        self.log.warning("the front was stopped for a while, and goes on")

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take connections, or do not.

        While the host stops they are taken, as long as others are open: an uninstall gets what
        time there is, since nobody repeats it. gunicorn asks for the end of it once, then waits.
        """
        if enabled or not self._host_stops:
            super().set_accept_enabled(enabled)
            return
        for listener in self.sockets:
            for _ in range(_MOST_AT_ONCE):
                if not _is_readable(listener, 0):
                    break
                self.accept(listener)

    def accept(self, listener: Any) -> None:
        """Take a connection. When there is no room for one more the longest idle one goes."""
        self._busy_at = time.monotonic()
        try:
            super().accept(listener)
        except OSError as error:  # no descriptors: would end the worker
            self.log.warning("a connection could not be taken: %s", error.strerror)
            time.sleep(0.05)
            self._make_room()
        if self.nr_conns >= self.worker_connections:
            self._make_room()

    def enqueue_req(self, conn: TConn) -> None:
        """Have a thread serve a connection that is readable."""
        try:
            super().enqueue_req(conn)
        except RuntimeError as error:  # not one thread can be made
            self.log.warning("a connection is refused: %s", error)
            self.nr_conns -= 1
            conn.close()

    def _make_room(self) -> None:
        if self.pending_conns:
            self.pending_conns[0].timeout = 0
            super().murder_pending()
        elif self.keepalived_conns:
            self.keepalived_conns[0].timeout = 0
            self.murder_keepalived()

    def finish_request(self, conn: TConn, fs: Any) -> None:
        """A request was served."""
        self._busy_at = time.monotonic()
        super().finish_request(conn, fs)

    def handle(self, conn: TConn) -> Any:
        """Serve requests, in a thread of the pool, as long as one follows the other at once."""
        while True:
            keep = self._handle_one(conn)
            if keep is not True or not self.alive or conn.parser.unreader.buf.getvalue():
                return keep
            if not _is_readable(conn.sock, NEXT_REQUEST):
                return keep
            self._busy_at = time.monotonic()

    def _handle_one(self, conn: TConn) -> Any:
        self._watch.start(conn.sock, socket.SHUT_RD, new=True)
        try:
            keep = super().handle(conn)
        except BaseException:  # SystemExit would end the worker
            self.log.exception("a request failed")
            keep = False
        cork(conn.sock, False)
        if keep is False:
            # gunicorn would linger on the main thread
            self._watch.start(conn.sock, socket.SHUT_RD)
            linger(conn.sock)
        self._watch.stop(conn.sock)
        if keep is False:
            conn.close()
            conn.close = _already_closed
        return keep

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """The head is there: a new time for the body."""
        self._watch.start(conn.sock, socket.SHUT_RD)
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what is no HTTP as everything else that fails: 400, one line of text."""
        del req, addr
        if isinstance(exc, ParseException):
            reason = what_is_wrong(exc)
            self.log.warning("not a request: %s", reason)
        else:
            reason = f"the host failed: {type(exc).__name__}; see its log"
            self.log.error("a request failed", exc_info=exc)
        try:
            client.sendall(
                b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                b"Content-Type: text/plain; charset=utf-8\r\n"
                b"Content-Length: %d\r\n\r\n%b\n" % (len(reason.encode()) + 1, reason.encode())
            )
        except OSError:
            pass  # the client has gone

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait for what comes next, but no longer than until it is time to sleep."""
        if self._idle:
            left = self._busy_at + self._idle - time.monotonic()
            timeout = min(timeout, max(left, 0.05))
        super().wait_for_and_dispatch_events(timeout)

    def murder_pending(self) -> None:
        """The last step of each turn of the main loop."""
        super().murder_pending()
        now = time.monotonic()
        # who is slow does not hold up the end
        in_time = now if self.alive else now + max(0.0, clients.PATIENCE - clients.LINGER)
        self._watch.enforce(in_time)
        if self._idle and self.alive and now >= self._busy_at + self._idle:
            self._fall_asleep()

    def _fall_asleep(self) -> None:
        """End, and gunicorn with us; the loop accepts nothing from here on."""
        if self.nr_conns or self._operations is None or not self._operations.can_sleep:
            return
        self.alive = False
        os.kill(self.ppid, signal.SIGTERM)


def what_is_wrong(error: Exception) -> str:
    """gunicorn's words for a bad request, without what it quotes: that may be of the metadata."""
    return one_line(str(error).partition(": ")[0], 200) or type(error).__name__


def _is_readable(sock: socket.socket, milliseconds: int) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(milliseconds))


def _already_closed(graceful: bool = False) -> None:
    del graceful


def _broken(reason: str, environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The application when ours cannot be loaded."""
    status = "503 Service Unavailable" if environ["REQUEST_METHOD"] == "GET" else "400 Bad Request"
    body = f"the host cannot start: {reason}; see its log\n".encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response(status, headers)
    return [body]


def unblock_stops() -> None:
    """Let the signals come that ``STOPS`` names; they were held back over the fork."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
