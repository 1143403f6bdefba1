"""`python -m training` is `petiole train`."""

import sys

from training.command import main

sys.exit(main(sys.argv[1:], program="python -m training"))
