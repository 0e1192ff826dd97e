"""The call of a hook: what it has returned or raised, the metadata that it has left."""

from __future__ import annotations

from modulehost.plugin.hooks import KEY
from modulehost.runner.module import Module
from modulehost.runner.operation import Operation
from modulehost.shared.describe import (
    is_a,
    reason_of,
    traceback_of,
    type_name,
    what_it_says,
    with_causes,
)
from modulehost.shared.errors import Cancelled, MetadataError, ModuleError
from modulehost.shared.records import Done, Kind, MetadataText
from modulehost.shared.unauthorized import is_unauthorized


class HookCall:
    """One call. ``is_over`` once the hook has returned or raised."""

    def __init__(self, operation: Operation, module: Module) -> None:
        self.operation = operation
        self.error: BaseException | None = None
        self.is_over = False
        self._module = module
        self._context = operation.context()
        self._result: object = None
        self._has_failed = False

    def run(self) -> None:
        """Call the hook through pluggy; never raises."""
        plugin, operation = self._module.plugin, self.operation
        try:
            if plugin.metadata_version > 1 or KEY in operation.metadata:
                operation.bring_up_metadata()
            self._result = plugin.call(
                operation.call.operation, ctx=self._context, metadata=operation.metadata
            )
            self.is_over = True
        except BaseException as error:  # noqa: BLE001 - SystemExit, too
            self.error, self.is_over = error, True  # at once: the next call may fail

    def broken_off(self, error: BaseException) -> None:
        """The hook has raised this, or what it has left in the interpreter did so afterwards."""
        if not self.is_over:
            self.error, self.is_over = error, True

    def answer(self) -> Done:
        """What the front is told of it; may raise, once.

        The metadata comes first, and goes out at once where there is more to tell: describing an
        exception runs the plugin's code, which may end this process.
        """
        if is_a(self.error, MemoryError):
            _let_go(self.error)
        metadata, reason = self._left()
        if self.operation.call.operation == "uninstall" and KEY in self.operation.metadata:
            from modulehost.plugin import ledger  # hardly ever needed

            if things := ledger.left(self.operation.metadata):
                self.operation.event("warning", "uninstall has left things behind", things=things)
        reason = self._module.redactor.text(reason)
        kind: Kind = "unkept" if reason else "succeeded"
        unauthorized = False
        if self.error is not None or self._result is not None:
            self.operation.send_copy(metadata)
            kind, reason = self._failure()
            unauthorized = self._is_unauthorized()
        return Done(self.operation.call.id, kind, reason, metadata, is_unauthorized=unauthorized)

    def _left(self) -> tuple[MetadataText | None, str]:
        """The metadata, and why the operator cannot keep it.

        Raises once, so that the interpreter is put back: it may be broken, or another thread
        changes the metadata.
        """
        name = self.operation.call.operation
        try:
            return self.operation.as_json(), ""
        except MetadataError as error:
            problem = f"{name} left {error}"
        except BaseException as error:
            if not self._has_failed:
                self._has_failed = True
                raise
            problem = f"{name} left metadata that cannot be read: {reason_of(error)}"
        text, dropped = self.operation.salvaged()
        if dropped:
            paths = ", ".join(f'metadata["{key}"]' for key in dropped)
            problem = f"{problem}; left out of the journal, too: {paths}"
        if text is None and not self._has_failed:
            self._has_failed = True
            raise RuntimeError("what the hook has left cannot be written")
        return text, problem

    def _failure(self) -> tuple[Kind, str]:
        """Why, when the hook has raised or returned something."""
        error, name = self.error, self.operation.call.operation
        if error is None:
            return (
                "failed",
                f"the hook {name} of {self._module.plugin.found} returned"
                f" {type_name(self._result)}, not None; change the metadata in place instead",
            )
        reason = self._module.reason_of(error)
        if is_a(error, Cancelled):
            return "cancelled", reason
        if not is_a(error, ModuleError):
            self.operation.event("error", f"{name} raised", exception=traceback_of(error))
        return "failed", reason

    def _is_unauthorized(self) -> bool:
        """Whether it has failed since the workspace's cluster refuses its credentials, perhaps."""
        if self._context.kubeconfig is None:
            return False
        return self.operation.is_unauthorized or any(
            is_unauthorized(what_it_says(error)) for error in with_causes(self.error)
        )


def _let_go(error: BaseException | None) -> None:
    """Give back the memory that the frames of an exception hold: it is needed to report it."""
    trace = None if error is None else BaseException.__dict__["__traceback__"].__get__(error)
    while trace is not None:
        try:
            trace.tb_frame.clear()
        except RuntimeError:
            pass  # ours, which still runs
        trace = trace.tb_next
