"""The child process that imports the plugin and runs its hooks: ``python -m modulehost.runner``.

Three threads: the main one runs one operation at a time; the second takes cancellations and sends
copies of the metadata; the third runs the health hook, so that a hanging one holds up neither.
"""

from __future__ import annotations

import _socket as socket
import os
import select
import sys
import threading
from _queue import SimpleQueue
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from modulehost.plugin import config, discovery
from modulehost.plugin.context import Cancellation, Context, Host
from modulehost.runner import logging_bridge
from modulehost.shared import linux, logs, metadata
from modulehost.shared.channel import Channel, ChannelClosedError
from modulehost.shared.describe import traceback_of
from modulehost.shared.errors import (
    Cancelled,
    ConfigError,
    HostError,
    MetadataError,
    ModuleError,
    PluginError,
    one_line,
)
from modulehost.shared.late import put_off_imports
from modulehost.shared.records import (
    LOST,
    AskHealth,
    Call,
    Cancel,
    Checkpoint,
    Done,
    Failure,
    Health,
    Loaded,
    LoadFailed,
    Progress,
    Snapshot,
)
from modulehost.shared.settings import Settings

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

SNAPSHOT_EVERY: Final = 0.5
"""Seconds between two looks at the metadata of a running operation."""

HEALTH_DEADLINE: Final = 5.0
"""Seconds that the health hook is told it has."""

_SWITCH_INTERVAL: Final = 0.0005  # a hook that burns a core must not hold up the other threads


class Operation:
    """The operation that runs: what its hook was given, and how the host talks to it."""

    def __init__(self, runner: Runner, call: Call) -> None:
        self.call = call
        self.metadata = metadata.restore(call.metadata)
        self.cancellation = Cancellation()
        self.config = runner.read_config(self.metadata)
        self._runner = runner
        self._sent = call.metadata

    def context(self) -> Context[Any]:
        """What the hook is given. Kept here, it would make a cycle, which keeps the metadata."""
        runner, call = self._runner, self.call
        return Context(
            operation=call.operation,
            request_id=call.request_id,
            config=self.config,
            kubeconfig=config.kubeconfig(runner.settings.config_dir),
            deadline=call.deadline,
            cancellation=self.cancellation,
            host=Host(
                log=lambda: runner.bind(call.operation, call.request_id),
                checkpoint=lambda: runner.checkpoint(self),
                progress=lambda text: runner.progress(self, text),
                grace=runner.settings.grace,
            ),
        )

    def snapshot(self) -> Snapshot | None:
        """A copy of the metadata when it has changed; None when it has not, or is in motion."""
        try:
            text = metadata.copy(self.metadata)
        except Exception:  # noqa: BLE001 - the hook is changing it, or it is no JSON yet
            return None
        if text == self._sent:
            return None
        self._sent = text
        return Snapshot(self.call.id, text)


