"""Messages and credit while a real server refuses to write, and after."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
import redis
from kombu import Connection, Consumer, Message, Producer, Queue

from tasks import broker

pytestmark = pytest.mark.server

QUEUE = "pictures"
Switch = tuple[str, ...]
REFUSING: dict[str, tuple[Switch, Switch]] = {
    "full": (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
    "read-only": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    "no right": (("ACL", "SETUSER", "default", "-@write"), ("ACL", "SETUSER", "default", "+@all")),
    "too few replicas": (
        ("CONFIG", "SET", "min-replicas-to-write", "1"),
        ("CONFIG", "SET", "min-replicas-to-write", "0"),
    ),
}


@dataclass
class Worker:
    """What consumes in a worker's main process: one channel with credit for one message."""

    server: redis.Redis
    connection: Connection
    received: list[Message]

    @property
    def qos(self) -> Any:
        """The channel's credit."""
        return self.connection.default_channel.qos

    def receive(self, before: Callable[[], object] = bool) -> Message:
        """Send a message, call `before`, and return it once it is delivered."""
        Producer(self.connection).publish({}, routing_key=QUEUE)
        before()
        self.connection.drain_events(timeout=5)
        return self.received[-1]

    def counts(self) -> tuple[int, int, int]:
        """Return how many messages wait, and how many are unacknowledged in either record."""
        lengths = (
            self.server.llen(QUEUE),
            self.server.hlen("unacked"),
            self.server.zcard("unacked_index"),
        )
        return lengths  # type: ignore[return-value] # it is the synchronous client


@pytest.fixture
def worker(server: redis.Redis) -> Iterator[Worker]:
    """A consumer of an empty queue."""
    server.flushall()
    port = server.connection_pool.connection_kwargs["port"]
    received: list[Message] = []
    options = {"socket_timeout": 0.5}
    with Connection(f"redis://127.0.0.1:{port}/0", transport_options=options) as connection:
        channel = connection.default_channel
        channel.basic_qos(0, 1, False)
        with Consumer(channel, [Queue(QUEUE)], on_message=received.append, accept=["json"]):
            yield Worker(server, connection, received)


@pytest.fixture(params=REFUSING)
def switches(
    request: pytest.FixtureRequest, server: redis.Redis
) -> Iterator[tuple[Switch, Switch]]:
    """The commands that make the server refuse, and take writes again."""
    refuse, allow = REFUSING[request.param]
    yield refuse, allow
    server.execute_command(*allow)


def test_a_refused_acknowledgement_is_made_later(
    worker: Worker, switches: tuple[Switch, Switch]
) -> None:
    """Nothing is raised, no credit is lost, and the message does not come again."""
    refuse, allow = switches
    message = worker.receive()
    worker.server.execute_command(*refuse)
    message.ack()
    worker.server.execute_command(*allow)
    broker.backlog().catch_up()

    assert worker.counts() == (0, 0, 0)
    assert worker.qos.can_consume()


def test_a_refused_return_is_made_later(worker: Worker, switches: tuple[Switch, Switch]) -> None:
    """Meanwhile no other message is taken: what would become of it could not be said either."""
    refuse, allow = switches
    message = worker.receive()
    worker.server.execute_command(*refuse)
    message.requeue()
    took_another = worker.qos.can_consume()
    broker.backlog().catch_up()
    worker.server.execute_command(*allow)
    broker.backlog().catch_up()

    assert not took_another
    assert worker.counts() == (1, 0, 0)
    assert worker.qos.can_consume()


def test_an_acknowledgement_without_an_answer_is_made_again(worker: Worker) -> None:
    """A frozen server may have done it, or not; twice does no harm."""
    message = worker.receive()
    process = psutil.Process(int(worker.server.info("server")["process_id"]))
    process.suspend()
    message.ack()
    kept = len(broker.backlog())
    process.resume()
    broker.backlog().catch_up()

    assert (kept, worker.counts()) == (1, (0, 0, 0))


def full(worker: Worker, is_full: bool) -> None:
    """Let the server be full, or no longer."""
    worker.server.execute_command(*REFUSING["full"][0 if is_full else 1])


def test_a_full_server_takes_acknowledgements(worker: Worker) -> None:
    """Acknowledging is what makes room; inside of MULTI it would be refused."""
    message = worker.receive()
    full(worker, True)
    message.ack()
    counts = worker.counts()
    full(worker, False)

    assert (counts, len(broker.backlog())) == ((0, 0, 0), 0)


@pytest.mark.parametrize(("end", "waiting"), [(Message.ack, 0), (Message.requeue, 1)])
def test_a_message_that_could_not_be_recorded_is_delivered(
    worker: Worker, end: Callable[[Message], None], waiting: int
) -> None:
    """It is in no list of the server any more: whoever has it acknowledges or returns it."""
    message = worker.receive(before=lambda: full(worker, True))
    unrecorded = worker.counts()
    end(message)
    full(worker, False)
    broker.backlog().catch_up()

    assert unrecorded == (0, 0, 0)
    assert worker.counts() == (waiting, 0, 0)


def test_it_is_recorded_as_soon_as_that_is_possible(worker: Worker) -> None:
    """A worker that dies then has lost nothing."""
    message = worker.receive(before=lambda: full(worker, True))
    full(worker, False)
    broker.backlog().catch_up()
    recorded = worker.counts()
    message.ack()

    assert (recorded, worker.counts()) == ((0, 1, 1), (0, 0, 0))


def test_a_closed_channel_returns_what_was_refused(worker: Worker) -> None:
    """As when a worker connects anew while the server is full."""
    worker.receive()
    full(worker, True)
    worker.connection.default_channel.close()
    kept = worker.counts()
    full(worker, False)
    broker.backlog().catch_up()

    assert (kept, worker.counts()) == ((0, 1, 1), (1, 0, 0))


def test_no_message_is_thrown_away_on_its_way_back(worker: Worker) -> None:
    """Where kombu logs an error reply to its look for the queues, it deletes the message."""
    message = worker.receive()
    worker.server.execute_command("ACL", "SETUSER", "default", "-smembers")
    message.requeue()
    worker.server.execute_command("ACL", "SETUSER", "default", "+smembers")
    broker.backlog().catch_up()

    assert worker.counts() == (1, 0, 0)


def test_the_sweep_survives_every_reply(worker: Worker, switches: tuple[Switch, Switch]) -> None:
    """The timer that finds messages of dead workers goes on, also on a server that refuses."""
    worker.server.execute_command(*switches[0])

    worker.connection.transport.cycle.maybe_restore_messages()


def test_a_channel_has_one_client_for_its_connections(worker: Worker) -> None:
    """It is made anew with the connections, as after an error."""
    channel = worker.connection.default_channel
    clients = [channel._create_client() for _ in range(2)]
    channel._disconnect_pools()
    later = channel._create_client()

    assert clients[0] is clients[1]
    assert later is not clients[0]
    assert later.ping()


def test_what_a_lost_connection_brought_is_acknowledged(worker: Worker) -> None:
    """A child may end its picture after kombu has given the connection up; it ended the worker."""
    message = worker.receive()
    channel: Any = message.channel
    client, channel.connection.client = channel.connection.client, None
    channel._disconnect_pools()
    try:
        message.ack()
    finally:
        channel.connection.client = client

    assert worker.counts() == (0, 0, 0)
