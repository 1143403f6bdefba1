"""Breaks a running service in a bounded way and counts what became of every picture.

`petiole chaos` does so to an installation of the user's own; the fault harness of the repository,
which starts a service to hurt it, counts and shows with the same journal, load and table.
"""
