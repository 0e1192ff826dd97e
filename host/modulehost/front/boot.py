"""Makes the application in the front's process: ``modulehost.wsgi`` hands it to gunicorn.

The runner is started before Flask is imported, so that the plugin loads meanwhile.
"""

from __future__ import annotations

import os
import time

from modulehost.front.operations import Operations
from modulehost.shared.errors import SettingError
from modulehost.shared.late import SERVER_LATE, import_with_late
from modulehost.shared.logs import Log
from modulehost.shared.names import RELOAD, SETTINGS_PROBLEM, STARTED
from modulehost.shared.settings import Settings


def _operations() -> Operations:
    """The operations; ones that serve the reason when a setting is wrong."""
    problem = os.environ.get(SETTINGS_PROBLEM)
    try:
        settings = Settings.from_env(os.environ)
    except SettingError as error:
        settings = Settings.good_from_env(os.environ)
        problem = f"{problem}; {error}" if problem else str(error)
    log = Log(1, settings.log_level, settings.log_format)
    for words in Settings.unknown(os.environ):
        log.event("warning", "a variable is no setting", reason=words)
    if problem:
        log.event("error", "a setting is wrong", reason=problem)
    return Operations(settings, log, problem)


operations = _operations()
watcher = None
if RELOAD in os.environ:
    from modulehost.front.reload import Watcher

    watcher = Watcher(operations)
    watcher.start()
operations.start()

import_with_late("flask.app", SERVER_LATE, used=("cli",))

from modulehost.front.app import create_app  # noqa: E402 - see above

app = create_app(operations, float(os.environ.get(STARTED, time.monotonic())))
app.extensions["modulehost"] = operations
if watcher is not None:
    app.before_request(watcher.look_now)
