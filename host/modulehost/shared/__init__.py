"""What the processes exchange, and what all of them use.

Process: any.
Threads: ``stalled log``, while nobody reads the log.
Reads: the environment; the channels between front and runner.
Writes: log lines; the channels between front and runner.
Dies when: its process does.
"""
