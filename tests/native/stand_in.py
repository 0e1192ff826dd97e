"""What the native listener becomes in its tests: it tells how it was started, then obeys.

As the keeper does it becomes the listener again, in the same process, with the socket.
"""

import json
import os
import signal
import socket
import sys
import time

FOLDER = os.environ["TEST_FOLDER"]
PATIENCE = 20  # s


def tell(**values: object) -> None:
    """Add a line."""
    with open(f"{FOLDER}/told", "a") as file:  # noqa: PTH123
        file.write(json.dumps(values) + "\n")


def word() -> str:
    """What is to be done."""
    ends = time.monotonic() + PATIENCE
    path = f"{FOLDER}/word"
    while time.monotonic() < ends:
        if os.path.exists(path):  # noqa: PTH110
            with open(path) as file:  # noqa: PTH123
                said = file.read()
            os.unlink(path)  # noqa: PTH108
            return said
        time.sleep(0.002)
    return "exit"


def main() -> None:
    """Tell, obey, and tell of the signals that came meanwhile."""
    listens = sock = None
    if os.environ.get("LISTEN_FDS"):
        sock = socket.socket(fileno=3)
        tcp = socket.IPPROTO_TCP
        listens = {
            "port": sock.getsockname()[1],
            "family": sock.family.name,
            "defer": sock.getsockopt(tcp, socket.TCP_DEFER_ACCEPT),
            "accepts": sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN),
            "blocking": os.get_blocking(3),
        }
    tell(
        pid=os.getpid(),
        ours=os.environ.get("LISTEN_PID") == str(os.getpid()),
        listens=listens,
        listener=os.environ.get("MODULEHOST_LISTENER"),
        started=os.environ.get("MODULEHOST_STARTED"),
        blocked=sorted(int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        pending=sorted(int(number) for number in signal.sigpending()),
        chld=signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL,
        words=sys.argv[1:],
        descriptors=sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],  # noqa: PTH208
    )
    match word().split():
        case ["sleep"]:
            become_listener()
        case ["answer"]:
            client = accepted(sock)
            client.recv(4096)
            client.sendall(b"answered")
            client.close()
        case ["take"]:
            accepted(sock).close()
            become_listener()
        case ["orphans", count]:
            for _ in range(int(count)):
                if os.fork() == 0:
                    time.sleep(0.2)
                    os._exit(0)
            become_listener()


def accepted(sock: socket.socket | None) -> socket.socket:
    """The next connection."""
    assert sock
    sock.settimeout(PATIENCE)
    client, _ = sock.accept()
    sock.setblocking(False)
    return client


def become_listener() -> None:
    """As the keeper does to fall asleep."""
    program = os.environ["MODULEHOST_LISTENER"]
    os.execvp(program, [program, sys.executable, *sys.orig_argv[1:]])


main()
