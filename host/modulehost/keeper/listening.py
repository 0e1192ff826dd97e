"""The socket that the host listens on: made, or taken over from who holds it for the host.

Only the C half of ``socket`` is used: its Python half costs more than all else before listening.
"""

from __future__ import annotations

import _socket
import os

from modulehost.shared.names import DEFER_ACCEPT

TYPE_CHECKING = False  # typing.TYPE_CHECKING without the import of typing
if TYPE_CHECKING:
    from collections.abc import MutableMapping

BACKLOG = 4096
FIRST = 3  # SD_LISTEN_FDS_START


def given(environ: MutableMapping[str, str]) -> _socket.socket | None:
    """The socket that this process was started with, as sd_listen_fds(3) has it; None without.

    The variables go, so that no child takes them for its own. Raises ValueError with a line for
    the person when it is another kind of socket.
    """
    process, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", "")
    if process != str(os.getpid()):
        return None
    if count != "1":
        raise ValueError(f"LISTEN_FDS={count!r}: it takes one socket")
    try:
        listener = _socket.socket(fileno=FIRST)
        if listener.family not in (_socket.AF_INET, _socket.AF_INET6):
            raise OSError
        if not listener.getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN):
            raise OSError
        _listen(listener)
    except OSError:
        raise ValueError(f"LISTEN_FDS: {FIRST} is no TCP socket that listens") from None
    os.set_inheritable(FIRST, False)
    return listener


def listen(port: int) -> _socket.socket:
    """A socket that listens on all addresses, IPv6 and IPv4; raises OSError."""
    try:
        listener = _socket.socket(_socket.AF_INET6, _socket.SOCK_STREAM)
        listener.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 0)
        address = "::"
    except OSError:  # a kernel without IPv6
        listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        address = "0.0.0.0"  # noqa: S104 - the pod's
    listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    _listen(listener)
    return listener


def _listen(listener: _socket.socket) -> None:
    listener.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_DEFER_ACCEPT, DEFER_ACCEPT)
    listener.setblocking(False)
    listener.listen(BACKLOG)


def port_of(listener: _socket.socket) -> int:
    """The port that it listens on."""
    port: int = listener.getsockname()[1]
    return port
