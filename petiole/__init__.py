"""The hand of the user: the `petiole` command, the one-command start, the Python client."""
