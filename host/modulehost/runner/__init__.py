"""The child that imports the plugin and runs its hooks.

Process: ``python -m modulehost.runner``, one at a time, started by the front.
Threads: its main one, which runs operations; ``control``, ``health``.
Reads: from the front ``Call``, ``Saved``, ``Cancel``, ``AskHealth``, ``KnowSecrets``,
    ``SecretsKnown``; the config that the operator mounts.
Writes: to the front ``Done``, ``Checkpoint``, ``Loaded``, ``LoadFailed``, ``Snapshot``,
    ``Progress``, ``Health``, ``KnowSecrets``; log lines.
Dies when: an operation failed or was cancelled, its connection to the front ends, or the thread
    that started it does.
"""
