"""``modulehost serve`` up to where it listens."""

from __future__ import annotations

import re
import socket

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.host import free_port
from support.interpreter import run
from support.properties import tried

from modulehost.keeper import serve


class TestPort:
    """Which port it is."""

    @pytest.mark.parametrize(
        ("arguments", "environ", "port"),
        [
            ([], {}, 8080),
            ([], {"PORT": ""}, 8080),
            ([], {"PORT": "  "}, 8080),
            ([], {"PORT": "9000"}, 9000),
            ([], {"PORT": " 9000\n"}, 9000),
            (["--port", "1"], {"PORT": "9000"}, 1),
            (["--port=65535"], {}, 65535),
            (["-p", "81"], {"PORT": "what"}, 81),
            (["--port", "1", "-p", "2"], {}, 2),
        ],
    )
    def test_the_nearest_word_counts(
        self, arguments: list[str], environ: dict[str, str], port: int
    ) -> None:
        """--port wins over PORT, which wins over 8080; empty is unset."""
        assert serve.port_from(arguments, environ) == port

    @pytest.mark.parametrize("text", ["0", "65536", "-1", "+1", "80.0", "0x50", "http", "8 0", "٣"])
    def test_a_bad_port_is_named(self, text: str) -> None:
        """The line for the person has the name, the value, and what it takes."""
        takes = "it takes a port from 1 to 65535"
        with pytest.raises(ValueError, match=f"^PORT={re.escape(repr(text))}: {takes}$"):
            serve.port_from([], {"PORT": text})
        with pytest.raises(ValueError, match=f"^--port={re.escape(repr(text))}: {takes}$"):
            serve.port_from(["--port", text], {})

    def test_a_missing_port_is_named(self) -> None:
        """An option without its value is not the default."""
        with pytest.raises(ValueError, match=r"^-p='': it takes a port"):
            serve.port_from(["-p"], {})

    @pytest.mark.parametrize("word", ["8080", "--prot", "--port8080", "-h", ""])
    def test_unknown_arguments_are_named(self, word: str) -> None:
        """Whatever else is said is not passed over."""
        with pytest.raises(ValueError, match=f"^unknown argument {word}; see modulehost serve"):
            serve.port_from([word], {})

    @tried
    @given(st.text(max_size=10) | st.integers(-5, 70_000).map(str))
    @example("²")
    @example("\uff11")
    def test_any_text_is_a_port_or_refused(self, text: str) -> None:
        """Whatever PORT holds: a port, or one line that says it is none."""
        try:
            port = serve.port_from([], {"PORT": text})
        except ValueError as error:
            line = str(error)
        else:
            assert port in range(1, 65536)
            return
        assert line.startswith("PORT=")
        assert line.isprintable()


class TestMain:
    """When it ends by itself."""

    @pytest.mark.parametrize(
        ("arguments", "environ"),
        [
            (("--port", "http"), {}),
            (("--potr", "80"), {}),
            ((), {"PORT": "0"}),
        ],
    )
    def test_a_wrong_port_is_one_line_and_status_2(
        self, arguments: tuple[str, ...], environ: dict[str, str]
    ) -> None:
        """Without a port there is nothing to serve the reason on."""
        done = run("-m", "modulehost", "serve", *arguments, **environ)
        assert (done.returncode, done.stdout) == (2, "")
        assert re.fullmatch(r"modulehost: [^\n]+\n", done.stderr)

    def test_a_taken_port_is_one_line_and_status_2(self) -> None:
        """A port that another process has, likewise."""
        port = free_port()
        with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True):
            done = run("-m", "modulehost", "serve", PORT=str(port))
        line = (
            f"modulehost: cannot listen on port {port}: Address already in use; end what has the"
            " port, or choose another with --port\n"
        )
        assert (done.returncode, done.stdout, done.stderr) == (2, "", line)
