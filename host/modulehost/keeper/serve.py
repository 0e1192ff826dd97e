"""``modulehost serve``: listens before anything else is loaded, then becomes the keeper.

What is imported up to then is next to nothing; ``tests/unit/test_counts.py`` has the list.
"""

from __future__ import annotations

import os
import sys

from modulehost.keeper import listening, signals

TYPE_CHECKING = False  # typing.TYPE_CHECKING without the import of typing
if TYPE_CHECKING:
    from collections.abc import Mapping


def main(arguments: list[str]) -> int:
    """Serve; exit status 0 after SIGTERM or SIGINT, 2 when it cannot listen."""
    signals.block()  # until the keeper handles them
    address = [word for word in arguments if word != "--reload"]
    try:
        given = listening.given(os.environ)
        if given is None or address:
            port = port_from(address, os.environ)
        else:
            port = listening.port_of(given)
    except ValueError as error:
        sys.stderr.write(f"modulehost: {error}\n")
        return 2
    try:
        listener = given
        if listener is None or listening.port_of(listener) != port:
            if listener:
                listener.close()  # --port is nearer
            listener = listening.listen(port)

        from modulehost.keeper.keeper import Keeper
        from modulehost.shared.names import LISTENER, RELOAD, STARTED

        native, started = os.environ.pop(LISTENER, ""), os.environ.pop(STARTED, "")
        keeper = Keeper(listener, native, float(started) if given and started else None)
    except OSError as error:
        sys.stderr.write(
            f"modulehost: cannot listen on port {port}: {error.strerror}; end what has the port, or"
            " choose another with --port\n"
        )
        return 2
    os.environ["PORT"] = str(port)  # whatever it was, this is it
    os.environ.pop("GUNICORN_CMD_ARGS", None)  # there is nothing in gunicorn to be set
    if address != arguments:
        os.environ[RELOAD] = "1"
        os.environ["MODULE_IDLE"] = "0"  # asleep, nobody would see a change
    return keeper.run()


def port_from(arguments: list[str], environ: Mapping[str, str]) -> int:
    """The port: of --port, else PORT, else 8080. Raises ValueError with a line for the person."""
    name, text = "PORT", environ.get("PORT", "").strip() or "8080"
    words = iter(arguments)
    for word in words:
        option, _, value = word.partition("=")
        if option not in ("--port", "-p"):
            raise ValueError(f"unknown argument {word}; see modulehost serve --help")
        name, text = option, value or next(words, "")
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise ValueError(f"{name}={text!r}: it takes a port from 1 to 65535")
    return int(text)
