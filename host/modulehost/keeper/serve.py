"""The keeper: the first process. It listens before anything else is loaded, and survives the rest.

It imports next to nothing: the C halves of socket, signal and select are enough, and their
Python halves would cost more than all the rest. gunicorn runs in a fork of it, on its socket.
"""

from __future__ import annotations

import _socket
import os
import select
import sys
import time

TYPE_CHECKING = False  # typing.TYPE_CHECKING without the import of typing
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import NoReturn

    Child = Callable[[int, int], int]
else:
    import _signal

BACKLOG = 4096
MAX_LINE = 4096  # bytes of a line of the log, as in logs.py
DEFER_ACCEPT = 30  # s; until then the kernel keeps connections that have sent nothing to itself
STOP_TIMEOUT = 27.0  # s; Kubernetes kills after 30
LONGEST_PAUSE = 30.0  # s, between two tries to start gunicorn
LAST_WORDS = 0.5  # s, to answer those who came too late
STEADY = 10.0  # s; gunicorn that has run as long is started again at once
PATIENCE = 5  # ends in a row, each sooner than that, until the keeper answers itself

_SIGNALS = (_signal.SIGTERM, _signal.SIGINT)
_WATCHED = (*_SIGNALS, _signal.SIGHUP, _signal.SIGCHLD)


class Keeper:
    """Holds the listening socket and keeps gunicorn running on it, or asleep."""

    def __init__(self, host: str | None, port: int) -> None:
        self._started = time.monotonic()
        self._pid = os.getpid()
        self._signalled = False
        self._wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # a handled signal does not interrupt poll() (PEP 475), but what it writes here does
        _signal.set_wakeup_fd(wake)
        for number in _SIGNALS:
            _signal.signal(number, self._stop)
        self._listener = listen(host, port)
        _signal.signal(_signal.SIGCHLD, lambda *_: None)
        _signal.signal(_signal.SIGHUP, self._hang_up)
        self._port = port
        self._failures = 0
        self._child = 0

    def _stop(self, *_: object) -> None:
        self._signalled = True

    def _hang_up(self, *_: object) -> None:
        """SIGHUP: gunicorn shall load its settings again; at a terminal it was the last word."""
        if os.isatty(0):
            self._signalled = True
        elif self._child:
            os.kill(self._child, _signal.SIGHUP)

    def _stopping(self) -> bool:
        return self._signalled

    def run(self) -> int:
        """Keep gunicorn running until SIGTERM or SIGINT; the exit status."""
        from modulehost.shared import linux

        try:
            linux.become_subreaper()
        except (ImportError, AttributeError, OSError):
            pass  # process 1 of a container is one anyway
        log("info", "listening", port=self._port)
        while not self._stopping():
            born = time.monotonic()
            status, reason = self._keep(run_gunicorn)
            linux.kill_children()
            if self._stopping():
                break
            if status == 0:
                self._failures = 0
                log("info", "asleep")
                self._wait_for_connection()
                log("info", "awake")
            else:
                self._recover(time.monotonic() - born, status, reason)
        self._turn_away()
        log("info", "stopped")
        return 0

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
            if os.environ.get("GUNICORN_CMD_ARGS"):
                text += "; GUNICORN_CMD_ARGS is set: take it away"
            self._keep(lambda fd, _: serve_reason(fd, text), pause)

    def _keep(self, target: Child, seconds: float | None = None) -> tuple[int, str]:
        """Run a child until it ends, or the time is over; its exit status and what it reported."""
        pid, report = self._fork(target)
        ends = None if seconds is None else time.monotonic() + seconds
        told = False
        self._child = pid
        while (status := exit_status(pid)) is None:
            now = time.monotonic()
            if self._stopping() and not told:
                told, ends = True, now + STOP_TIMEOUT
                os.kill(pid, _signal.SIGTERM)
            elif ends is not None and now >= ends:
                os.kill(pid, _signal.SIGKILL if told else _signal.SIGTERM)
                told, ends = True, now + 1
            self._poll(None if ends is None else ends - now)
        self._child = 0
        with open(report, "rb") as file:  # noqa: PTH123
            return status, file.read().decode("utf-8", "replace")

    def _fork(self, target: Child) -> tuple[int, int]:
        """Start a child; its id, and where it reports why it could not go on."""
        report, reporter = os.pipe2(os.O_CLOEXEC)
        # a signal between fork and the child's own handlers must not run ours in the child
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _WATCHED)
        pid = os.fork()
        if pid == 0:
            self._become(target, reporter)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, _WATCHED)
        os.close(reporter)
        return pid, report

    def _become(self, target: Child, reporter: int) -> NoReturn:
        from modulehost.shared import linux

        status = 1
        try:
            linux.die_with_parent(self._pid)
            _signal.set_wakeup_fd(-1)
            for number in _WATCHED:
                _signal.signal(number, _signal.SIG_DFL)
            _signal.pthread_sigmask(_signal.SIG_UNBLOCK, _WATCHED)
            os.setsid()  # the terminal's Ctrl-C is for the keeper alone
            os.environ["MODULEHOST_STARTED"] = repr(self._started)
            status = target(self._listener.fileno(), reporter)
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        except BaseException as error:  # noqa: BLE001 - it becomes the reason
            text = f"{type(error).__name__}: {error}"
            os.write(reporter, " ".join(text.split())[:1000].encode("utf-8", "replace"))
        finally:
            os._exit(status)

    def _poll(self, seconds: float | None, listener: bool = False) -> None:
        """Wait for a signal, for the time to be over, or for a connection."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        if listener:
            poll.register(self._listener.fileno(), select.POLLIN)
        poll.poll(None if seconds is None else max(0, seconds * 1000))
        try:
            os.read(self._wake, 4096)
        except BlockingIOError:
            pass

    def _wait_for_connection(self) -> None:
        from modulehost.shared import linux

        poll = select.poll()
        poll.register(self._listener.fileno(), select.POLLIN)
        while not self._stopping() and not poll.poll(0):
            self._poll(None, listener=True)
            linux.reap_orphans(keep=0)

    def _turn_away(self) -> None:
        """Tell those whose connection came too late for gunicorn that the host stops."""
        poll = select.poll()
        poll.register(self._listener.fileno(), select.POLLIN)
        if poll.poll(0):
            self._signalled = False
            self._keep(lambda fd, _: serve_reason(fd, "the host is stopping"), LAST_WORDS)


def listen(host: str | None, port: int) -> _socket.socket:
    """A socket that listens, on all addresses, IPv6 and IPv4, without a host; raises OSError."""
    try:
        if host is not None and ":" not in host:
            raise OSError
        listener = _socket.socket(_socket.AF_INET6, _socket.SOCK_STREAM)
        listener.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 0)
        address = host or "::"
    except OSError:  # an address of IPv4, or a kernel without IPv6
        listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        address = host or "0.0.0.0"  # noqa: S104 - the pod's
    listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    listener.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_DEFER_ACCEPT, DEFER_ACCEPT)
    listener.bind((address, port))
    listener.listen(BACKLOG)
    return listener


def exit_status(pid: int) -> int | None:
    """How a child ended (negative: the signal), None while it runs. Orphans are reaped, too."""
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return -_signal.SIGKILL
        if ended == 0:
            return None
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def run_gunicorn(listener: int, reporter: int) -> int:
    """The child that becomes gunicorn's arbiter."""
    del reporter
    import gc

    gc.disable()  # until all is imported: it would look through the same lasting objects again
    from modulehost.shared.late import SERVER_LATE, import_with_late

    import_with_late("modulehost.front.gunicorn", SERVER_LATE).run(listener)
    return 0


