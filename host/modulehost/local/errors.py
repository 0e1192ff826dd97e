"""How ``modulehost local`` says no."""

from __future__ import annotations


class RefusedError(Exception):
    """What was asked for cannot be done; the text says why, and what to do about it."""
