"""Every execution, written down where the work is done, and what harmful pictures do there.

Services in other environments import this module: it needs NumPy and nothing else of ours but
`chaos.pictures`.
"""

import os
import signal
from collections import Counter
from pathlib import Path
from time import sleep

import numpy as np
from numpy.typing import NDArray

from chaos.pictures import Harm, fingerprint, harm_of

EXECUTIONS = "CHAOS_EXECUTIONS"
WORK_SECONDS = "CHAOS_WORK_SECONDS"


def work(image: NDArray[np.uint8]) -> None:
    """Note that the image [H, W, 3] is executed, suffer its harm, and work for the known time.

    Raises:
        MemoryError: the picture asks for it.
    """
    _note(image)
    _harm(harm_of(image))
    sleep(float(os.environ.get(WORK_SECONDS, "0")))


def counted(file: Path) -> Counter[str]:
    """Return how often each fingerprint was executed."""
    return Counter(file.read_text().split()) if file.exists() else Counter()


def _note(image: NDArray[np.uint8]) -> None:
    line = f"{fingerprint(image)}\n".encode()
    # One write in append mode: lines of several processes do not mix, and a kill loses none.
    descriptor = os.open(os.environ[EXECUTIONS], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line)
    os.close(descriptor)


def _harm(harm: Harm) -> None:
    if harm is Harm.SEGFAULT:
        # To this thread, as the kernel sends it: another one may hear it only after the work.
        signal.raise_signal(signal.SIGSEGV)
    if harm is Harm.MEMORY:
        raise MemoryError
    if harm is Harm.ENDLESS:
        # As C code does that never comes back: no signal handler of Python runs.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
        while True:
            sleep(60)
