"""M/M/c in closed form: Poisson arrivals, exponential service, `c` servers, in order of arrival.

Source: Gross, Shortle, Thompson and Harris, Fundamentals of Queueing Theory, 4th ed. 2008, section
2.3; the recursion of Erlang B keeps large `c` from overflowing (there, section 2.6).
"""

from math import exp, log


def erlang_b(servers: int, offered: float) -> float:
    """Return the probability that all servers are busy where nobody waits.

    `offered` is the load in erlangs: arrivals a second, times seconds of service.
    """
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = offered * blocked / (n + offered * blocked)
    return blocked


def erlang_c(servers: int, offered: float) -> float:
    """Return the probability that who comes has to wait; 1 where the load is too much."""
    if offered >= servers:
        return 1.0
    blocked = erlang_b(servers, offered)
    return servers * blocked / (servers - offered * (1 - blocked))


def mean_wait_seconds(servers: int, per_second: float, service_seconds: float) -> float:
    """Return how long who comes waits on average before service begins; infinite at overload."""
    offered = per_second * service_seconds
    if offered >= servers:
        return float("inf")
    return erlang_c(servers, offered) * service_seconds / (servers - offered)


def wait_quantile_seconds(
    servers: int, per_second: float, service_seconds: float, *, share: float = 0.95
) -> float:
    """Return what `share` of all wait at most: P(wait > t) = C exp(-(c - a) t / service)."""
    offered = per_second * service_seconds
    if offered >= servers:
        return float("inf")
    waits = erlang_c(servers, offered)
    if waits <= 1 - share:
        return 0.0
    return log(waits / (1 - share)) * service_seconds / (servers - offered)


def fewest_servers(
    per_second: float, service_seconds: float, *, wait_seconds: float, share: float = 0.95
) -> int:
    """Return the fewest servers with which `share` of all wait at most so long."""
    servers = max(1, int(per_second * service_seconds))
    while wait_quantile_seconds(servers, per_second, service_seconds, share=share) > wait_seconds:
        servers += 1
    return servers


def share_that_waits_longer(
    servers: int, per_second: float, service_seconds: float, seconds: float
) -> float:
    """Return P(wait > `seconds`)."""
    offered = per_second * service_seconds
    return erlang_c(servers, offered) * exp(-(servers - offered) * seconds / service_seconds)
