"""gunicorn's worker with the Flask application: it takes the calls and looks after the runner."""
