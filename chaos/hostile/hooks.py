"""What schemathesis sends where the specification says that a picture is wanted.

It loads this module by its name in `SCHEMATHESIS_HOOKS`. Most are pictures, so that tasks have
answers to ask for; the others are mutants.
"""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import schemathesis
from hypothesis import strategies

from chaos.hostile.drawings import seeds
from chaos.hostile.mutants import mutant
from model_store.pictures.headers import ACCEPTED_FORMATS

_PICTURES = [upload for format in ACCEPTED_FORMATS for upload in seeds(format)]
_FORMATS = strategies.sampled_from(ACCEPTED_FORMATS)
_NUMBERS = strategies.integers(0, 999)

uploads = strategies.one_of(
    strategies.sampled_from(_PICTURES),
    strategies.builds(lambda format, number: mutant(format, number, seed=0), _FORMATS, _NUMBERS),
)
_forgotten: set[str] = set()


@schemathesis.check
def forgotten_is_gone(context: Any, response: Any, case: Any) -> None:
    """Fail where a task that was forgotten with 204 is there again.

    Raises:
        AssertionError: it was answered without an error.
    """
    del context
    path = urlsplit(str(response.request.url)).path
    if path in _forgotten and response.status_code < HTTPStatus.BAD_REQUEST:
        raise AssertionError(f"{path} was forgotten, and answers {response.status_code}")
    if case.method == "DELETE" and response.status_code == HTTPStatus.NO_CONTENT:
        _forgotten.add(path)


for media_type in ("image/*", "image/jpeg", "image/png"):
    schemathesis.openapi.media_type(media_type, uploads)
