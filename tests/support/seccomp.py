"""Has the kernel refuse system calls to a process and its children: seccomp(2)."""

from __future__ import annotations

import errno
import platform

_NUMBERS = {
    "x86_64": {"clone": 56, "fork": 57, "vfork": 58, "clone3": 435, "kill": 62},
    "aarch64": {"clone": 220, "clone3": 435, "kill": 129},
}
FORKING = ("clone", "fork", "vfork", "clone3")


def refusing(*calls: str, error: int = errno.EAGAIN) -> str:
    """Code that has them fail from then on, for good."""
    known = _NUMBERS[platform.machine()]
    numbers = [known[call] for call in calls if call in known]
    return f"""
import ctypes, struct
numbers = {numbers}
code = struct.pack("HBBI", 0x20, 0, 0, 0)  # load the number of the call
for place, number in enumerate(numbers):  # one that is on the list jumps to the last line
    code += struct.pack("HBBI", 0x15, len(numbers) - place, 0, number)
code += struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)  # go on
code += struct.pack("HBBI", 0x06, 0, 0, 0x50000 | {error})
lines = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(lines))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, ctypes.create_string_buffer(program), 0, 0) == 0  # PR_SET_SECCOMP
del code, lines, program, numbers
"""
