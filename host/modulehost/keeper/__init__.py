"""The first process: it holds the listening socket, and keeps gunicorn running on it, or asleep.

Process: the container's first, ``modulehost serve``; asleep in the image, the native listener.
Threads: its main one.
Reads: ``PORT``, and the socket that systemd or the native listener hands over.
Writes: its own log lines; the reason to clients, where gunicorn cannot start.
Dies when: SIGTERM or SIGINT has come, or it cannot listen.
"""
