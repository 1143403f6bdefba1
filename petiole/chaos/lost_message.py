"""`petiole chaos lost-message`: messages of our own vanish, as with a worker in the hand-over.

Redis gives a message away before anybody has written down who got it. A worker that dies in that
moment takes it along, and only the ledger of open jobs still knows of the picture.
"""

from typing import Any

from petiole.chaos.errors import RefusedError
from petiole.chaos.installation import Installation, address, connect, forbidden
from petiole.chaos.run import Fault, Run, say
from tasks import envelopes, lanes, redis_checks

NAME = "lost-message"
QUEUE = lanes.lane(lanes.CLASSIFY)
TAKEN = 3
LARGE = (2000, 4000)
"""Sides of the pictures that keep workers busy: a tenth and a third of a second to decode."""

FIRST_NEIGHBOURS = 2
"""Large pictures for each child, so that what is sent behind them has to wait."""

TRIES = 3
MOST_LOOKED_AT = 500
RECOVERY_SECONDS = 8.0
"""Seven until a lost message is sent again and answered, and one for the large pictures."""

ANSWER_SECONDS = 10.0
REFUSED_SIZES = frozenset({413, 422})


def prepared(installation: Installation) -> Fault:
    """Return the fault for the queue of pictures.

    Raises:
        RefusedError: it is not in Redis, or does not let us take from it.
    """
    servers = installation.redis_servers()
    (url,) = (url for url, name in servers.items() if redis_checks.BROKER in name)
    commands = (("LRANGE", QUEUE, "0", "0"), ("LREM", QUEUE, "1", ""))
    if refusal := forbidden(url, *commands):
        raise RefusedError(f"no message can be taken from {address(url)}: {refusal}")
    n = len(installation.children)
    return Fault(
        NAME,
        does=(
            f"some large pictures that keep the {n} children busy, small ones behind them, and of"
            f" these up to {TAKEN} messages taken from the queue {QUEUE!r} of {address(url)} (LREM,"
            " by their own ids: nobody else's)"
        ),
        others="their pictures wait a second or two longer, up to three times; none is refused",
        act=lambda run: _act(run, installation, url),
        usual_seconds=10,
        recovers_within=RECOVERY_SECONDS,
        answers_within=ANSWER_SECONDS,
        large=LARGE,
        client_errors=REFUSED_SIZES,
    )


def _act(run: Run, installation: Installation, url: str) -> None:
    with connect(url) as client:
        for attempt in range(TRIES):
            neighbours = FIRST_NEIGHBOURS * len(installation.children) * 2**attempt
            if taken := _taken_behind(run, client, neighbours, _large(run, attempt)):
                say(f"taken: {len(taken)} messages that waited")
                break
        else:
            run.expect(False, f"no message waited in {TRIES} tries, so that none could be taken")
            return
    until = min(run.deadline, run.healed_at + ANSWER_SECONDS)
    run.watcher.wait_for(taken, until=until)
    again = installation.sent_again(taken)
    run.expect(again == len(taken), f"{len(taken) - again} lost messages were not sent again")
    say(f"{again} of {len(taken)} were sent again")


def _large(run: Run, attempt: int) -> int:
    """Return the number of a picture that keeps a worker busy, larger from try to try."""
    known = run.answers.numbers
    return known[max(-len(known), min(-1, attempt - len(LARGE)))]


def _taken_behind(run: Run, client: Any, neighbours: int, large: int) -> list[str]:
    """Send large pictures, small ones behind them, and take messages of these; return their ids."""
    with run.fault():
        run.burst(neighbours, number=large)
        behind = run.burst(TAKEN)
        return _taken(client, set(behind))


def _taken(client: Any, ours: set[str]) -> list[str]:
    """Take our messages from the queue, where the newest stand first; return whose they were."""
    messages = client.lrange(QUEUE, 0, MOST_LOOKED_AT)
    found = [(envelopes.task_id_of(message), message) for message in messages]
    return [
        task_id for task_id, message in found if task_id in ours and client.lrem(QUEUE, 1, message)
    ]
