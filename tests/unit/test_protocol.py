"""The records between front and runner, and the channel that carries them."""

from __future__ import annotations

import _socket
import contextlib
import gc
import os
import struct
import threading
import weakref
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.properties import tried

from modulehost.shared import channel
from modulehost.shared.channel import Channel, ChannelClosedError
from modulehost.shared.records import (
    AnyRecord,
    AskHealth,
    Call,
    Done,
    Health,
    Loaded,
    MetadataText,
    Progress,
    Record,
    Saved,
)

_FIELDS: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**63), 2**64 - 1),
    float: st.floats(allow_nan=False),
    dict[str, float]: st.dictionaries(st.text(), st.floats(allow_nan=False)),
}


def _records(kind: type[Record]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    fields = {name: _FIELDS.get(hints[name], st.from_type(hints[name])) for name in hints}
    return st.builds(kind, **fields)


RECORDS = st.one_of(*map(_records, get_args(AnyRecord)))
"""Any record at all, every field of any value of its type."""


@pytest.fixture
def channels() -> Iterator[tuple[Channel, Channel]]:
    """Two ends."""
    with wired() as (one, sock):
        yield one, Channel(sock)


@pytest.fixture
def wire() -> Iterator[tuple[Channel, _socket.socket]]:
    """A channel, and the bare socket at its other end."""
    with wired() as ends:
        yield ends


@contextlib.contextmanager
def wired() -> Iterator[tuple[Channel, _socket.socket]]:
    """The same for an example of a property."""
    channel, sock = Channel.pair()
    try:
        yield channel, sock
    finally:
        channel.close()
        sock.close()


def sent(*records: Record) -> bytes:
    """What the records are on the wire."""
    with wired() as (channel, sock):
        for record in records:
            channel.send(record)
        channel.close()
        return b"".join(iter(lambda: sock.recv(1 << 20), b""))


def test_the_union_holds_every_record() -> None:
    """A record that is declared can be received."""
    assert set(get_args(AnyRecord)) == set(Record.__subclasses__())


@tried
@given(st.lists(RECORDS, min_size=1, max_size=4))
def test_records_arrive_as_they_were_sent(records: list[Any]) -> None:
    """Any records come out equal, in order."""
    with wired() as (channel, sock):
        other = Channel(sock)
        for record in records:
            channel.send(record)
        assert [other.receive() for _ in records] == records


@tried
@given(st.lists(RECORDS, min_size=1, max_size=3), st.data())
def test_records_survive_any_cut(records: list[Any], data: st.DataObject) -> None:
    """Wherever the stream is cut into pieces, each record comes out once its last byte is there."""
    text = sent(*records)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    found: list[AnyRecord] = []
    with wired() as (channel, sock):
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            sock.sendall(text[start:end])
            found += channel.available()
            complete = _ends(records)
            assert len(found) == sum(place <= end for place in complete)
        assert found == records


def _ends(records: list[Any]) -> list[int]:
    sizes = [len(sent(record)) for record in records]
    return [sum(sizes[: number + 1]) for number in range(len(sizes))]


def test_a_byte_at_a_time_is_enough(wire: tuple[Channel, _socket.socket]) -> None:
    """The receiver puts a record together from single bytes."""
    channel, sock = wire
    record = Call("1", "install", "id", MetadataText(b'{"a": 1}'), 900.0)
    for byte in sent(record)[:-1]:
        sock.sendall(bytes([byte]))
        assert channel.available() == []
    sock.sendall(sent(record)[-1:])
    assert channel.available() == [record]


@tried
@given(st.binary(max_size=60))
def test_garbage_is_refused(garbage: bytes) -> None:
    """What is framed as a record and is none closes the channel for its reader; nothing else."""
    try:
        record = msgspec.msgpack.decode(garbage, type=AnyRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        record = None
    with wired() as (channel, sock):
        sock.sendall(len(garbage).to_bytes(4, "big") + garbage)
        if record is None:
            with pytest.raises(ChannelClosedError, match="not a record"):
                channel.receive()
        else:
            assert channel.receive() == record


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x92\xa8Progress\xa2id",  # too few fields
        b"\x93\xa8Progress\x01\xa4text",  # a number in a text's place
        b"\x93\xa8Progress\xa2id\xa1\xff",  # no UTF-8
        b"\x91\xa7Nothing",  # no such record
        b"\x91\xa5Saved\x00",  # something behind it
        b"\x95\xa4Call\xa7explode\xa2id\xc4\x00\x00",  # no such operation
        msgspec.msgpack.encode({"operation": "install"}),
    ],
)
def test_near_misses_are_refused(wire: tuple[Channel, _socket.socket], data: bytes) -> None:
    """Records of the wrong form are no records."""
    channel, sock = wire
    sock.sendall(len(data).to_bytes(4, "big") + data)
    with pytest.raises(ChannelClosedError, match="not a record"):
        channel.available()


