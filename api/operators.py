"""Who may see everybody's jobs, and do something about them: decided here, and nowhere else.

They are there only for clients on this machine, or on request; where keys are required, for keys
with the scope `admin` (api/access.py), wherever they come from. Then it is the operator's own
browser that others could misuse: a page of another site that sends a form to this address (forged
requests), or whose name is made to lead to it (DNS rebinding). Neither of them can write the
headers that are looked at here.
"""

import socket
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import abort, request

from api import access, forwarding
from api.errors import CrossSiteError, UnknownHostError
from api.settings import settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"same-origin", "none"})
"""What `Sec-Fetch-Site` says of this service's own page, and of an address that was typed."""


def is_shown() -> bool:
    """Tell whether `/admin` and `/jobs` are there for the client of the current request.

    A proxy on this machine makes strangers reach what listens on loopback, so that it does is not
    enough: see `forwarding.is_from_this_machine`.
    """
    said = settings().show_jobs
    if settings().are_keys_required:
        return said is not False and access.is_operator()
    if said is not None:
        return said
    return settings().is_on_loopback and forwarding.is_from_this_machine()


def admit() -> None:
    """Let the current request through, or end it.

    Raises:
        NotFound: it is not shown here.
        UnknownHostError: it came under a name that is not known to be ours.
        CrossSiteError: a page of another site would change something.
    """
    if not is_shown():
        abort(404, "jobs are not shown here; see PETIOLE_API_SHOW_JOBS")
    if access.has_key():
        # Not under any name: a page that makes its own lead here has neither key nor cookie.
        return
    _refuse_unknown_host()
    if request.method not in SAFE_METHODS:
        refuse_other_sites()


def _refuse_unknown_host() -> None:
    """Refuse names that anybody may have in the DNS; an address is nobody's name."""
    name = _name_of(request.host)
    own = {"localhost", settings().host, socket.gethostname(), *settings().own_names}
    if name not in {each.lower() for each in own} and not _is_address(name):
        raise UnknownHostError(
            f"{name!r} is not known as a name of this service;"
            " PETIOLE_API_OPERATOR_HOSTS lists those that are"
        )


def refuse_other_sites() -> None:
    """Refuse what a browser sends for a page of another site; other clients say nothing of one.

    Browsers say where a request comes from in `Sec-Fetch-Site`, over plain HTTP to other machines
    in `Origin` alone, and let no script change either.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is None and origin is None:
        return
    is_own = site in OWN_SITES if site else _host_of(str(origin)) == request.host
    if not is_own:
        raise CrossSiteError(f"a page of another site ({origin or site}) may not do this")


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _name_of(host: str) -> str:
    """Return a host without its port, in small letters."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return host


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
