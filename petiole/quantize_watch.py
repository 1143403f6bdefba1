"""`petiole models quantize --watch`: int8 that is made by itself, once production has none.

A small process that looks; what needs memory and pictures is done by a process of its own, which
ends with it. Both get what the others leave of the CPU.
"""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import sleep
from typing import NoReturn

from model_store import ModelStore, ModelStoreError
from petiole.console import open_store
from tasks import holding, log_format, stores
from tasks.errors import ServiceUnavailableError

NAME = "int8"
LOOK_SECONDS = 10.0
TURN_SECONDS = 60.0
LEAST_URGENT = 19
END_SECONDS = 10.0
INT8 = "int8"

logger = logging.getLogger(__name__)


def watch(name: str, options: Mapping[str, object]) -> NoReturn:
    """Look again and again whether int8 of a model is due; of all hosts one does it at a time."""
    log_format.configure()
    os.nice(LEAST_URGENT)
    said = ""
    while True:
        try:
            if is_due(open_store(), name) and _is_our_turn():
                _make(name, options)
            said = ""
        except (ModelStoreError, ServiceUnavailableError) as exc:
            if str(exc) != said:
                logger.warning("int8 not looked for", extra={"model": name, "reason": str(exc)})
            said = str(exc)
        sleep(LOOK_SECONDS)


def is_due(store: ModelStore, name: str) -> bool:
    """Tell whether production has no int8 that serves, was not tried lately, and is on no trial.

    Int8 without a fingerprint, from before there were any, serves nowhere and is made anew.
    """
    card = store.card(*store.resolve(name))
    int8 = (variant for variant in card.variants if variant.precision == INT8 and variant.serves)
    has_int8 = any(variant.fingerprint in card.files for variant in int8)
    if has_int8 or store.rollout(name) is not None:
        return False
    return stores.findings().int8(card.ref) is None


def _is_our_turn() -> bool:
    me = holding.member(NAME)
    return stores.prompt_job_store().take_turn(NAME, me, seconds=TURN_SECONDS)


def _make(name: str, options: Mapping[str, object]) -> None:
    """Run the command once and wait for it, keeping the turn."""
    words = [word for option, value in options.items() for word in (option, str(value))]
    command = [sys.executable, "-m", "petiole", "models", "quantize", name, *words]
    logger.info("int8 begun", extra={"model": name})
    with _ended_with_us(subprocess.Popen(command)) as process:  # noqa: S603 - our own program
        while process.poll() is None:
            _is_our_turn()
            try:
                process.wait(TURN_SECONDS / 4)
            except subprocess.TimeoutExpired:
                continue
    logger.info("int8 over", extra={"model": name, "status": process.returncode})


@contextmanager
def _ended_with_us(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    """End a process, which then deletes what it collected, however the block ends."""

    def end(number: int, _: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(END_SECONDS)
        signal.signal(signal.SIGTERM, before)
