"""What was measured on this kind of machine, kept in files that are found on the same kind alone.

The names of the files change with the version's files, with what the CPU can do, and with the
versions of the runtimes: where one of them is another, it is measured anew.
"""

import json
import logging
import os
import platform
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

from model_store import runtimes
from model_store.card import ModelCard, Variant

CPU_FACTS = ("model name", "flags", "Features", "CPU part")
LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
"""Variables that keep OpenVINO from instructions that the CPU has."""

logger = logging.getLogger(__name__)


def description() -> str:
    """Return what decides speed and arithmetic: the CPU's name and instructions, and limits."""
    limits = [f"{name}={os.environ[name]}" for name in LIMITS if os.environ.get(name)]
    return "; ".join([*_cpu(), *limits])


def versions(variants: Iterable[Variant]) -> dict[str, str]:
    """Return the version of each runtime's library, by the runtime's name."""
    return {name: runtimes.version(name) for name in sorted({v.runtime for v in variants})}


def notes(card: ModelCard, variants: Iterable[Variant], folder: Path) -> Path:
    """Return the file in `folder` that is about these variants on this kind of machine."""
    variants = tuple(variants)
    # The card's text has the digest of every file: two stores may have the same name and version.
    choices = sorted(variant.choice for variant in variants)
    facts = [card.to_json(), description(), versions(variants), choices]
    digest = sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return folder / f"{card.name}-{card.version}-{digest}.json"


def write(path: Path, text: str, *, what: str) -> None:
    """Write a file whole or not at all; of two writers at once the later stays.

    Where it cannot be written, as in a read-only cache, that is a warning: `what` was not
    remembered, and each start measures it again.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text)
    except OSError as exc:
        logger.warning("%s not remembered", what, extra={"path": str(path), "reason": str(exc)})


def _replace(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as stream:
        stream.write(text)
    Path(stream.name).replace(path)


@cache
def _cpu() -> tuple[str, ...]:
    return (platform.machine(), *_cpu_facts())


def _cpu_facts() -> Iterator[str]:
    try:
        first = Path("/proc/cpuinfo").read_text("utf-8").partition("\n\n")[0]
    except OSError:
        yield platform.processor()
        return
    for line in first.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in CPU_FACTS:
            yield value.strip()
