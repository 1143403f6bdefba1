"""`python -m tasks.ping NODE`: whether a worker answers, for health checks beside it.

`--live` asks whether to start it anew: a Redis that is away is no fault of the worker, which waits
for it. `--ready` asks whether the worker takes jobs: a warm model, and messages that are taken.
"""

import argparse
import sys

from tasks import publisher, readiness, stores
from tasks.errors import ServiceUnavailableError


def main() -> None:
    """End with success when the worker of that name answers, or is what is asked for."""
    parser = argparse.ArgumentParser(prog="tasks.ping", description=__doc__)
    parser.add_argument("node", help="name of the worker, such as classify@host")
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument("--live", action="store_true", help="succeed also while Redis is away")
    asked.add_argument("--ready", action="store_true", help="succeed when it takes jobs")
    arguments = parser.parse_args()
    check = takes_jobs if arguments.ready else publisher.answers
    try:
        is_well = check(arguments.node)
    except ServiceUnavailableError as exc:
        sys.exit(0 if arguments.live else str(exc))
    missing = "takes no jobs" if arguments.ready else "does not answer"
    sys.exit(0 if is_well else f"{arguments.node} {missing}")


def takes_jobs(worker: str) -> bool:
    """Tell whether a process of a worker can do its jobs, and its main process takes them.

    The name is its queue's and its host's, as in `classify@host`.
    """
    queue, _, host = worker.partition("@")
    said = [note for note in readiness.notes(stores.prompt_job_store()) if note.is_ready]
    members = [note.process.rpartition(":")[0] for note in said if queue in _queues(note)]
    return {f"{queue}:{host}", f"{readiness.CONSUMER}:{host}"} <= {*members}


def _queues(note: readiness.Note) -> tuple[str, ...]:
    return note.consumes or () if note.queue == readiness.CONSUMER else (note.queue,)


if __name__ == "__main__":
    main()
