"""Services of others in the fault harness: they are started, hurt and counted like ours."""

from dataclasses import replace
from pathlib import Path

import pytest

from chaos.experiment import row_of
from chaos.layout import Layout
from chaos.peers.relier import service as relier
from chaos.run import Run, Scenario
from chaos.scenarios import SCENARIOS
from chaos.services import PEERS
from chaos.stack import Service, Stack

INSTALLED = relier.ENVIRONMENT.exists()
each_peer = pytest.mark.parametrize("peer", PEERS.values(), ids=list(PEERS))


def calm(run: Run) -> None:
    """Nothing is done to the service."""
    run.burst(20)


@pytest.mark.end_to_end
@pytest.mark.skipif(not INSTALLED, reason="`make chaos-peers` installs what ours is compared with")
@each_peer
def test_a_peer_that_nobody_hurts_answers_everything(peer: Service) -> None:
    """Nothing lost, doubled, mixed up or left: what a table holds against it, the faults did."""
    row = row_of(Scenario("calm", calm), seed=10, service=peer)

    assert row.broken == ()
    assert row.answered == row.accepted > 20


@each_peer
def test_the_parts_that_are_hurt_are_there(peer: Service, tmp_path: Path) -> None:
    """Scenarios kill and freeze workers and Redis by their names."""
    stack = Stack(tmp_path, Layout(workers=2), peer)
    names = [part.name for part in peer.parts(stack)]

    assert set(stack.worker_names()) < set(names)
    assert len(names) == len(set(names))


@each_peer
def test_only_the_workers_are_cut_off(peer: Service, tmp_path: Path) -> None:
    """The wire that a scenario cuts lies between them and Redis."""
    stack = Stack(tmp_path, Layout(wired=True), peer)
    variable = peer.address_variable
    assert stack.wire is not None
    stack.wire.close()
    cut_off = [
        part.name
        for part in stack.planned
        if str(stack.wire.port) in part.environment.get(variable, "")
    ]

    assert cut_off == stack.worker_names()


def test_a_scenario_s_time_limit_is_the_peer_s(tmp_path: Path) -> None:
    """The harness gives Celery's settings; relier has its own."""
    layout = SCENARIOS["endless"].layout
    environment = relier.Relier().environment(Stack(tmp_path, layout, relier.Relier()))

    assert (environment["CHAOS_SOFT_SECONDS"], environment["CHAOS_HARD_SECONDS"]) == ("3", "4")


def test_a_peer_that_is_not_installed_is_not_run(tmp_path: Path) -> None:
    """Its row says so, and how to install it."""
    absent = replace(relier.Relier(), home=tmp_path / "absent")

    assert "make chaos-peers" in row_of(SCENARIOS["burst"], seed=10, service=absent).skipped
