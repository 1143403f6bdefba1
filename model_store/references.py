"""How people and programs name a model: `imagenet`, `imagenet@1`, `imagenet@production`.

The command line, the API and the workers parse names here and nowhere else.
"""

import re
from dataclasses import dataclass
from typing import Self

from model_store.errors import BadModelReferenceError

PRODUCTION = "production"
PREVIOUS = "previous"
NAME_PATTERN = r"[a-z0-9][a-z0-9._-]{0,63}"


@dataclass(frozen=True)
class ModelReference:
    """A model's name and the version or alias asked for."""

    name: str
    selector: str = PRODUCTION

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what `name`, `name@version` or `name@alias` means; a bare name is production.

        Raises:
            BadModelReferenceError: the text has another form.
        """
        name, at, selector = text.partition("@")
        if not is_name(name) or (at and not is_name(selector)):
            raise BadModelReferenceError(
                f"model reference is {text!r}; expected name, name@version or name@alias, each of "
                "at most 64 lower-case letters, digits, dots, dashes and underscores"
            )
        if selector.isdecimal() and str(int(selector)) != selector:
            raise BadModelReferenceError(
                f"model reference is {text!r}; expected a version without leading zeros, as in "
                f"{name}@{int(selector)}"
            )
        return cls(name, selector or PRODUCTION)

    @property
    def version(self) -> int | None:
        """The version number, or None when an alias was asked for."""
        return int(self.selector) if self.selector.isdecimal() else None

    def __str__(self) -> str:
        """Return the reference with its selector, as in `imagenet@production`."""
        return f"{self.name}@{self.selector}"


def is_name(text: str) -> bool:
    """Tell whether the text may name a model or an alias."""
    return re.fullmatch(NAME_PATTERN, text) is not None
