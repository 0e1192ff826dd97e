"""The conformance suite as data, and how its results look."""

from __future__ import annotations

import json
import re
import socket
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modulehost.cli.report import Report, to_json, to_junit
from modulehost.testing import conformance
from modulehost.testing.checks import Checks, Result
from modulehost.testing.contract import CHECKS, Check
from modulehost.testing.target import Broken, Skipped, Target
from modulehost.testing.wire import Server, WireError


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_check_says_what_the_contract_says_and_where(check: Check) -> None:
    """An id that can be typed, a short sentence without a full stop, a source."""
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", check.id)
    assert re.fullmatch(r"[A-Z].*[^.]", check.says)
    assert len(check.says) < 80
    assert check.source


def test_ids_are_unique() -> None:
    """Two checks of one name could not be told apart."""
    assert len({check.id for check in CHECKS}) == len(CHECKS)


def test_a_url_is_only_looked_at_unless_it_may_be_changed() -> None:
    """No check that calls an operation is made by default, and none that needs a plugin ever."""
    looks = Checks.of_url("http://localhost:1")
    changes = Checks.of_url("http://localhost:1", may_change=True)
    assert {check.scope for check in looks.selected} == {"reads"}
    assert {check.scope for check in changes.selected} == {"reads", "changes"}


def test_checks_can_be_left_out() -> None:
    """Some alone, or all but some; in their own order."""
    checks = Checks.of_url("http://localhost:1", may_change=True)
    checks.select(only=["sleep", "health", "install"], skip=["install"])
    assert [check.id for check in checks.selected] == ["health", "sleep"]


@pytest.mark.parametrize("option", ["only", "skip"])
def test_a_check_that_there_is_not_is_named(option: str) -> None:
    """With those that there are."""
    checks = Checks.of_url("http://localhost:1")
    wrong: dict[str, Any] = {option: ["heath"]}
    with pytest.raises(ValueError, match=r"no such check: heath; there are loads, health, "):
        checks.select(**wrong)
    with pytest.raises(ValueError, match="no such check: heath"):
        conformance(**wrong)


def test_a_suite_without_checks_is_refused() -> None:
    """What is never checked is not kept."""
    with pytest.raises(ValueError, match="no check is left"):
        conformance(only=["health"], skip=["health"])


def run_one(run: Callable[[Target], None]) -> Result:
    """The result of a check that does this."""
    checks = Checks.of_url("http://localhost:1")
    return checks.run(Check("made-up", "It is so", "nowhere", "reads", run))


def raising(error: Exception) -> Callable[[Target], None]:
    """A check that ends so."""

    def run(_: Target) -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Broken("it is\nnot so\x1b[1m"), "failed"),
        (WireError("it is not so [1m"), "failed"),
        (Skipped("it is not so [1m"), "skipped"),
    ],
)
def test_the_end_of_a_check_is_its_outcome(error: Exception, outcome: str) -> None:
    """The reason is one line, without what a terminal would obey."""
    result = run_one(raising(error))
    assert (result.outcome, result.reason) == (outcome, "it is not so [1m")


def test_a_mistake_of_a_check_is_no_outcome() -> None:
    """It is a bug here, and must not be taken for one there."""
    with pytest.raises(ZeroDivisionError):
        run_one(raising(ZeroDivisionError()))


def results(*outcomes: Any) -> list[Result]:
    """Results with these outcomes."""
    reasons = {"passed": "", "failed": 'it is <not> "so"', "skipped": "nobody knows"}
    return [
        Result(check, outcome, reasons[outcome], 0.25)
        for check, outcome in zip(CHECKS, outcomes, strict=False)
    ]


def report(*outcomes: Any) -> Report:
    """A report with these outcomes."""
    made = Report("shop")
    for result in results(*outcomes):
        made.add(result)
    return made


@pytest.mark.parametrize(
    ("outcomes", "good"),
    [
        (["passed", "passed"], True),
        (["passed", "skipped"], True),
        (["passed", "failed"], False),
        (["skipped", "skipped"], False),
        ([], False),
    ],
)
def test_only_what_was_checked_can_be_good(outcomes: list[str], good: bool) -> None:
    """Skipped checks do not count, and none at all is a failure: as object and as JSON."""
    assert report(*outcomes).is_good is good
    assert json.loads(to_json("shop", results(*outcomes)))["passed"] is good


