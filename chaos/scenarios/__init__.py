"""All scenarios, each one function, and the controls: runs that must fail."""

from chaos.scenarios import bulks, clients, operators, redis, workers

SCENARIOS = {
    scenario.name: scenario
    for room in (workers, redis, operators, clients, bulks)
    for scenario in room.SCENARIOS
}
