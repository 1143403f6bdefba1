"""`python -m tasks.ping NODE`: whether a worker answers, for health checks beside it."""

import sys

from tasks import publisher
from tasks.errors import ServiceUnavailableError


def main() -> None:
    """End with success when the worker of that name answers."""
    try:
        is_there = publisher.answers(sys.argv[1])
    except ServiceUnavailableError as exc:
        sys.exit(str(exc))
    sys.exit(0 if is_there else f"{sys.argv[1]} does not answer")


if __name__ == "__main__":
    main()
