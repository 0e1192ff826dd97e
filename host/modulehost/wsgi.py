"""What gunicorn loads: ``gunicorn -c gunicorn.conf.py modulehost.wsgi:app``."""

from modulehost.front.boot import app, operations

__all__ = ["app", "operations"]
