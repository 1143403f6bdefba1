"""`petiole chaos redis-pause`: Redis stands still for some seconds, and goes on by itself."""

from collections.abc import Iterable
from time import monotonic, sleep

from petiole.chaos.errors import RefusedError
from petiole.chaos.installation import Installation, address, connect, forbidden, server_of
from petiole.chaos.run import Fault, Run, say

NAME = "redis-pause"
RECOVERY_SECONDS = 7.0


def prepared(installation: Installation, *, pause_seconds: float) -> Fault:
    """Return the fault for every Redis that has queues or jobs of the service.

    Raises:
        RefusedError: one of them is none, or does not let us pause it.
    """
    servers = {server_of(url): url for url in installation.redis_servers()}
    for url in servers.values():
        if refusal := forbidden(url, _command(pause_seconds)):
            raise RefusedError(f"{address(url)} cannot be paused from here: {refusal}")
    named = " and ".join(map(address, servers.values()))
    return Fault(
        NAME,
        does=(
            f"CLIENT PAUSE {pause_seconds * 1000:.0f} ALL at {named}, which then answers nobody"
            f" for {pause_seconds:g} s and goes on by itself, whatever becomes of this command"
        ),
        others=(
            f"every connection to that server waits ({_connections(servers.values())}), also those"
            " of other programs; the API refuses pictures meanwhile (503)"
        ),
        act=lambda run: _act(run, installation, list(servers.values()), pause_seconds),
        usual_seconds=8 + pause_seconds,
        recovers_within=RECOVERY_SECONDS,
    )


def _act(run: Run, installation: Installation, urls: list[str], pause_seconds: float) -> None:
    # Whoever cannot say for some seconds what it holds may be thought lost, and its picture is done
    # once more.
    run.redone += len(installation.children)
    with run.load(), run.fault():
        for url in urls:
            with connect(url) as client:
                client.execute_command(*_command(pause_seconds))
        paused_until = monotonic() + pause_seconds
        say(f"paused for {pause_seconds:g} s")
        try:
            run.calm(pause_seconds)
        except KeyboardInterrupt:
            # It takes no command that would end this earlier, and what we tidy up has to wait.
            say("interrupted; waiting until Redis goes on by itself")
            sleep(max(0.0, paused_until - monotonic()))
            raise


def _command(pause_seconds: float) -> tuple[str, ...]:
    return ("CLIENT", "PAUSE", f"{pause_seconds * 1000:.0f}", "ALL")


def _connections(urls: Iterable[str]) -> str:
    question = ("INFO", "clients")
    if any(forbidden(url, question) for url in urls):
        return "it does not say how many there are"
    return f"{sum(_count(url) for url in urls)} now"


def _count(url: str) -> int:
    with connect(url) as client:
        return int(client.info("clients")["connected_clients"])