@tried
@given(RECORDS, st.data())
def test_damage_is_a_record_or_refused(record: Any, data: st.DataObject) -> None:
    """A record with changed bytes is another record or refused, and no other error."""
    text = bytearray(sent(record))
    place = data.draw(st.integers(4, len(text) - 1))
    text[place] = data.draw(st.integers(0, 255))
    with wired() as (channel, sock):
        sock.sendall(text)
        try:
            assert isinstance(channel.receive(), get_args(AnyRecord))
        except ChannelClosedError as error:
            assert "not a record" in str(error)  # noqa: PT017 - either is right


@pytest.mark.parametrize("size", [1 << 16, 1 << 18, 5 << 20])
def test_large_records_pass(channels: tuple[Channel, Channel], size: int) -> None:
    """Records far beyond any buffer of the kernel arrive whole."""
    one, other = channels
    record = Done("id", "succeeded", "", MetadataText(b"x" * size))
    thread = threading.Thread(target=one.send, args=(record,))
    thread.start()
    assert other.receive() == record
    thread.join()


def test_threads_do_not_mix_their_records(channels: tuple[Channel, Channel]) -> None:
    """Records that several threads send at once come out whole, those of one thread in order."""
    one, other = channels

    def send(name: str) -> None:
        for number in range(10):
            one.send(Progress(name, f"{number} {name * 500_000}"))

    threads = [threading.Thread(target=send, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    found: dict[str, list[str]] = {name: [] for name in "abcd"}
    for _ in range(40):
        record = other.receive()
        assert isinstance(record, Progress)
        found[record.id].append(record.text)
    for thread in threads:
        thread.join()
    for name, texts in found.items():
        assert texts == [f"{number} {name * 500_000}" for number in range(10)]


def test_nothing_there_is_no_record(channels: tuple[Channel, Channel]) -> None:
    """Asking for what has come does not wait."""
    assert channels[0].available() == []


def test_what_was_sent_before_the_end_still_counts(channels: tuple[Channel, Channel]) -> None:
    """The records of a side that has gone are handed out before its end is told."""
    one, other = channels
    records = [
        Loaded("p", "pkg", "1", {"install": 1.0}, True),
        Health(1, False, "no"),
        Saved("id", 1),
    ]
    for record in records:
        one.send(record)
    one.close()
    assert other.available() == records
    with pytest.raises(ChannelClosedError, match="the other side has gone"):
        other.available()


def test_the_end_keeps_nothing_alive(channels: tuple[Channel, Channel]) -> None:
    """The error's frames hold the runner's process, and it the descriptors: gone with the error."""

    class Local:
        """What the caller has at hand."""

    def asks() -> weakref.ref[Local]:
        local = Local()
        with contextlib.suppress(ChannelClosedError):
            channels[1].available()
        return weakref.ref(local)

    channels[0].close()
    gc.disable()
    try:
        assert asks()() is None
    finally:
        gc.enable()


def test_half_a_record_is_none(wire: tuple[Channel, _socket.socket]) -> None:
    """A side that goes in the middle of a record has gone."""
    channel, sock = wire
    sock.sendall(sent(AskHealth(7))[:-1])
    sock.close()
    with pytest.raises(ChannelClosedError, match="the other side has gone"):
        channel.receive()


@pytest.mark.parametrize("mine", [True, False])
def test_a_closed_channel_says_so(channels: tuple[Channel, Channel], mine: bool) -> None:
    """Sending into and reading from a channel that either side has closed is one kind of error."""
    one, other = channels
    (one if mine else other).close()
    with pytest.raises(ChannelClosedError):
        one.send(Saved("id", 1))
    with pytest.raises(ChannelClosedError):
        one.receive()


def test_who_does_not_read_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sending to a side that does not read ends in an error, not in a wait for ever."""
    monkeypatch.setattr(channel, "_SEND_TIMEOUT", struct.pack("ll", 0, 50_000))
    with wired() as (one, _), pytest.raises(ChannelClosedError):
        one.send(Done("id", "failed", "x" * (8 << 20)))


def test_nobody_else_gets_the_sockets() -> None:
    """Both ends are closed in every program that this process starts, unless told otherwise."""
    with wired() as (one, sock):
        assert not os.get_inheritable(one.fileno())
        assert not os.get_inheritable(sock.fileno())
