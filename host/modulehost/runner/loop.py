"""The runner's main thread: it loads the plugin, then runs one operation after the other."""

from __future__ import annotations

import _socket as socket
import os
import sys
import threading
from os import _exit
from sys import setrecursionlimit
from typing import Final

from modulehost.runner import forks, logging_bridge
from modulehost.runner.control import Control, end
from modulehost.runner.health import Health
from modulehost.runner.hook import HookCall
from modulehost.runner.interpreter import SWITCH_INTERVAL, Interpreter
from modulehost.runner.module import Module
from modulehost.runner.operation import Operation
from modulehost.runner.secrets import Secrets
from modulehost.shared import linux
from modulehost.shared.channel import Channel, ChannelClosedError
from modulehost.shared.describe import is_a, traceback_of
from modulehost.shared.errors import ConfigError, PluginError, RequestError
from modulehost.shared.records import NOT_BEGUN, Call, Done, Loaded, LoadFailed
from modulehost.shared.settings import Settings

_MOST_HITS: Final = 100


class Runner:
    """Loads the plugin, then takes calls until the front has gone.

    Whatever the plugin does to the interpreter can hit the host's code, too: an exception thrown
    by a thread that a hook has left behind, a recursion limit of five. So ``run`` can begin anew
    anywhere, at the bottom of the stack: what was due is kept in ``_due``.
    """

    def __init__(self, calls: Channel, control: Channel, log_fd: int) -> None:
        self._interpreter = Interpreter()
        secrets = Secrets(control)
        self.module = Module(Settings.from_env(os.environ), log_fd, secrets)
        self._calls = calls
        self._channel = control
        self._health = Health(self.module, control, self._interpreter)
        self._control = Control(control, self._interpreter, secrets, self._health.ask)
        self._pid = os.getpid()
        self._due: HookCall | None = None  # what was begun, and is not answered yet
        self._hits = 0
        self.thrown: BaseException | None = None
        self.is_done = False

    def load(self) -> bool:
        """Load the plugin; whether that was possible. The front is told."""
        self._control.start()
        logging_bridge.install(self.module.log, self._about)
        try:
            self.module.load()
        except PluginError as error:
            self._interpreter.put_back()
            self._leave_if_forked(error.__cause__)
            if error.__cause__ is not None:
                trace = traceback_of(error.__cause__)
                self.module.log.event("error", str(error), exception=trace)
            self._channel.send(LoadFailed(self.module.redactor.text(str(error))))
            return False
        self._interpreter.put_back()
        self._leave_if_forked(None)
        self._health.start()
        plugin = self.module.plugin
        self._channel.send(
            Loaded(
                plugin.found.name,
                plugin.found.package,
                plugin.found.version,
                plugin.deadlines,
                plugin.has_health,
            )
        )
        return True

    def _about(self) -> dict[str, str]:
        """What a library's line tells of the call in whose thread it was logged."""
        if threading.current_thread() is self._health:
            return self.module.about("health", self._health.request_id)
        due = self._due
        if due is None:
            return {}
        return self.module.about(due.operation.call.operation, due.operation.call.request_id)

    def run(self) -> None:
        """Answer what is due, then take calls, until this process must not take another."""
        if self._due is not None:
            self._answer(self._due)
        while not self._hits:
            call = self._calls.receive()
            if isinstance(call, Call):
                self._begin(call)
        self.is_done = True

    def hit(self, error: BaseException) -> None:
        """An exception has come past everything: ``run`` again, which answers what is due."""
        self._interpreter.put_all_back()
        self._leave_if_forked(error)
        self._hits += 1
        if type(error) is ChannelClosedError or self._hits > _MOST_HITS:
            end()
        if self._due is not None:
            self._due.broken_off(error)
        if self._hits == 1:
            event, trace = "the host was hit in the plugin's process", traceback_of(error)
            self.module.log.event("warning", event, exception=trace)

    def _begin(self, call: Call) -> None:
        try:
            operation = Operation(self.module, call, self._calls, self._channel)
        except (ConfigError, RequestError) as error:
            self._leave_if_forked(error)
            # it may be this process alone that cannot read its config any more
            is_spent = is_a(error.__cause__, OSError)
            self._calls.send(Done(call.id, "refused", str(error), is_spent=is_spent))
            return
        self._leave_if_forked(None)  # by a check of the config
        self._control.begin(operation)
        due = HookCall(operation, self.module)
        self._due = due  # from here on it counts as begun
        due.run()
        self._answer(due)

    def _answer(self, due: HookCall) -> None:
        """Tell the front how the operation has ended."""
        self._interpreter.put_back()
        self._leave_if_forked(due.error)
        self._control.end()
        due.operation.end()
        self._calls.send(due.answer())
        self._due = None

    def _leave_if_forked(self, error: BaseException | None) -> None:
        if os.getpid() != self._pid:
            forks.leave(error)


def main() -> None:
    """Take the descriptors and the parent from the command line and serve."""
    calls, control, log_fd, parent = map(int, sys.argv[1:])
    linux.die_with_parent(parent)
    for descriptor in (calls, control, log_fd):
        os.set_inheritable(descriptor, False)
    channels = Channel(socket.socket(fileno=calls)), Channel(socket.socket(fileno=control))
    forks.close_in_each(*channels)
    linux.use_one_heap()
    sys.setswitchinterval(SWITCH_INTERVAL)
    runner = Runner(*channels, log_fd)
    limit = sys.getrecursionlimit()
    status = NOT_BEGUN if runner.load() else 0
    while status and not runner.is_done:
        try:
            setrecursionlimit(limit)  # here: it may be too low for any call but this one
            _insist(runner)
        except BaseException as error:  # noqa: BLE001 - a second one, between two tries
            runner.thrown = error
    forks.flush()
    _exit(status)  # not Python's way out, which waits for threads of the plugin


def _insist(runner: Runner) -> None:
    """Run again and again, whatever is thrown, until the runner is done or has no room for it."""
    while not runner.is_done:
        try:
            if runner.thrown is not None:
                runner.hit(runner.thrown)
                runner.thrown = None
            runner.run()
        except BaseException as error:  # noqa: BLE001 - wherever it comes from, in hit(), too
            runner.thrown = error
            if type(error) is RecursionError:
                return
