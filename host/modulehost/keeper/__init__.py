"""The first process: it listens, keeps gunicorn running or asleep, and survives the rest."""
