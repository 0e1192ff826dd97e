"""The complete example of a module: a deployment and its service, as files in a directory."""

from modulehost_example.manager import Config, Manager

__all__ = ["Config", "Manager"]
