"""Tries again what may pass, within an operation's deadline and until it is cancelled.

tenacity does it, for it takes a function to sleep with, and ``Context.wait`` ends at once; stamina,
which stands on it, does not. Imported it is 13 ms and 1.2 MiB. It is the extra
``modulehost[retry]`` and no part of the host: most plugins do without.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from modulehost.shared.describe import reason_of
from modulehost.shared.errors import Cancelled, ModuleError

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from modulehost.plugin.context import Context

Kinds = type[BaseException] | tuple[type[BaseException], ...]


def attempts(
    ctx: Context[Any], on: Kinds, most: int | None, pause: float, longest: float
) -> Iterator[AbstractContextManager[Any, bool | None]]:
    """Blocks to try, one after the other, until one ends without such an exception."""
    try:
        import tenacity
    except ModuleNotFoundError:
        raise ModuleError(
            "ctx.retry takes a package more: pip install 'modulehost[retry]'"
        ) from None

    def is_transient(error: BaseException) -> bool:
        return isinstance(error, on) and not isinstance(error, Cancelled)

    def is_enough(state: RetryCallState) -> bool:
        is_last = most is not None and state.attempt_number >= most
        return is_last or state.upcoming_sleep >= ctx.remaining()

    def log(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        words = "" if error is None else reason_of(error)
        wait = round(state.upcoming_sleep, 3)
        ctx.log.warning("trying again", attempt=state.attempt_number, wait=wait, reason=words)

    ctx.raise_if_cancelled()
    yield from tenacity.Retrying(
        sleep=ctx.wait,
        stop=is_enough,
        wait=tenacity.wait_exponential(pause, longest) + tenacity.wait_random(0, pause),
        retry=tenacity.retry_if_exception(is_transient),
        before_sleep=log,
        reraise=True,
    )
