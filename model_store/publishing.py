"""The steps that make a directory of files a version; `ModelStore.publish` takes them in order.

A version number is claimed by creating `<name>/<version>/claim`, which only one publisher can. The
card is written last: without it the version does not exist for anyone.
"""

import logging
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from model_store.card import ModelCard
from model_store.doubts.section import FILES
from model_store.errors import ModelFormatError
from model_store.objects import Objects
from model_store.references import is_name

CARD = "card.json"
CARD_DIGEST = "card.json.sha256"
CLAIM = "claim"
SAVED_MODEL = "saved_model.pb"

logger = logging.getLogger(__name__)


def check_artifacts(card: ModelCard, files: Mapping[str, str]) -> None:
    """Refuse a card whose name is no name, or that promises an artifact which is not there.

    Of variants that may not serve only the measurements need to be kept.

    Raises:
        ModelFormatError: the message says which.
    """
    if not is_name(card.name):
        raise ModelFormatError(f"model name is {card.name!r}; use lower-case letters and digits")
    for variant in (variant for variant in card.variants if variant.serves):
        artifact = SAVED_MODEL if variant.path == "." else variant.path
        if artifact not in files:
            raise ModelFormatError(f"{card.name}: {variant.runtime} needs {artifact}; not found")
    if missing := [path for path in card.golden if path not in files]:
        raise ModelFormatError(f"{card.name}: golden picture {missing[0]} is not among the files")
    needed = FILES if card.trust and card.trust.novelty else ()
    if missing := [path for path in needed if path not in files]:
        raise ModelFormatError(f"{card.name}: novelty needs {missing[0]}; not found")


def claimed_versions(objects: Objects, name: str) -> list[int]:
    """Return the version numbers that any publisher ever claimed, ascending."""
    return sorted(int(text) for text in objects.folders(name) if text.isdecimal())


def is_visible(objects: Objects, name: str, version: int) -> bool:
    """Tell whether a version is there for everyone: its card is written, and not withdrawn."""
    return objects.exists(f"{name}/{version}/{CARD}")


def visible_versions(objects: Objects, name: str) -> tuple[int, ...]:
    """Return the visible versions of a model, ascending; none for an unknown name."""
    claimed = claimed_versions(objects, name)
    return tuple(version for version in claimed if is_visible(objects, name, version))


def claim(objects: Objects, name: str) -> int:
    """Return the next version number, which is the caller's alone from now on."""
    version = max(claimed_versions(objects, name), default=0) + 1
    while not objects.create(f"{name}/{version}/{CLAIM}", b"claimed\n"):
        version += 1
    return version


def upload(objects: Objects, directory: Path, card: ModelCard) -> None:
    """Write the files of `directory`, then the card that makes them visible."""
    folder = f"{card.name}/{card.version}"
    # TensorFlow Serving loads a folder once saved_model.pb is there, so that comes after the rest.
    for path in sorted(card.files, key=lambda path: path == SAVED_MODEL):
        objects.write(f"{folder}/{path}", directory / path)
    text = card.to_json().encode()
    objects.create(f"{folder}/{CARD_DIGEST}", checksum(text))
    objects.create(f"{folder}/{CARD}", text)
    logger.info("version published", extra={"model": card.ref, "files": len(card.files)})


def withdraw(objects: Objects, name: str, version: int) -> None:
    """Delete the files of a version, its card first, so that it is invisible from then on.

    The claim stays: a number that was used is never given out again.
    """
    folder = f"{name}/{version}"
    objects.delete(f"{folder}/{CARD}")
    for path in objects.tree(folder):
        if path != f"{folder}/{CLAIM}":
            objects.delete(path)
    logger.info("version removed", extra={"model": name, "version": version})


def checksum(card_text: bytes) -> bytes:
    """Return the content of `card.json.sha256`, as `sha256sum --check` reads it."""
    return f"{sha256(card_text).hexdigest()}  {CARD}\n".encode()
