"""Short questions to the parts of a service: does it listen, does it answer, is it ready?"""

import socket

import redis
import requests

HTTP_SECONDS = 5.0


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def missing_at(api_url: str) -> str:
    """Return why a picture sent to the API now would not be classified; empty when it would.

    A download worker that has not announced itself is missing too.
    """
    try:
        response = requests.get(f"{api_url}/readyz", timeout=HTTP_SECONDS)
        document = response.json()
    except requests.RequestException as exc:
        return f"{api_url}/readyz gives no answer ({type(exc).__name__})"
    if not response.ok:
        return str(document["detail"])
    return "" if document["downloaders"] else "missing: a download worker"


def no_answer_of(url: str) -> str:
    """Return why a GET of `url` is not answered with success; empty when it is."""
    try:
        response = requests.get(url, timeout=HTTP_SECONDS)
    except requests.RequestException as exc:
        return f"{url} gives no answer ({type(exc).__name__})"
    return "" if response.ok else f"{url} answers {response.status_code}"


def no_redis_at(url: str) -> str:
    """Return why PING is not answered at `url`, for instance while the server loads its file."""
    try:
        redis.Redis.from_url(url, socket_timeout=HTTP_SECONDS).ping()
    except redis.RedisError as exc:
        return str(exc)
    return ""