class Runner:
    """Loads the plugin, then takes calls until the front has gone."""

    def __init__(self, calls: Channel, control: Channel, log_fd: int) -> None:
        self._calls = calls
        self._control = control
        self.settings = Settings.from_env(os.environ)
        self._log = logs.Log(log_fd, self.settings.log_level, self.settings.log_format, self._blot)
        self._secrets: list[str] = []
        self._config: Any = None
        self._operation: Operation | None = None
        self._checkpointing = threading.Lock()
        self._cancelled: Cancel | None = None
        self._questions: SimpleQueue[AskHealth] = SimpleQueue()
        self._plugin: discovery.Plugin

    def run(self) -> None:
        """Load the plugin and serve; returns when it cannot be loaded."""
        threading.Thread(target=self._listen, name="control", daemon=True).start()
        try:
            chosen = discovery.select(discovery.find(), self.settings.plugin)
            put_off_imports(False)
            self._plugin = discovery.load(chosen)
        except PluginError as error:
            if error.__cause__ is not None:
                self._log.event("error", str(error), exception=traceback_of(error.__cause__))
            self._control.send(LoadFailed(str(error)))
            return
        if "logging" in sys.modules:
            logging_bridge.take_over(self._log)
        threading.Thread(target=self._answer_health, name="health", daemon=True).start()
        found = self._plugin.found
        self._control.send(
            Loaded(
                found.name,
                found.package,
                found.version,
                self._plugin.deadlines,
                self._plugin.has_health,
            )
        )
        while True:
            call = self._calls.receive()
            assert isinstance(call, Call)  # noqa: S101 - the front sends nothing else here
            self._calls.send(self._run(call))

    def _run(self, call: Call) -> Done:
        try:
            operation = Operation(self, call)
        except ConfigError as error:
            return Done(None, failure=Failure("config", str(error)))
        self._operation = operation
        self._pass_on(operation)
        failure = self._dispatch(operation)
        with self._checkpointing:  # of a thread that the hook has left behind
            self._operation = None
        operation.cancellation.close()
        try:
            left = metadata.encode(operation.metadata, self.settings.max_metadata)
        except MetadataError as error:
            failure = failure or Failure("metadata", f"{call.operation} left {error}")
            return Done(metadata.salvage(operation.metadata), plain=False, failure=failure)
        return Done(left, failure=failure)

    def _dispatch(self, operation: Operation) -> Failure | None:
        """Call the hook; whatever it raises is a failure."""
        name = operation.call.operation
        try:
            result = self._plugin.call(name, ctx=operation.context(), metadata=operation.metadata)
        except Cancelled as error:
            return Failure("cancelled", self._reason(error))
        except ModuleError as error:
            return Failure("hook", self._reason(error))
        except BaseException as error:  # noqa: BLE001 - SystemExit, too
            if isinstance(error, MemoryError):
                _let_go(error)
            reason = self._reason(error)
            self._bind(operation).error(f"{name} raised", exception=traceback_of(error))
            return Failure("hook", reason)
        if result is not None:
            return Failure(
                "hook",
                f"the hook {name} of {self._plugin.found} returned {type(result).__name__}, not"
                " None; change the metadata in place instead",
            )
        return None

    def _reason(self, error: BaseException) -> str:
        """The text of an exception on one line, secrets blotted out; its type if it has none."""
        try:
            text = str(error)
        except Exception:  # noqa: BLE001 - a __str__ of somebody else's
            text = ""
        return one_line(self._blot(text)) or type(error).__name__

    def _blot(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def read_config(self, body: Mapping[str, Any]) -> Any:
        """The config: the mounted file alone where there is one, else what the body has of it."""
        values = config.read_file(self.settings.config_dir)
        schema = self._plugin.schema
        if schema is None:
            return dict(body) if values is None else values
        given = schema.pick(dict(body)) if values is None else values
        converted, unknown = schema.convert(given)
        self._config = converted
        self._secrets = schema.secrets(converted)
        if unknown:
            self._log.event(
                "warning", "config has keys that the plugin does not know", keys=unknown
            )
        return converted

    def _health_config(self) -> Any:
        """The config of the last operation, or the mounted one; None where there is neither."""
        if self._config is None and config.read_file(self.settings.config_dir) is not None:
            return self.read_config({})
        return self._config

    def checkpoint(self, operation: Operation) -> None:
        """Have the metadata journaled; the hook's thread waits for it."""
        try:
            text = metadata.encode(operation.metadata, self.settings.max_metadata)
        except MetadataError as error:
            raise ModuleError(f"checkpoint: {error}") from None
        with self._checkpointing:
            if self._operation is not operation:
                raise ModuleError(f"checkpoint: {operation.call.operation} has ended")
            self._calls.send(Checkpoint(text))
            self._calls.receive()

    def progress(self, operation: Operation, text: str) -> None:
        """Pass on how far the operation is."""
        line = one_line(self._blot(str(text)), 200)
        self._bind(operation).info("progress", progress=line)
        self._control.send(Progress(operation.call.id, line))

    def _bind(self, operation: Operation) -> FilteringBoundLogger:
        return self.bind(operation.call.operation, operation.call.request_id)

    def bind(self, operation: str, request_id: str) -> FilteringBoundLogger:
        """A logger that puts operation, plugin and request id into every line."""
        bound: FilteringBoundLogger = self._log.structlog.bind(
            operation=operation, plugin=self._plugin.found.name, request_id=request_id
        )
        return bound

    def _listen(self) -> None:
        """The second thread. When the front has gone, everything here ends at once."""
        poll = select.poll()
        poll.register(self._control.fileno(), select.POLLIN)
        try:
            while True:
                operation = self._operation
                if not poll.poll(SNAPSHOT_EVERY * 1000):
                    self._send_snapshot(operation)
                    continue
                for record in self._control.available():
                    match record:
                        case Cancel():
                            self._cancel(record)
                        case AskHealth():
                            self._questions.put(record)
        except ChannelClosedError:
            end()

    def _send_snapshot(self, operation: Operation | None) -> None:
        if operation and operation is self._operation and (copy := operation.snapshot()):
            self._control.send(copy)

    def _cancel(self, record: Cancel) -> None:
        self._cancelled = record  # it may be here before its operation has begun
        self._pass_on(self._operation)

    def _pass_on(self, operation: Operation | None) -> None:
        record = self._cancelled
        if operation and record and operation.call.id == record.id:
            operation.cancellation.set(record.reason)

    def _answer_health(self) -> None:
        """The third thread."""
        while True:
            number = self._questions.get().number
            try:
                healthy, message = self._ask_plugin()
                self._control.send(Health(number, healthy, message))
            except ChannelClosedError:
                return

    def _ask_plugin(self) -> tuple[bool, str]:
        cancellation = Cancellation()
        request_id = f"health-{os.getpid()}"
        try:
            context: Context[Any] = Context(
                operation="health",
                request_id=request_id,
                config=self._health_config(),
                kubeconfig=config.kubeconfig(self.settings.config_dir),
                deadline=HEALTH_DEADLINE,
                cancellation=cancellation,
                host=Host(
                    log=lambda: self.bind("health", request_id),
                    checkpoint=lambda: None,
                    progress=lambda _: None,
                    grace=self.settings.grace,
                ),
            )
            result = self._plugin.call("health", ctx=context)
        except (Cancelled, ModuleError, HostError) as error:
            return False, self._reason(error)
        except BaseException as error:  # noqa: BLE001 - SystemExit, too
            self._log.event("error", "health raised", exception=traceback_of(error))
            return False, self._reason(error)
        finally:
            cancellation.close()
        if result is None or result is True:
            return True, ""
        if result is False:
            return False, "the plugin says that the module is not healthy"
        return False, f"the hook health returned {type(result).__name__}, not a bool"


def _let_go(error: BaseException) -> None:
    """Give back the memory that the frames of an exception hold: it is needed to report it."""
    trace = error.__traceback__
    while trace is not None:
        try:
            trace.tb_frame.clear()
        except RuntimeError:
            pass  # ours, which still runs
        trace = trace.tb_next


def end() -> None:
    """End this process and all that the plugin has started in it."""
    linux.kill_descendants(os.getpid())
    os._exit(LOST)


def main() -> None:
    """Take the descriptors and the parent from the command line and serve."""
    calls, control, log_fd, parent = map(int, sys.argv[1:])
    linux.die_with_parent(parent)
    for descriptor in (calls, control, log_fd):
        os.set_inheritable(descriptor, False)
    sys.setswitchinterval(_SWITCH_INTERVAL)
    runner = Runner(
        Channel(socket.socket(fileno=calls)), Channel(socket.socket(fileno=control)), log_fd
    )
    try:
        runner.run()
    except ChannelClosedError:
        end()
