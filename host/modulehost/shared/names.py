"""What the host's processes must agree on: the variables that they hand down, and one number."""

from __future__ import annotations

PRIVATE_ENVIRONMENT = "MODULEHOST_"
"""All of them start so; a plugin does not see them."""

STARTED = "MODULEHOST_STARTED"
"""Set by the keeper: when it was started, in seconds on the monotonic clock."""

RELOAD = "MODULEHOST_RELOAD"
"""Set by the keeper: the plugin's files are watched."""

SETTINGS_PROBLEM = "MODULEHOST_SETTINGS_PROBLEM"
"""Set by the arbiter: what is wrong with gunicorn's settings."""

LISTENER = "MODULEHOST_LISTENER"
"""Set by the native listener: the program itself, which the keeper becomes in order to sleep."""

DEFER_ACCEPT = 30
"""Seconds for which the kernel keeps a connection that has sent nothing to itself."""
