"""Requests to addresses that strangers named: public ones only; what is checked is connected to.

The checks and the pinning are the library's (microsoft-antissrf on requests).
"""

from urllib.parse import urlsplit

import requests
from AntiSSRF import AntiSSRFPolicy, PolicyConfigOptions
from requests.adapters import BaseAdapter


def session(allow_networks: str) -> requests.Session:
    """Return a session that reaches public addresses, and the CIDR networks that are named."""
    policy = AntiSSRFPolicy(PolicyConfigOptions.EXTERNAL_ONLY_LATEST)
    policy.allow_plain_text_http = True
    policy.add_xff_header = False
    networks = [part.strip() for part in allow_networks.split(",") if part.strip()]
    if networks:
        policy.add_allowed_addresses(networks)
    made: requests.Session = policy.get_antissrf_session()
    made.trust_env = False
    made.headers["Accept-Encoding"] = "identity"
    made.headers["User-Agent"] = "petiole"
    for adapter in made.adapters.values():
        _keep_port_in_host_header(adapter)
    return made


def _keep_port_in_host_header(adapter: BaseAdapter) -> None:
    """Mend the library's Host header, which loses the port (presigned URLs sign it)."""

    def add_headers(request: requests.PreparedRequest, **_: object) -> None:
        request.headers["Host"] = urlsplit(str(request.url)).netloc.rpartition("@")[2]

    adapter.add_headers = add_headers  # type: ignore[attr-defined]
