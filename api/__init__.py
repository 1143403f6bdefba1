"""HTTP: takes pictures, hands out task ids, answers with results; loads nothing heavy.

`flask --app api run` and gunicorn find `create_app` here.
"""

from api.app import create_app

__all__ = ["create_app"]
