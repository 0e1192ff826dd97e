"""What /proc tells about a server's processes: who they are, and the memory they take."""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20

# bits of an entry of /proc/PID/pagemap: the page is in memory; it belongs to a file
PRESENT = 1 << 63
OF_FILE = 1 << 61


def tree(pid: int) -> list[int]:
    """The process and its descendants, parents first."""
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def command(pid: int) -> str:
    """The command line; empty for a process that has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def memory(pids: list[int]) -> float:
    """The memory of some processes together in MiB, each page once, as if they were alone.

    The kernel's own measure, PSS, gives each process its part of a page that several share. So a
    Python that also runs elsewhere would make ours look smaller: pages of files are counted here.
    Where pagemap cannot be read PSS is what remains.
    """
    try:
        pages = {page for pid in pids for page in _pages_of_files(pid)}
    except PermissionError:
        return sum(_rollup(pid, "Pss") for pid in pids) / MIB
    return (sum(_rollup(pid, "Pss_Anon") for pid in pids) + len(pages) * PAGE) / MIB


def processor_time(pids: list[int]) -> float:
    """The seconds that some processes have run so far, their threads that have ended included."""
    total = 0.0
    for pid in pids:
        try:
            total += time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3)
        except OSError:
            continue  # it has gone
    return total


def _rollup(pid: int, name: str) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if f"{name}:" in line)


def _pages_of_files(pid: int) -> Iterator[tuple[str, int]]:
    """File and number of each page in memory that belongs to a file."""
    maps = [line.split()[:5] for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    with Path(f"/proc/{pid}/pagemap").open("rb", buffering=0) as pagemap:
        for span, _, offset, device, inode in maps:
            if inode == "0":
                continue
            first, end = (int(address, 16) // PAGE for address in span.split("-"))
            pagemap.seek(first * 8)
            entries = array("Q", pagemap.read((end - first) * 8))
            for number, entry in enumerate(entries, int(offset, 16) // PAGE):
                if entry & PRESENT and entry & OF_FILE:
                    yield f"{device} {inode}", number
