"""Has an entry point that is no plugin."""


class Manager:
    """Nothing."""
