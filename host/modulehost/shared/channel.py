"""What carries records between front and runner.

A channel is a private socket pair, so nothing that a plugin prints, closes or redirects can be
taken for a record. A record on the wire is four bytes of length, big-endian, then MessagePack.
"""

from __future__ import annotations

import _socket as socket  # the Python half would cost the runner half a megabyte
import os
import struct
import threading
from typing import Final

import msgspec

from modulehost.shared.records import AnyRecord, Record

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AnyRecord)
_HEAD: Final = 4
_READ: Final = 1 << 16  # more would be mapped and unmapped anew each time
_BUFFER: Final = 1 << 20  # bytes; the kernel gives as much as net.core.wmem_max allows
_SEND_TIMEOUT: Final = struct.pack("ll", 10, 0)  # a struct timeval


class ChannelClosedError(Exception):
    """The other side has gone, does not read, or speaks something else."""


class Channel:
    """One end of a socket pair. Any thread may send, one thread receives."""

    def __init__(self, sock: socket.socket, most: int | None = None) -> None:
        """``most`` is how many bytes a record may have that comes; larger ones end the channel."""
        self._socket = sock
        self._most = most
        self._sending = threading.Lock()
        self._pid = os.getpid()
        self._buffer = bytearray()
        self.fileno = sock.fileno
        self.close = sock.close

    @classmethod
    def pair(cls, most: int | None = None) -> tuple[Channel, socket.socket]:
        """Our end, whose sends are bounded in time, and the socket for the other process."""
        ours, theirs = socket.socketpair()
        for sock in (ours, theirs):  # so that a large record takes one wake-up of the other side
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        # not settimeout(), with which recv() would wait in spite of MSG_DONTWAIT
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _SEND_TIMEOUT)
        return cls(ours, most), theirs

    def send(self, record: Record) -> None:
        """Send a record; raises ChannelClosedError."""
        if os.getpid() != self._pid:
            raise ChannelClosedError("this process is a copy of the channel's own")
        data = bytearray(_HEAD)
        _encoder.encode_into(record, data, _HEAD)
        data[:_HEAD] = (len(data) - _HEAD).to_bytes(_HEAD, "big")
        try:
            with self._sending:
                self._socket.sendall(data)
        except (OSError, ValueError) as error:
            raise ChannelClosedError(str(error)) from None

    def receive(self) -> AnyRecord:
        """Wait for the next record; raises ChannelClosedError at the end."""
        while (record := self._next()) is None:
            self._fill(0)
        return record

    def available(self, *, to_the_last: bool = False) -> list[AnyRecord]:
        """The records that have come, without waiting; raises ChannelClosedError at the end.

        Others may be there already, which the next call gives, unless they are asked for.
        """
        ended = ""  # kept itself, the error would keep its frames, and those the process
        try:
            while self._fill(socket.MSG_DONTWAIT) and (to_the_last or self._missing > 0):
                pass
        except ChannelClosedError as error:
            ended = str(error)
        records = []
        while (record := self._next()) is not None:
            records.append(record)
        if ended and not records:
            raise ChannelClosedError(ended)
        return records

    def _fill(self, flags: int) -> bool:
        """Read what is there; whether anything was."""
        try:
            data = self._socket.recv(max(_READ, self._missing), flags)
        except BlockingIOError:
            return False
        except (OSError, ValueError) as error:
            raise ChannelClosedError(str(error)) from None
        if not data:
            raise ChannelClosedError("the other side has gone")
        self._buffer += data
        return True

    @property
    def _missing(self) -> int:
        """Bytes until the record that has begun is whole; 0 or less when it is."""
        size = int.from_bytes(self._buffer[:_HEAD], "big")
        if self._most is not None and size > self._most:
            raise ChannelClosedError(f"a record of {size} bytes")
        return _HEAD + size - len(self._buffer)

    def _next(self) -> AnyRecord | None:
        if self._missing > 0:
            return None
        end = len(self._buffer) + self._missing
        try:
            with memoryview(self._buffer) as whole, whole[_HEAD:end] as part:
                record: AnyRecord = _decoder.decode(part)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ChannelClosedError(f"not a record: {error}") from None
        finally:
            if end == len(self._buffer):
                self._buffer = bytearray()  # instead of a copy of nothing
            else:
                del self._buffer[:end]
        return record
