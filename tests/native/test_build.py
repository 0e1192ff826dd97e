"""The program's text: what compilers find in it."""

from __future__ import annotations

import struct

import pytest
from support import native

PT_LOAD, PT_INTERP = 1, 3  # elf(5)


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_no_compiler_warns(level: str) -> None:
    """Warnings are errors, those of the analyser as well."""
    assert native.built(level, "-fanalyzer").exists()


def test_it_is_one_file_that_can_be_read_at_a_sitting() -> None:
    """Below 200 lines, none longer than the others here."""
    lines = native.SOURCE.read_text().splitlines()
    assert len(lines) < 200
    assert [line for line in lines if len(line) > 100] == []
    assert [path.name for path in native.SOURCE.parent.glob("*.c")] == [native.SOURCE.name]


def test_alone_it_needs_nothing() -> None:
    """Linked statically it runs where there is no C library: whatever the image's base is."""
    content = native.built(*native.SMALL).read_bytes()
    assert content[:5] == b"\x7fELF\x02"  # of 64 bits
    [start], [size, count] = struct.unpack("Q", content[32:40]), struct.unpack("HH", content[54:58])
    kinds = [struct.unpack_from("I", content, start + size * number)[0] for number in range(count)]
    assert PT_LOAD in kinds
    assert PT_INTERP not in kinds
