"""The runner's third thread: calls the health hook, so that one that hangs holds up nothing."""

from __future__ import annotations

import os
import threading
from _queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from modulehost.plugin.cancellation import Cancellation
from modulehost.plugin.context import Context
from modulehost.runner import forks
from modulehost.runner.interpreter import Interpreter
from modulehost.runner.module import Module
from modulehost.shared.channel import Channel, ChannelClosedError
from modulehost.shared.describe import is_a, traceback_of, type_name
from modulehost.shared.errors import Cancelled, HostError, ModuleError
from modulehost.shared.records import AskHealth
from modulehost.shared.records import Health as Answer
from modulehost.shared.settings import HEALTH_DEADLINE

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_TRIES = 3


class Health(threading.Thread):
    """Answers one question after the other; start it when the plugin is loaded."""

    def __init__(self, module: Module, channel: Channel, interpreter: Interpreter) -> None:
        super().__init__(name="health", daemon=True)
        self._module = module
        self._channel = channel
        self._interpreter = interpreter
        self._questions: SimpleQueue[AskHealth] = SimpleQueue()
        self._pid = os.getpid()
        self.request_id = f"health-{self._pid}"
        self.ask = self._questions.put

    def run(self) -> None:
        question: AskHealth | None = None
        failures = 0
        while True:
            try:
                question = question or self._questions.get()
                self._channel.send(Answer(question.number, *self.answer()))
                question, failures = None, 0
            except ChannelClosedError:
                return
            except BaseException:  # noqa: BLE001 - of what the plugin has done to the interpreter
                self._interpreter.put_all_back()
                failures += 1
                if failures >= _TRIES:
                    question = None

    def answer(self) -> tuple[bool, str]:
        """Whether the module is well, and a sentence if it is not or has one."""
        error: BaseException | None = None
        result: object = None
        cancellation = Cancellation()
        try:
            result = self._module.plugin.call("health", ctx=self._context_of(cancellation))
        except BaseException as raised:  # noqa: BLE001 - SystemExit, too
            error = raised
        cancellation.close()
        self._interpreter.put_back()
        if os.getpid() != self._pid:
            forks.leave(error)
        try:
            return self._words(result, error)
        except BaseException:  # noqa: BLE001 - of what the hook has done to the interpreter
            self._interpreter.put_all_back()
            return self._words(result, error)
        finally:
            error = None  # else it and this frame would keep each other

    def _words(self, result: object, error: BaseException | None) -> tuple[bool, str]:
        if is_a(error, HostError):
            return False, str(error)  # ours: of the config
        if error is not None:
            if not is_a(error, Cancelled, ModuleError):
                self._module.log.event("error", "health raised", exception=traceback_of(error))
            return False, self._module.reason_of(error)
        if result is None or result is True:
            return True, ""
        if result is False:
            return False, "the plugin says that the module is not healthy"
        return False, f"the hook health returned {type_name(result)}, not a bool"

    def _context_of(self, cancellation: Cancellation) -> Context[Any]:
        module = self._module
        return Context(
            operation="health",
            request_id=self.request_id,
            config=module.health_config(),
            kubeconfig=module.kubeconfig(),
            deadline=HEALTH_DEADLINE,
            cancellation=cancellation,
            host=_Host(module, self.request_id),
        )


class _Host:
    """What the Context of a health hook asks of the host: it has no metadata to keep."""

    metadata = None

    def __init__(self, module: Module, request_id: str) -> None:
        self.settings = module.settings
        self.grace = module.settings.grace
        self.redactor = module.redactor
        self.redact = module.redact
        self._module = module
        self._request_id = request_id

    def log(self) -> FilteringBoundLogger:
        return self._module.logger("health", self._request_id)

    def checkpoint(self) -> None:
        pass

    def progress(self, text: str) -> None:
        pass

    def program_failed(self, output: str) -> None:
        pass
