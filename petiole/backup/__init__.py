"""Backups: all that a service cannot get again, in one file, and back into an empty place."""
