"""What an author's package is to the host: hooks, how it is found, its config, its context."""
