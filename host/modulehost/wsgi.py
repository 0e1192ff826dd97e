"""What gunicorn loads: ``modulehost.wsgi:app``.

The runner is started before Flask is imported, so that the plugin loads meanwhile.
"""

from __future__ import annotations

import os
import time
from typing import Final

from modulehost.errors import SettingError
from modulehost.gunicorn import SETTINGS_PROBLEM
from modulehost.late import SERVER_LATE, import_with_late
from modulehost.logs import Log
from modulehost.settings import Settings
from modulehost.supervisor import Supervisor
from modulehost.worker import STARTED

RELOAD: Final = "MODULEHOST_RELOAD"
"""Variable by which the keeper hands down that the plugin is watched."""


def _supervisor() -> Supervisor:
    """A supervisor; one that serves the reason when a setting is wrong."""
    problem = os.environ.get(SETTINGS_PROBLEM)
    try:
        settings = Settings.from_env(os.environ)
    except SettingError as error:
        settings = Settings.good_from_env(os.environ)
        problem = f"{problem}; {error}" if problem else str(error)
    log = Log(1, settings.log_level, settings.log_format)
    if problem:
        log.event("error", "a setting is wrong", reason=problem)
    return Supervisor(settings, log, problem)


supervisor = _supervisor()
if RELOAD in os.environ:
    from modulehost.reload import Watcher

    Watcher(supervisor).start()
supervisor.start()

import_with_late("flask", SERVER_LATE)

from modulehost.app import create_app  # noqa: E402 - see above

app = create_app(supervisor, float(os.environ.get(STARTED, time.monotonic())))
app.extensions["modulehost"] = supervisor
