"""Flower's own settings; Flower reads them where it starts, and nobody imports them.

They are for what the environment cannot say, and for defaults that a variable `FLOWER_*` replaces.
"""

from logging import getLogger
from os import environ

from flower.utils import strtobool
from flower.views.monitor import Metrics
from tornado.web import authenticated

from tasks.celery import app
from tasks.repeated import Unrepeated

# It may look, and not end workers, send tasks or revoke them.
read_only = bool(strtobool(environ.get("FLOWER_READ_ONLY") or "true"))

# Flower 2.2 shows them to everybody: names of tasks and workers, and how much they do.
Metrics.get = authenticated(Metrics.get)

# Its user of Redis may not touch what workers have in hand.
app.conf.broker_transport_options = {**app.conf.broker_transport_options, "keeps_house": False}

# It asks every few seconds.
for _name in ("flower.events", "flower.inspector"):
    getLogger(_name).addFilter(Unrepeated())
