"""What proxies say of a request's client, name and path: believed of as many as the operator has.

A header that comes from further away than that may be anybody's invention.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import request
from werkzeug.middleware.proxy_fix import ProxyFix

from api.settings import is_loopback, settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = re.compile(r"(/[\w.~!$&'()*+,;=:@-]+)+/?", re.ASCII)
"""A path with no empty part: `//other.example` would lead to another service."""


def behind_proxies(application: "WSGIApplication") -> "WSGIApplication":
    """Return the application as the trusted proxies show it; as it is where there are none."""
    hops = settings().trusted_proxies
    if not hops:
        return application
    return ProxyFix(
        _WithPlainPrefix(application), x_for=hops, x_proto=hops, x_host=hops, x_prefix=hops
    )


def is_from_this_machine() -> bool:
    """Tell whether nothing says that the current request came from another machine.

    Behind trusted proxies its address decides, which they tell. A request that was forwarded, but
    not by as many as are trusted, comes from nobody knows where.
    """
    hops = settings().trusted_proxies
    forwarded_for = request.headers.get("X-Forwarded-For", "")
    passed = len([each for each in forwarded_for.split(",") if each.strip()])
    if passed and not 0 < hops <= passed:
        return False
    return not hops or is_loopback(request.remote_addr or "")


class _WithPlainPrefix:
    """Drops a prefix that is no plain path: not every proxy overwrites what a client sent."""

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a request."""
        if not PREFIX.fullmatch(environ.get("SCRIPT_NAME", "")):
            environ["SCRIPT_NAME"] = ""
        return self._application(environ, start_response)
