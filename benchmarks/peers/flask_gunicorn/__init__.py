"""Flask behind gunicorn's sync workers, a model in each; no queue."""
