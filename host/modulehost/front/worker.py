"""gunicorn's gthread worker without its gaps: bounds on clients, an orderly stop, and sleep."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import TConn, ThreadWorker

from modulehost.shared.errors import one_line
from modulehost.shared.names import STARTED

if TYPE_CHECKING:
    from modulehost.front.operations import Supervisor

REQUEST_READ: Final = "modulehost.request_read"
"""Key in the WSGI environ of a function to be called once the body has been read."""

STOPS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""Signals by which a worker is told to end."""

PATIENCE: Final = 30.0
"""Seconds for a client to send a request's head, its body, and to take the answer."""

LINGER: Final = 2.0
"""Seconds for a client to close its side, once it was told that the connection ends."""


class Watch:
    """Bounds how long clients may take, and how many may: a thread waits for each.

    Sockets past their time are shut down; when there are too many the one that is waited for
    longest is, too. The thread then goes on.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._sockets: dict[socket.socket, tuple[float, int]] = {}  # in the order of their time
        self._lock = threading.Lock()

    def start(self, sock: socket.socket, how: int, *, new: bool = False) -> None:
        """Shut the socket down that way unless the next step has come in time.

        Only a new one makes another give way: that one's own last steps must not.
        """
        with self._lock:
            self._sockets.pop(sock, None)
            self._sockets[sock] = time.monotonic() + PATIENCE, how
            if new and len(self._sockets) > self._most:
                self._shut_down(next(iter(self._sockets)))

    def stop(self, sock: socket.socket) -> None:
        """The client has done its part. To be called before the socket is closed."""
        with self._lock:
            self._sockets.pop(sock, None)

    def enforce(self, now: float) -> None:
        """Shut down what is late."""
        with self._lock:
            for sock in [s for s, (ends, _) in self._sockets.items() if ends < now]:
                self._shut_down(sock)

    def _shut_down(self, sock: socket.socket) -> None:
        _, how = self._sockets.pop(sock)
        try:
            sock.shutdown(how)
        except OSError:
            pass  # the client was quicker


class Worker(ThreadWorker):
    """The gthread worker, with bounds on clients, an orderly stop, and sleep."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._watch = Watch(max(1, self.cfg.threads * 3 // 4))
        self._supervisor: Supervisor | None = None
        self._busy_at = time.monotonic()
        self._idle = 0.0

    def load_wsgi(self) -> None:
        """Load the application; when that fails, serve the reason: the arbiter would give up."""
        app: Callable[..., Iterable[bytes]]
        try:
            super().load_wsgi()
            app = loaded = self.app.wsgi()
            self._supervisor = loaded.extensions["modulehost"]
            if STARTED in os.environ:  # without a keeper nobody would wake us
                self._idle = self._supervisor.settings.idle
        except BaseException as error:
            self.log.exception("the host's application cannot be loaded")
            app = partial(_broken, one_line(f"{type(error).__name__}: {error}"))

        def watched(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            sock = environ["gunicorn.socket"]
            environ[REQUEST_READ] = partial(self._watch.stop, sock)
            answer = app(environ, start_response)
            self._watch.start(sock, socket.SHUT_RDWR)
            _cork(sock, True)
            return answer

        self.wsgi = watched
        gc.freeze()
        gc.enable()

    def run(self) -> None:
        """Serve until told to stop; leave nothing behind."""
        try:
            super().run()
        finally:
            if self._supervisor:
                self._supervisor.close()

    def init_signals(self) -> None:
        """Take the signals; one may have come since the fork."""
        super().init_signals()
        unblock_stops()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: the operation that runs has its time to finish, all others are refused."""
        if self.alive and self._supervisor:
            threading.Thread(target=self._supervisor.stop, name="stop", daemon=True).start()
        super().handle_exit(sig, frame)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT and SIGQUIT: end now."""
        if self._supervisor:
            self._supervisor.close()
        super().handle_quit(sig, frame)

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
        """Serve a request, in a thread of the pool."""
        self._watch.start(conn.sock, socket.SHUT_RD, new=True)
        try:
            keep = super().handle(conn)
        except BaseException:  # SystemExit would end the worker
            self.log.exception("a request failed")
            keep = False
        _cork(conn.sock, False)
        if keep is False:
            # gunicorn would linger on the main thread
            self._watch.start(conn.sock, socket.SHUT_RD)
            _linger(conn.sock)
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
        self._watch.enforce(now if self.alive else now + max(0.0, PATIENCE - LINGER))
        if self._idle and self.alive and now >= self._busy_at + self._idle:
            self._fall_asleep()

    def _fall_asleep(self) -> None:
        """End, and gunicorn with us; the loop accepts nothing from here on."""
        if self.nr_conns or self._supervisor is None or not self._supervisor.can_sleep:
            return
        self.alive = False
        os.kill(self.ppid, signal.SIGTERM)


def what_is_wrong(error: Exception) -> str:
    """gunicorn's words for a bad request, without what it quotes: that may be of the metadata."""
    return one_line(str(error).partition(": ")[0], 200) or type(error).__name__


def _cork(sock: socket.socket, on: bool) -> None:
    """Send head and body of an answer together: gunicorn writes them one by one, which costs."""
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, on)
    except OSError:
        pass  # closed, or no TCP


def _linger(sock: socket.socket) -> None:
    """Wait for the client to close: closed with data unread, the answer's end would be lost."""
    ends = time.monotonic() + LINGER
    try:
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(LINGER)
        while sock.recv(4096) and time.monotonic() < ends:
            pass
    except OSError:
        pass  # the client has gone


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