def test_a_result_is_a_line_and_its_reason_another(capsys: pytest.CaptureFixture[str]) -> None:
    """Plain text where nobody looks; a reason that was told is not repeated."""
    report("passed", "skipped", "skipped", "failed").end(["add more"])
    told = capsys.readouterr()
    first, second, third, fourth = CHECKS[:4]
    assert told.out.splitlines() == [
        f"ok      {first.id:22}{first.says}",
        f"skipped {second.id:22}{second.says}",
        "          nobody knows",
        f"skipped {third.id:22}{third.says}",
        "          as above",
        f"FAILED  {fourth.id:22}{fourth.says}",
        '          it is <not> "so"',
        f"          source: {fourth.source}",
        "",
        "shop does not keep the contract in 1.0 s: 1 passed, 1 failed, 2 skipped",
    ]
    assert told.err == "modulehost: add more\n"


def test_junit_has_all_results() -> None:
    """Counts, reasons, and names that CI servers show."""
    suite = ET.fromstring(to_junit("http://a&b", results("passed", "failed", "skipped")))[0]
    assert suite.get("name") == "modulehost check http://a&b"
    counts = [suite.get(name) for name in ("tests", "failures", "skipped", "errors", "time")]
    assert counts == ["3", "1", "1", "0", "0.750"]
    passed, failed, skipped = suite
    assert (passed.get("name"), len(passed)) == (CHECKS[0].id, 0)
    assert (failed[0].tag, failed[0].get("message")) == ("failure", 'it is <not> "so"')
    assert (skipped[0].tag, skipped[0].get("message")) == ("skipped", "nobody knows")


@pytest.mark.parametrize(
    "url", ["https://localhost", "ftp://localhost", "http://", "http://localhost/api", "http://a?b"]
)
def test_what_the_operator_could_not_call_is_refused(url: str) -> None:
    """With the form that is meant."""
    with pytest.raises(ValueError, match="give http://HOST:PORT"):
        Server(url)


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], Server]]:
    """A server that answers any request with these bytes, and hangs up."""
    listeners = []

    def serve(data: bytes) -> Server:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(data)

        threading.Thread(target=answer, daemon=True).start()
        return Server(f"http://127.0.0.1:{listener.getsockname()[1]}", 5)

    yield serve
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize(
    ("data", "body", "closes"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"{}", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", b"{}", True),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", b"{}", True),
        (b"HTTP/1.0 200\r\nContent-Length: 2\r\n\r\n{}", b"{}", True),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1;x=y\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
            b"{}",
            False,
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"",
            False,
        ),
    ],
)
def test_answers_are_read_in_every_form(
    answering: Callable[[bytes], Server], data: bytes, body: bytes, closes: bool
) -> None:
    """By length, by chunks, to the end of the connection; after an interim answer."""
    answer = answering(data).get("/health")
    assert (answer.status, answer.body, answer.closes) == (200, body, closes)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "closed without an answer"),
        (b"hello\r\n", "no HTTP: b'hello"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "ended after 2 of 9 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "no HTTP"),
    ],
)
def test_what_is_no_answer_is_told(
    answering: Callable[[bytes], Server], data: bytes, words: str
) -> None:
    """In words for a person."""
    with pytest.raises(WireError, match=words):
        answering(data).get("/health")


def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    """The time is bounded, and told."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(f"http://127.0.0.1:{listener.getsockname()[1]}", 0.1)
        with pytest.raises(WireError, match=r"no answer within 0\.1 s"):
            server.get("/health")


def test_checks_are_in_the_order_in_which_they_depend_on_each_other() -> None:
    """First whether the plugin loads; last the connection that was idle all the while."""
    assert (CHECKS[0].id, CHECKS[-1].id) == ("loads", "idle-connection")


WHO = {"reads": "any URL", "changes": "a URL with `--yes`", "plugin": "a plugin"}


def test_every_check_is_documented() -> None:
    """The table in docs/testing.md has all of them, in their order, word for word."""
    text = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    assert rows == [[f"`{c.id}`", c.says, WHO[c.scope], c.source] for c in CHECKS]
