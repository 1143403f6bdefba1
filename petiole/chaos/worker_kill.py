"""`petiole chaos worker-kill`: two children and a main process of a classify worker are killed."""

from contextlib import suppress

from petiole.chaos import workers
from petiole.chaos.installation import Installation
from petiole.chaos.run import Fault, Run, say
from petiole.chaos.workers import LocalWorker
from tasks.errors import ServiceUnavailableError

NAME = "worker-kill"
CHILDREN = 2
PAUSE_SECONDS = 2.0
CHILD_SECONDS = 30.0
RECOVERY_SECONDS = 30.0
"""Seven until a lost worker is noticed, and the time in which one starts and loads its model."""


def prepared(installation: Installation) -> Fault:
    """Return the fault for a worker of this machine.

    Raises:
        RefusedError: there is none that may be killed.
    """
    worker = workers.one(installation)
    n = len(worker.children)
    again = (
        f"which {worker.keeper} starts again"
        if worker.keeper
        else "and NOTHING THAT IS KNOWN STARTS IT AGAIN: be ready to do so by hand"
    )
    return Fault(
        NAME,
        does=(
            f"SIGKILL to {CHILDREN} children of the classify worker on this machine,"
            f" {PAUSE_SECONDS:g} s apart, and then to its main process ({worker.main}), {again}"
        ),
        others=(
            "pictures in its hands are done again and answered some seconds later; none is refused"
            f". {n} of {len(installation.children)} children of the service are of this worker"
        ),
        act=lambda run: _act(run, installation, worker),
        usual_seconds=20,
        recovers_within=RECOVERY_SECONDS,
    )


def _act(run: Run, installation: Installation, worker: LocalWorker) -> None:
    before = len(_children(installation))
    with run.load():
        with run.fault():
            for _ in range(CHILDREN):
                _kill_child(run, installation, worker)
                run.calm(PAUSE_SECONDS)
            run.redone += len(worker.children)
            _kill(worker.main)
        say(f"killed: main process {worker.main}")
        if worker.keeper:
            _expect_whole(run, installation, before)


def _kill_child(run: Run, installation: Installation, worker: LocalWorker) -> None:
    """Kill the first child that the worker has now, once it has one."""
    main = worker.main
    if not run.waits_for(lambda: bool(_children(installation, main)), seconds=CHILD_SECONDS):
        run.expect(False, f"no child in the place of the killed one within {CHILD_SECONDS:g} s")
        return
    for child in _children(installation, main)[:1]:
        run.redone += 1
        _kill(child)
        say(f"killed: child {child}")


def _kill(process: int) -> None:
    # One that ended by itself a moment ago needs no more.
    with suppress(ProcessLookupError):
        workers.kill(process)


def _children(installation: Installation, main: int = 0) -> list[int]:
    """Return the warm children of a worker, or of all of this machine; none if nobody can say."""
    with suppress(ServiceUnavailableError):
        found = workers.here(installation)
        return [child for each in found if main in {0, each.main} for child in each.children]
    return []


def _expect_whole(run: Run, installation: Installation, before: int) -> None:
    whole = run.waits_for(lambda: len(_children(installation)) >= before, seconds=RECOVERY_SECONDS)
    run.expect(whole, f"fewer than {before} children are back within {RECOVERY_SECONDS:g} s")
    if whole:
        say(f"all {before} children are back")
