"""Modules in any language: each operation is a program."""

from modulehost_command.manager import Commands, Manager

__all__ = ["Commands", "Manager"]
