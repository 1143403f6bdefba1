"""What an address of Redis says about TLS, as redis-py, kombu and Celery take it alike.

Left alone, redis-py checks the server's certificate, kombu does not, and Celery refuses to start.
"""

from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

SCHEME = "rediss"
CHECK = "ssl_cert_reqs"
CHECKS = ("required", "optional", "none")
FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


def explicit(url: str) -> str:
    """Return an address with TLS that says how the certificate is checked, in the common words.

    `CERT_REQUIRED`, as Celery writes it, is `required`, which is also what is meant by nothing.
    """
    parts = urlsplit(url)
    if parts.scheme != SCHEME:
        return url
    options = dict(parse_qsl(parts.query))
    options[CHECK] = options.get(CHECK, CHECKS[0]).lower().removeprefix("cert_")
    return urlunsplit(parts._replace(query=urlencode(options, safe="/")))


def check(url: str) -> None:
    """Look at the options of an address that are about TLS.

    Raises:
        ValueError: one is none, names no file, or the address is one without TLS.
    """
    parts = urlsplit(explicit(url))
    options = dict(parse_qsl(parts.query))
    if parts.scheme != SCHEME:
        if strange := [name for name in options if name.startswith("ssl_")]:
            raise ValueError(f"{strange[0]} is for TLS; write {SCHEME}:// for that")
        return
    if options[CHECK] not in CHECKS:
        raise ValueError(f"its {CHECK} is none of {', '.join(CHECKS)}")
    for name in FILES:
        if name in options and not Path(options[name]).is_file():
            raise ValueError(f"its {name} is no file: {options[name]}")
