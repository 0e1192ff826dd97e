"""gunicorn's settings for the host: ``gunicorn -c gunicorn.conf.py modulehost.wsgi:app``."""

from modulehost.front.gunicorn import *  # noqa: F403 - the settings live in the package
