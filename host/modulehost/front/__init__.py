"""gunicorn's part: it takes the calls, keeps the journal, and looks after the runner.

Process: gunicorn's arbiter, which ``gunicorn.py`` sets up; and its one worker, the front.
Threads: its main one, a pool for the clients, ``runners``, ``plugin's`` two streams, ``stop``,
    ``search for a swap`` before the first operation;
    ``reload`` where the plugin's files are watched.
Reads: requests; from the runner ``Done``, ``Checkpoint``, ``Loaded``, ``LoadFailed``,
    ``Snapshot``, ``Progress``, ``Health``, ``KnowSecrets``; what the plugin prints.
Writes: answers, log lines, the journal; to the runner ``Call``, ``Saved``, ``Cancel``,
    ``AskHealth``, ``KnowSecrets``, ``SecretsKnown``.
Dies when: it is idle, or told to stop; it hangs, or has lost the thread ``runners``; the arbiter
    starts another.
"""
