"""The keeper's parts: its arguments, its log lines, its socket."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.host import free_port
from support.interpreter import evaluate, run
from support.properties import tried

from modulehost.keeper import serve
from modulehost.shared import line_writer
from modulehost.shared.logs import Log


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


class TestAddress:
    """Where else the address can come from."""

    @pytest.mark.parametrize(
        ("text", "address"),
        [
            ("", (None, 8080)),
            ("--workers 1", (None, 8080)),
            ("--bind 127.0.0.1:81", ("127.0.0.1", 81)),
            ("--threads 2 -b [::1]:82 --log-level info", ("::1", 82)),
            ("--bind=:83", (None, 83)),
            ("--bind '0.0.0.0:84'", ("0.0.0.0", 84)),
        ],
    )
    def test_gunicorns_arguments_may_name_it(
        self, text: str, address: tuple[str | None, int]
    ) -> None:
        """GUNICORN_CMD_ARGS is read as gunicorn would; without --bind it says nothing."""
        assert serve.address_from([], {"GUNICORN_CMD_ARGS": text}) == address

    def test_the_command_line_wins(self) -> None:
        """--port is nearer than GUNICORN_CMD_ARGS, which is nearer than PORT."""
        environ = {"GUNICORN_CMD_ARGS": "--bind 127.0.0.1:81", "PORT": "82"}
        assert serve.address_from([], environ) == ("127.0.0.1", 81)
        assert serve.address_from(["-p", "83"], environ) == (None, 83)

    @pytest.mark.parametrize("text", ["--bind unix:/run/x", "-b localhost", "--bind"])
    def test_what_is_no_port_is_named(self, text: str) -> None:
        """An address without a port is refused with the place where it stands."""
        with pytest.raises(ValueError, match=r"^GUNICORN_CMD_ARGS: (--bind|-b)='.*': it takes"):
            serve.address_from([], {"GUNICORN_CMD_ARGS": text})


@contextlib.contextmanager
def standard_output() -> Iterator[int]:
    """Standard output as a file, for code that writes to descriptor 1."""
    saved = os.dup(1)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        try:
            yield file.fileno()
        finally:
            os.dup2(saved, 1)
            os.close(saved)


class TestLog:
    """The keeper's own lines, written without the logger."""

    @pytest.fixture(autouse=True)
    def _style(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MODULE_LOG_FORMAT", "json")

    def written(self, level: str, event: str, **values: object) -> bytes:
        """A line."""
        with standard_output() as fd:
            serve.log(level, event, **values)
            return os.pread(fd, 1 << 20, 0)

    def test_lines_have_the_form_of_all_others(self) -> None:
        """To the byte what the logger makes of it, but for the time."""
        values: dict[str, object] = {"port": 8080, "reason": 'no "x" in C:\\x\n…', "how": "SIGKILL"}
        ours = self.written("error", "gunicorn ended", **values)
        log = Log(1, "info", "json")
        with standard_output() as fd:
            log.event("error", "gunicorn ended", **values)
            theirs = os.pread(fd, 1 << 20, 0)
        stamp = re.compile(rb'"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"')
        assert stamp.search(ours)
        first, second = (json.loads(stamp.sub(b'"timestamp":""', line)) for line in (ours, theirs))
        assert [*first.items()] == [*second.items()]

    @tried
    @given(
        st.text(st.characters(codec=None), min_size=1, max_size=50),
        st.dictionaries(
            st.sampled_from(["port", "how", "reason"]),
            st.integers() | st.text(st.characters(codec=None), min_size=1),
        ),
    )
    def test_any_line_is_json(self, event: str, values: dict[str, object]) -> None:
        """Whatever the reason holds, there is one line of JSON with it."""
        text = self.written("error", event, **values)
        assert text.count(b"\n") == 1
        line = json.loads(text)
        for key, value in {"level": "error", "event": event, **values}.items():
            assert line[key] == value

    @pytest.mark.parametrize("style", ["json", "console"])
    @pytest.mark.parametrize("character", ["x", "…", "\0", '"', "\ud800", "\n"])
    @pytest.mark.parametrize("size", [900, 3900, 5000])
    def test_no_line_is_longer_than_the_others(
        self, monkeypatch: pytest.MonkeyPatch, size: int, character: str, style: str
    ) -> None:
        """So it is written in one piece; what is too long is cut."""
        monkeypatch.setenv("MODULE_LOG_FORMAT", style)
        text = self.written("error", "gunicorn ended", how="x", reason=character * size)
        assert len(text) <= line_writer.MAX_LINE
        assert text.count(b"\n") == 1
        assert text.endswith(b"\n")
        if style == "json":
            line = json.loads(text)
            assert (line["event"], line["how"]) == ("gunicorn ended", "x")
            assert character * 100 in line["reason"]

    def test_empty_values_are_left_out(self) -> None:
        """A reason that nobody gave is not shown."""
        assert b"reason" not in self.written("error", "gunicorn ended", how="x", reason="")

    def test_a_person_gets_the_console_form(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The setting holds for these lines, too."""
        monkeypatch.setenv("MODULE_LOG_FORMAT", "Console")
        line = self.written("info", "listening", port=8080)
        assert re.fullmatch(rb"\d\d:\d\d:\d\d info    listening port=8080\n", line)


@contextlib.contextmanager
def listening(host: str | None = None, port: int = 0) -> Iterator[socket.socket]:
    """The keeper's socket, with Python's half of it."""
    with socket.socket(fileno=serve.listen(host, port).detach()) as listener:
        yield listener


def port_of(listener: socket.socket) -> int:
    """Its port."""
    return int(listener.getsockname()[1])


def connected(listener: socket.socket, address: str = "127.0.0.1") -> socket.socket:
    """A client of it."""
    return socket.create_connection((address, port_of(listener)), 5)


class TestListen:
    """The socket."""

    def test_it_listens_at_once_and_keeps_early_requests(self) -> None:
        """A connection is taken, and what it sends kept, before anybody accepts."""
        with listening() as listener, connected(listener) as client:
            client.sendall(b"GET /health HTTP/1.1\r\n\r\n")
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.recv(100).startswith(b"GET /health")

    @pytest.mark.skipif(not socket.has_ipv6, reason="a kernel without IPv6")
    def test_both_families_reach_it(self) -> None:
        """One socket for IPv4 and IPv6."""
        with listening() as listener:
            for address in ("127.0.0.1", "::1"):
                connected(listener, address).close()

    def test_an_address_is_for_itself_only(self) -> None:
        """Bound to one address it is not at another."""
        with listening("127.0.0.1") as listener:
            connected(listener).close()
            with pytest.raises(ConnectionRefusedError):
                connected(listener, "127.0.0.2")

    def test_silent_connections_stay_in_the_kernel(self) -> None:
        """A connection that has sent nothing is not handed over."""
        with listening() as listener:
            option = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT)
            assert option >= serve.DEFER_ACCEPT
            listener.setblocking(False)
            with connected(listener), pytest.raises(BlockingIOError):
                listener.accept()

    def test_many_wait_before_anybody_accepts(self) -> None:
        """Hundreds of early clients are connected, not refused."""
        with listening() as listener, contextlib.ExitStack() as stack:
            for _ in range(300):
                stack.enter_context(connected(listener))

    def test_a_port_can_be_had_again_at_once(self) -> None:
        """Connections that still end do not hold the port."""
        with listening() as listener:
            port = port_of(listener)
            with connected(listener) as client:
                client.sendall(b"x")
                accepted, _ = listener.accept()
                assert accepted.recv(1) == b"x"
                accepted.close()  # ours first, so that the wait is on this side
        with listening(None, port):
            pass


class TestMain:
    """When it ends by itself."""

    @pytest.mark.parametrize(
        ("arguments", "environ"),
        [
            (("--port", "http"), {}),
            (("--potr", "80"), {}),
            ((), {"PORT": "0"}),
            ((), {"GUNICORN_CMD_ARGS": "--bind unix:/x"}),
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
        with listening(None, port):
            done = run("-m", "modulehost", "serve", PORT=str(port))
        line = f"modulehost: cannot listen on port {port}: Address already in use\n"
        assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


class TestExitStatus:
    """How the keeper learns of ends."""

    def test_ends_are_told_apart(self) -> None:
        """An exit status, a signal as a negative number, None while it runs, orphans in between."""
        told = evaluate(
            """
import json, os, signal, subprocess, time
from modulehost.keeper.serve import exit_status

def end_of(pid):
    while (status := exit_status(pid)) is None:
        time.sleep(0.01)
    return status

def fork(work):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(3)
    return pid

sleeper = fork(lambda: time.sleep(60))
running = exit_status(sleeper)
other = end_of(fork(lambda: None))
os.kill(sleeper, signal.SIGTERM)
print(json.dumps([running, other, end_of(sleeper), exit_status(sleeper)]))
"""
        )
        assert told == [None, 3, -15, -9]


class TestLastResort:
    """Who answers when gunicorn cannot start."""

    @pytest.fixture
    def port(self) -> Iterator[int]:
        """The port of one."""
        with listening() as listener:
            os.set_inheritable(listener.fileno(), True)
            code = (
                "from modulehost.keeper import serve;"
                f"serve.serve_reason({listener.fileno()}, 'no luck')"
            )
            with subprocess.Popen([sys.executable, "-c", code], close_fds=False) as process:
                yield port_of(listener)
                process.kill()

    @pytest.mark.parametrize(
        ("request_line", "body", "status"),
        [
            ("GET /health", b"", 503),
            ("HEAD /health", b"", 503),
            ("POST /install", b"{}", 400),
            ("POST /uninstall", b"", 400),
        ],
    )
    def test_the_reason_is_the_answer(
        self, port: int, request_line: str, body: bytes, status: int
    ) -> None:
        """400 to calls and 503 to questions, one line of text."""
        with socket.create_connection(("127.0.0.1", port), 10) as client:
            head = f"{request_line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            answer = b"".join(iter(lambda: client.recv(4096), b""))
        head, _, text = answer.decode().partition("\r\n\r\n")
        assert f" {status} " in head.splitlines()[0]
        assert "Content-Type: text/plain; charset=utf-8" in head
        assert text == ("" if request_line.startswith("HEAD") else "no luck\n")
