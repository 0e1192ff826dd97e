"""What an operation answers, and when it is over."""

from __future__ import annotations

from typing import Protocol

from modulehost.front.turns import Turn


class Finish(Protocol):
    """Takes the turn back."""

    def __call__(self, turn: Turn, *, delivered: bool) -> None:
        """The answer has gone out, or never will."""


class Answer:
    """The turn is held until it is closed."""

    def __init__(self, turn: Turn, finish: Finish) -> None:
        self._finish = finish
        self._turn: Turn | None = turn
        self._delivered = False
        self.metadata = b"{}"

    def written(self) -> None:
        """The whole answer is written: to the client the operation is over."""
        if self._turn is not None:
            self._turn.is_answered = True

    def delivered(self) -> None:
        """The whole answer has gone into the socket."""
        self._delivered = True

    def close(self) -> None:
        """Settle whether it was delivered, and give the turn to the next."""
        turn, self._turn = self._turn, None
        if turn is not None:
            self._finish(turn, delivered=self._delivered and not turn.client_gone)
