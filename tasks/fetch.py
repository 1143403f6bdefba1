"""Downloading one picture within limits: public addresses, bounded bytes, bounded time.

Which addresses may be asked says `guarded`; the limits on bytes and total time are ours, no library
has them.
"""

from urllib.parse import urljoin, urlsplit

import requests
from AntiSSRF import AntiSSRFError
from urllib3.exceptions import HTTPError, ReadTimeoutError

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
from tasks.settings import TasksSettings, settings
from tasks.urls import check_url

REDIRECTS = frozenset({301, 302, 303, 307, 308})
PIECE_BYTES = 65_536


def fetch(image_url: str) -> bytes:
    """Return the bytes at `image_url`.

    Raises:
        DownloadError: one of its kinds, see `tasks.errors`.
    """
    limits = settings()
    with (
        Deadline(limits.download_total_seconds) as deadline,
        guarded.session(limits.download_allow_networks) as session,
    ):
        deadline.guard(session)
        try:
            upload = _download(session, image_url, limits)
        except DownloadError:
            _check_deadline(deadline, limits)
            raise
        _check_deadline(deadline, limits)
        return upload


def _check_deadline(deadline: Deadline, limits: TasksSettings) -> None:
    """Say that the time is over: a connection cut by the deadline fails in many ways."""
    if deadline.passed:
        message = f"the download took more than {limits.download_total_seconds:g} seconds"
        raise DownloadTimeoutError(message)


def _download(session: requests.Session, image_url: str, limits: TasksSettings) -> bytes:
    with _follow(session, image_url, limits) as response:
        return _read(response, limits)


def _follow(session: requests.Session, image_url: str, limits: TasksSettings) -> requests.Response:
    url = image_url
    for _ in range(limits.download_max_redirects + 1):
        response = _get(session, url, limits)
        if response.status_code not in REDIRECTS:
            return response
        location = response.headers.get("Location", "")
        response.close()
        url = _redirected(url, location)
    raise DownloadRefusedError(f"more than {limits.download_max_redirects} redirects")


def _redirected(url: str, location: str) -> str:
    target = urljoin(url, location)
    if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
        raise DownloadRefusedError("a redirect leads from https to http")
    return target


def _get(session: requests.Session, url: str, limits: TasksSettings) -> requests.Response:
    check_url(url)
    timeouts = (limits.download_connect_seconds, limits.download_read_seconds)
    try:
        return session.get(url, timeout=timeouts, stream=True, allow_redirects=False)
    except AntiSSRFError as exc:
        raise DownloadRefusedError("only public addresses may be asked") from exc
    except requests.Timeout as exc:
        raise DownloadTimeoutError("the picture's server did not answer in time") from exc
    except (requests.RequestException, OSError, ValueError) as exc:
        raise DownloadUnreachableError("the picture's server could not be reached") from exc


def _read(response: requests.Response, limits: TasksSettings) -> bytes:
    """Return the whole body, stopping at the first byte over the limit."""
    if response.status_code != requests.codes.ok:
        raise DownloadStatusError(f"the picture's server answered {response.status_code}")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise DownloadRefusedError("the picture's server sent an encoded body")
    upload = bytearray()
    try:
        for piece in response.raw.stream(PIECE_BYTES, decode_content=False):
            upload += piece
            _check_size(len(upload), limits)
    except ReadTimeoutError as exc:
        raise DownloadTimeoutError("the picture's server stopped sending") from exc
    except (HTTPError, OSError) as exc:
        raise DownloadUnreachableError("the connection broke in the middle of the picture") from exc
    return bytes(upload)


def _check_size(size_bytes: int, limits: TasksSettings) -> None:
    if size_bytes > limits.max_upload_bytes:
        message = f"the picture has more than {limits.max_upload_bytes} bytes, the limit"
        raise DownloadTooLargeError(message)
