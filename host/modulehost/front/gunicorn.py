"""gunicorn's settings for the host, its hooks, its logger, and how it runs under the keeper.

The names in ``__all__`` are gunicorn's settings; ``gunicorn.conf.py`` takes them over.
"""

from __future__ import annotations

import gc
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn

from gunicorn import glogging
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from modulehost.front import stopping
from modulehost.front.worker import STOPS, Worker, unblock_stops
from modulehost.shared import linux
from modulehost.shared.log_records import write_record
from modulehost.shared.logs import Log
from modulehost.shared.names import DEFER_ACCEPT, SETTINGS_PROBLEM
from modulehost.shared.settings import Settings

LOOK_EVERY: Final = 5.0
"""Seconds between two looks for a worker that hangs."""


def when_ready(server: Arbiter) -> None:
    """The arbiter listens: silent connections shall not reach the worker."""
    for listener in server.LISTENERS:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, DEFER_ACCEPT)


def on_starting(server: Arbiter) -> None:
    """The arbiter begins: refuse what the host cannot keep its promises with."""
    linux.become_subreaper()
    os.register_at_fork(after_in_parent=unblock_stops)
    problems = []
    if server.cfg.workers != workers:
        problems.append(f"--workers {server.cfg.workers}: a module has one worker")
        server.num_workers = workers
    if not issubclass(server.worker_class, Worker):
        name = server.cfg.settings["worker_class"].get()
        problems.append(f"--worker-class {name}: the host has its own")
        server.worker_class = Worker
    if problems:
        text = f"gunicorn's settings (GUNICORN_CMD_ARGS): {'; '.join(problems)}; take it away"
        os.environ[SETTINGS_PROBLEM] = text


def nworkers_changed(server: Arbiter, new: int, old: int | None) -> None:
    """Somebody sent SIGTTIN: there is one worker all the same."""
    if old is not None and new != workers:
        server.log.warning("a module has one worker; SIGTTIN is ignored")
        server._num_workers = workers


def pre_fork(server: Arbiter, worker: Worker) -> None:
    """Before a worker is forked.

    No collection shall touch, and so copy, what both share; and a signal to stop that comes before
    the worker has handlers of its own shall wait for them: those of the arbiter would swallow it.
    """
    del server, worker
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    gc.freeze()
    gc.enable()


def post_fork(server: Arbiter, worker: Worker) -> None:
    """In the new worker: it must not outlive the arbiter."""
    del worker
    gc.disable()
    linux.use_one_heap()
    linux.die_with_parent(server.pid)


def child_exit(server: Arbiter, worker: Worker) -> None:
    """In the arbiter, when a worker has ended: so must all that it had left running."""
    del worker
    for pid in linux.kill_children(keep=server.WORKERS):
        server.log.warning("a process cannot be ended: %s", pid)


def _log() -> Log:
    settings = Settings.good_from_env(os.environ)  # the application tells of the bad ones
    return Log(1, settings.log_level, settings.log_format)


class Logger(glogging.Logger):
    """gunicorn's logger, its lines in the form of ours."""

    def setup(self, cfg: Any) -> None:
        """Send both of gunicorn's logs to standard output as events."""
        super().setup(cfg)
        log = _log()
        for logger in (self.error_log, self.access_log):
            logger.handlers = [_Handler(log)]
            logger.propagate = False


class _Handler(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        write_record(self._log, record)


class KeptArbiter(Arbiter):
    """gunicorn's arbiter; it tells its workers when the whole host stops."""

    _look_at = 0.0

    def murder_workers(self) -> None:
        """End a worker that hangs: SIGABRT at one look, SIGKILL at the next.

        Any signal to us would bring the next look at once. A worker that was only stopped for a
        while, as we were, has time to say so in between.
        """
        if (now := time.monotonic()) >= self._look_at:
            self._look_at = now + LOOK_EVERY
            super().murder_workers()

    def stop(self, graceful: bool = True) -> None:
        """End the workers, then this process."""
        stopping.announce()
        super().stop(graceful)


class KeptApplication(BaseApplication):
    """gunicorn under the keeper: on its socket, with the settings of this module and no others."""

    def __init__(self, listener: int) -> None:
        self._listener = listener
        super().__init__()

    def load_config(self) -> None:
        """Take the settings."""
        for name in __all__:
            if name != "bind":
                self.cfg.set(name, globals()[name])
        self.cfg.set("bind", [f"fd://{self._listener}"])
        self.cfg.set("default_proc_name", "modulehost")

    def run(self) -> None:
        """Run the arbiter. What it raises is for the keeper to log and to serve."""
        KeptArbiter(self).run()

    def load(self) -> Callable[..., Iterable[bytes]]:
        """The application."""
        from modulehost.front.boot import app

        return app


def run(listener: int) -> NoReturn:
    """Run gunicorn on a listening socket in this process, until it ends."""
    KeptApplication(listener).run()
    sys.exit(0)


bind = f"0.0.0.0:{os.environ.get('PORT') or 8080}"
workers = 1
worker_class = Worker
_descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
if _descriptors == resource.RLIM_INFINITY:
    _descriptors = 20_000
threads = max(4, min(400, _descriptors // 4))  # they mostly wait, and are made when needed
# a thread may take a second descriptor, and the host needs some
worker_connections = max(2 * threads, min(10_000, _descriptors - threads - 100))
keepalive = 120  # s; Go's client keeps idle connections for 90
timeout = 40  # s; a heartbeat of the worker's main thread, which never waits, not of requests
graceful_timeout = 25  # s; operations need 20 at most, Kubernetes kills after 30
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
logger_class = Logger
loglevel = "warning"  # each waking would log five lines

__all__ = [
    "bind",
    "child_exit",
    "control_socket_disable",
    "graceful_timeout",
    "keepalive",
    "logger_class",
    "loglevel",
    "nworkers_changed",
    "on_starting",
    "post_fork",
    "pre_fork",
    "threads",
    "timeout",
    "when_ready",
    "worker_class",
    "worker_connections",
    "worker_tmp_dir",
    "workers",
]
