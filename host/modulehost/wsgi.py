"""What gunicorn loads: ``gunicorn -c gunicorn.conf.py modulehost.wsgi:app``."""

from modulehost.front.boot import app, supervisor

__all__ = ["app", "supervisor"]
