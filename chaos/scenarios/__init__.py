"""All scenarios, each one function, and the controls: runs that must fail."""

from chaos.scenarios import clients, operators, redis, workers

SCENARIOS = {
    scenario.name: scenario
    for room in (workers, redis, operators, clients)
    for scenario in room.SCENARIOS
}
