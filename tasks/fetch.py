"""Downloading one picture within limits: public addresses, bounded bytes, bounded time.

Which addresses may be asked say `urls` and `guarded`; the limits on bytes, rate and total time are
ours, no library has them. Whatever keeps a server from answering, its client is told the same: else
this service could be used to find out which names and ports there are.
"""

from contextlib import suppress
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from model_store.errors import ImageError, NotAnImageError
from model_store.pictures.headers import read_header
from tasks import guarded
from tasks.deadline import Deadline
from tasks.errors import (
    DownloadError,
    DownloadRefusedError,
    DownloadStatusError,
    DownloadTimeoutError,
    DownloadTooLargeError,
    DownloadUnreachableError,
)
from tasks.guarded import ForbiddenAddressError, ForbiddenPortError
from tasks.pace import Pace
from tasks.settings import TasksSettings, settings
from tasks.urls import check_host, check_url, listed

REDIRECTS = frozenset({301, 302, 303, 307, 308})
PIECE_BYTES = 65_536
PLAIN = frozenset({"", "identity"})
LONGEST_NAMED = 40
NO_ANSWER = "the picture's server gave no answer, or has no public address"


def fetch(image_url: str) -> bytes:
    """Return the bytes at `image_url`.

    Raises:
        DownloadError: one of its kinds, see `tasks.errors`.
    """
    limits = settings()
    within = guarded.bounds(
        allow=limits.download_allow_networks,
        deny=limits.download_deny_networks,
        ports=limits.download_ports,
        look_up_seconds=limits.download_connect_seconds,
    )
    with (
        Deadline(limits.download_total_seconds) as deadline,
        guarded.session(within, user_agent=limits.download_user_agent) as session,
    ):
        deadline.guard(session)
        with _follow(session, image_url, limits) as response:
            return _read(response, deadline, limits)


def _follow(session: requests.Session, image_url: str, limits: TasksSettings) -> requests.Response:
    url = image_url
    for _ in range(limits.download_max_redirects + 1):
        response = _get(session, url, limits)
        location = response.headers.get("Location")
        if response.status_code not in REDIRECTS or location is None:
            return response
        response.close()
        url = _redirected(url, location)
    raise DownloadRefusedError(f"more than {limits.download_max_redirects} redirects")


def _redirected(url: str, location: str) -> str:
    """Return where a redirect leads: relative, without a scheme, or in UTF-8, as servers send it.

    Raises:
        DownloadRefusedError: out of TLS, or to no URL.
    """
    # http.client reads headers as Latin-1, which is what few of those who write them mean.
    with suppress(UnicodeError):
        location = location.encode("latin-1").decode()
    try:
        target = urljoin(url, location.strip())
    except ValueError as exc:
        raise DownloadRefusedError(f"a redirect leads to no URL: {exc}") from exc
    if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
        raise DownloadRefusedError("a redirect leads from https to http")
    return target


def _get(session: requests.Session, url: str, limits: TasksSettings) -> requests.Response:
    check_url(url)
    allowed, denied = listed(limits.download_allow_hosts), listed(limits.download_deny_hosts)
    check_host(url, allowed=allowed, denied=denied)
    timeouts = (limits.download_connect_seconds, limits.download_read_seconds)
    try:
        return session.get(url, timeout=timeouts, stream=True, allow_redirects=False)
    except ForbiddenPortError as exc:
        message = f"public servers are asked at the ports {limits.download_ports} only"
        raise DownloadRefusedError(message) from exc
    except ForbiddenAddressError as exc:
        if guarded.is_address(urlsplit(url).hostname or ""):
            raise DownloadRefusedError("only public addresses may be asked") from exc
        raise DownloadUnreachableError(NO_ANSWER) from exc
    except (requests.RequestException, OSError, ValueError) as exc:
        raise DownloadUnreachableError(NO_ANSWER) from exc


def _read(response: requests.Response, deadline: Deadline, limits: TasksSettings) -> bytes:
    """Return the whole body, stopping at the first byte over the limit."""
    if response.status_code != requests.codes.ok:
        raise DownloadStatusError(f"the picture's server answered {response.status_code}")
    try:
        upload = _whole(response, limits)
    except DownloadError:
        # A connection that the deadline cut fails in many ways.
        _check_deadline(deadline, limits)
        raise
    _check_deadline(deadline, limits)
    _check_encoding(response, upload)
    return upload


def _whole(response: requests.Response, limits: TasksSettings) -> bytes:
    upload = bytearray()
    pace = Pace(limits.download_min_bytes_per_second, seconds=limits.download_read_seconds)
    try:
        # What has come, and not pieces of a size: those of a server that trickles never do.
        while piece := response.raw.read1(PIECE_BYTES, decode_content=False):
            upload += piece
            _check_size(len(upload), limits)
            pace.count(len(piece))
    except ReadTimeoutError as exc:
        raise DownloadTimeoutError("the picture's server stopped sending") from exc
    except (HTTPError, OSError) as exc:
        raise DownloadUnreachableError("the connection broke in the middle of the picture") from exc
    return bytes(upload)


def _check_deadline(deadline: Deadline, limits: TasksSettings) -> None:
    if deadline.passed:
        message = f"the download took more than {limits.download_total_seconds:g} seconds"
        raise DownloadTimeoutError(message)


def _check_encoding(response: requests.Response, upload: bytes) -> None:
    """Refuse a body that is packed, which could be far larger than it looks.

    Its first bytes decide: servers name encodings that they have not used (`utf-8`, `binary`,
    `aws-chunked`, even `gzip`), and a picture that begins as one is one.
    """
    named = response.headers.get("Content-Encoding", "")
    if {each.strip().lower() for each in named.split(",")} <= PLAIN or _is_picture(upload):
        return
    encoding = named[:LONGEST_NAMED]
    raise DownloadRefusedError(f"the picture's server sent a body encoded as {encoding!r}")


def _is_picture(upload: bytes) -> bool:
    try:
        read_header(upload)
    except NotAnImageError:
        return False
    except ImageError:
        return True
    return True


def _check_size(size_bytes: int, limits: TasksSettings) -> None:
    if size_bytes > limits.max_upload_bytes:
        message = f"the picture has more than {limits.max_upload_bytes} bytes, the limit"
        raise DownloadTooLargeError(message)
