"""`python -m petiole` is `petiole`."""

from petiole.cli import main

main()