def serve_reason(listener: int, reason: str) -> int:
    """The child that answers for gunicorn when that cannot start."""
    from modulehost.keeper.lastresort import serve

    serve(listener, reason)
    return 0


def log(level: str, event: str, **values: object) -> None:
    """Write one event; what makes its line longer than others may be is cut."""
    while len(line := _line(level, event, values)) > MAX_LINE:
        longest = max(values, key=lambda name: len(str(values[name])))
        text = str(values[longest])
        values |= {longest: f"{text[: len(text) // 2]}…", "truncated": True}
    try:
        os.write(1, line)
    except OSError:
        pass  # nobody could be told


def _line(level: str, event: str, values: dict[str, object]) -> bytes:
    """The line of an event; in the console's form on a terminal."""
    style = os.environ.get("MODULE_LOG_FORMAT", "").lower()
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    if style == "console" or (style != "json" and os.isatty(1)):
        pairs = " ".join(f"{key}={value}" for key, value in values.items() if value != "")
        line = f"{stamp[11:]} {level:7} {event} {pairs}"
    else:
        first = {"timestamp": f"{stamp}.{int(now % 1 * 1000):03}Z", "level": level, "event": event}
        pairs = ",".join(f'"{k}":{_json(v)}' for k, v in (first | values).items() if v != "")
        line = f"{{{pairs}}}"
    return line.rstrip().encode("utf-8", "replace") + b"\n"


def _json(value: object) -> str:
    if isinstance(value, int):
        return str(value).lower()  # True, too
    text = str(value)
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    from json import dumps

    return dumps(text)


def port_from(arguments: list[str], environ: dict[str, str]) -> int:
    """The port: of --port, else PORT, else 8080. Raises ValueError with a line for the person."""
    name, text = "PORT", environ.get("PORT", "").strip() or "8080"
    words = iter(arguments)
    for word in words:
        option, _, value = word.partition("=")
        if option not in ("--port", "-p"):
            raise ValueError(f"unknown argument {word}; see modulehost serve --help")
        name, text = option, value or next(words, "")
    return _port(name, text)


def address_from(arguments: list[str], environ: dict[str, str]) -> tuple[str | None, int]:
    """Host (None: all) and port: of --port, else gunicorn's --bind, else PORT.

    Raises ValueError with a line for the person.
    """
    port = port_from(arguments, environ)
    words = iter(environ.get("GUNICORN_CMD_ARGS", "").split())
    for word in words:
        option, _, value = word.partition("=")
        if option in ("--bind", "-b") and not arguments:
            value = value or next(words, "")
            host, _, text = value.strip("'\"").rpartition(":")
            return host.strip("[]") or None, _port(f"GUNICORN_CMD_ARGS: {option}", text)
    return None, port


def _port(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise ValueError(f"{name}={text!r}: it takes a port from 1 to 65535")
    return int(text)


def main(arguments: list[str]) -> int:
    """``modulehost serve``: exit status 0 after SIGTERM or SIGINT, 2 when it cannot listen."""
    address = [word for word in arguments if word != "--reload"]
    try:
        host, port = address_from(address, dict(os.environ))
    except ValueError as error:
        sys.stderr.write(f"modulehost: {error}\n")
        return 2
    try:
        keeper = Keeper(host, port)
    except OSError as error:
        sys.stderr.write(f"modulehost: cannot listen on port {port}: {error.strerror}\n")
        return 2
    os.environ["PORT"] = str(port)  # whatever it was, this is it
    if address != arguments:
        os.environ["MODULEHOST_RELOAD"] = "1"
        os.environ["MODULE_IDLE"] = "0"  # asleep, nobody would see a change
    return keeper.run()
