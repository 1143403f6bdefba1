"""relier, a reliability layer for Celery, as its documentation wants it to be used.

`tasks` and `api` run in its own environment, `service` in the harness, `requirements.lock` is what
`make chaos-peers` installs.
"""
