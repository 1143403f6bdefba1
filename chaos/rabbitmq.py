"""RabbitMQ as the harness starts it: one node and its port mapper, which listen on loopback alone.

A node of its own shares nothing with one that this machine may run: neither name, port nor cookie.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from celery import Celery

from petiole import probes
from petiole.parts import Part

SERVER: Final = "/usr/lib/rabbitmq/bin/rabbitmq-server"
"""Not Debian's script before it, which becomes another user."""
MAPPER: Final = "epmd"
BROKER, BROKER_MAPPER = "broker", "mapper"
"""Names of the two parts."""


@dataclass(frozen=True)
class RabbitMQ:
    """One node, with all that it has in `folder`."""

    folder: Path
    port: int = field(default_factory=probes.free_port)
    mapper_port: int = field(default_factory=probes.free_port)

    @property
    def url(self) -> str:
        """What `CELERY_BROKER_URL` is set to."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    @property
    def environment(self) -> Mapping[str, str]:
        """The settings of both programs, but for `HOME`, where the node's cookie lies."""
        return {
            "ERL_EPMD_PORT": str(self.mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"petiole{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(probes.free_port()),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(self.folder / "none"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
        }

    def parts(self) -> tuple[tuple[Part, int], ...]:
        """Return mapper and node, in this order, and the port at which each answers."""
        home = ("env", f"HOME={self.folder}")
        return (
            (Part(BROKER_MAPPER, (*home, MAPPER), self.environment), self.mapper_port),
            (Part(BROKER, (*home, SERVER), self.environment), self.port),
        )

    def messages(self, queue: str) -> int:
        """Return how many messages wait in a queue; 0 where there is no such queue."""
        with Celery(broker=self.url).connection_for_read() as connection:
            channel: Any = connection.default_channel  # of py-amqp, which has no types
            try:
                return int(channel.queue_declare(queue, passive=True).message_count)
            except connection.channel_errors:
                return 0


def missing() -> str:
    """Return which program this machine lacks and where it comes from, or nothing."""
    if not Path(SERVER).is_file():
        return "there is no rabbitmq-server: apt-get install rabbitmq-server"
    return "" if shutil.which(MAPPER) else "there is no epmd: apt-get install erlang-base"
