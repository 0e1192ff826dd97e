"""A value that shows itself only to who asks for it."""

from __future__ import annotations

from typing import Any, Final, Generic, NoReturn, TypeVar

from modulehost.shared.redaction import STARS

T_co = TypeVar("T_co", covariant=True)


class Secret(Generic[T_co]):
    """The type of a config item that must not be told: ``password: Secret[str]``.

    As text, in a log line, in a format, as a repr and where JSON falls back to ``str`` it is
    ``***``; ``reveal()`` gives the value. It is empty when its value is, and equal to another
    ``Secret`` of the same value. JSON itself, and so the metadata, does not take it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T_co) -> None:
        self._value: Final = value

    def reveal(self) -> T_co:
        """The value itself."""
        return self._value

    def __str__(self) -> str:
        return STARS

    __repr__ = __str__

    def __format__(self, form: str) -> str:
        return format(STARS, form)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __copy__(self) -> Secret[T_co]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret[T_co]:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled, which would write its value; use its reveal()")
