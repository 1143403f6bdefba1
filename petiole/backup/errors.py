"""Why there is no backup, or why one is not restored; each is one line for the operator."""


class BackupError(Exception):
    """A backup cannot be made or restored; the message says why, and what to do."""


class BadBackupError(BackupError):
    """A file is no whole backup of this service, or one that this release does not read."""
