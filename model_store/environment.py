"""Variables of the environment that look like settings and are none: typos, silent otherwise.

It lies under every room that has settings; each names its own, `petiole` names them all.
"""

import logging
import re
from collections.abc import Iterable
from difflib import get_close_matches
from os import environ

from pydantic_settings import BaseSettings

PREFIX = "PETIOLE_"
SERVICE_LINK = re.compile(r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP)(_\w+)?)$")
"""What Kubernetes sets for a service that is called like one of our prefixes, as `petiole-api`."""

ALIKE = 0.7
"""Least share of common letters, by `difflib`, of a name and its suggestion, without `PREFIX`."""

logger = logging.getLogger(__name__)

Settings = type[BaseSettings]


def prefix_of(settings: Settings) -> str:
    """Return how the variables begin that a settings class reads, as in `PETIOLE_API_`."""
    return settings.model_config["env_prefix"]


def names_of(settings: Settings) -> list[str]:
    """Return the variables that a settings class reads, as in `PETIOLE_API_PORT`."""
    return [f"{prefix_of(settings)}{field.upper()}" for field in settings.model_fields]


def unknown(*classes: Settings) -> list[str]:
    """Return the variables that have the prefix of one of these classes and that none reads.

    Case does not matter, as it does not for pydantic.
    """
    prefixes = tuple(map(prefix_of, classes))
    known = {name for settings in classes for name in names_of(settings)}
    ours = [name for name in environ if name.upper().startswith(prefixes)]
    return sorted(n for n in ours if n.upper() not in known and not SERVICE_LINK.search(n))


def sentence(name: str, known: Iterable[str]) -> str:
    """Return what to tell somebody who set `name`, with the most alike of the known ones."""
    rests = [each.removeprefix(PREFIX) for each in known]
    alike = get_close_matches(name.upper().removeprefix(PREFIX), rests, n=1, cutoff=ALIKE)
    help_ = f"did you mean {PREFIX}{alike[0]}?" if alike else "docs/settings.md has them all"
    return f"{name} is no setting; {help_}"


def warn(*classes: Settings) -> None:
    """Log each unknown variable with the prefix of these classes; called where a part starts."""
    known = [name for settings in classes for name in names_of(settings)]
    for name in unknown(*classes):
        logger.warning("%s", sentence(name, known))
