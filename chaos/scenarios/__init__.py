"""All scenarios, each one function, and the controls: runs that must fail."""

from chaos.run import Scenario
from chaos.scenarios import bulks, clients, operators, redis, workers

SCENARIOS = {
    scenario.name: scenario
    for room in (workers, redis, operators, clients, bulks)
    for scenario in room.SCENARIOS
}


def over(broker: str) -> list[Scenario]:
    """Return the scenarios that say something of a service whose messages a broker has."""
    return [scenario for scenario in SCENARIOS.values() if broker in scenario.brokers]
