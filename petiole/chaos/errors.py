"""What can stop a run against an installation before anything is hurt."""


class RefusedError(Exception):
    """Nothing was hurt; the message says why, and what to do."""
