"""The child that imports the plugin and runs its hooks: ``python -m modulehost.runner``.

Process:   a child of the front, the leader of a session of its own.
Threads:   the main one (``loop``) runs operations; ``control`` takes cancellations and sends copies
           of the metadata; ``health`` runs the health hook. And what the plugin starts.
Reads:     the records of the front, config.json, the environment, the plugin.
Writes:    records to the front, lines to the log, and what the plugin writes.
Dies when: the front has gone or says so, the plugin cannot be loaded or ends it, or something that
           the plugin did has hit the code of the host.
"""
