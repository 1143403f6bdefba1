"""All keys below a prefix of a bucket, also those that are no paths.

obstore refuses a whole listing over one key such as `a//b.jpg`, which it could not hand on. Such a
prefix is listed here: by S3's own ListObjectsV2, a page at a time, signed as AWS says.

Source: Amazon S3 API Reference, "ListObjectsV2" and "Authenticating Requests: Using the
Authorization Header (AWS Signature Version 4)".
"""

import hashlib
import hmac
import html
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException
from urllib.parse import quote, unquote_plus, urlsplit
from urllib.request import Request, urlopen

SERVICE = "s3"
DEFAULT_REGION = "us-east-1"
NOTHING = hashlib.sha256(b"").hexdigest()
_KEY = re.compile(r"<Key>([^<]*)</Key>")
_NEXT = re.compile(r"<NextContinuationToken>([^<]+)<")
_ENCODED = "<EncodingType>url</EncodingType>"


@dataclass(frozen=True)
class Account:
    """Who asks which server, from the usual variables; without a key nothing is signed."""

    endpoint: str
    region: str
    key: str = ""
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @classmethod
    def of(cls, variables: Mapping[str, str], *, endpoint: str) -> "Account":
        """Return what the environment says; `endpoint` is empty for AWS itself."""
        region = variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION")
        return cls(
            endpoint=endpoint.rstrip("/") or f"https://s3.{region or DEFAULT_REGION}.amazonaws.com",
            region=region or DEFAULT_REGION,
            key=variables.get("AWS_ACCESS_KEY_ID", ""),
            secret=variables.get("AWS_SECRET_ACCESS_KEY", ""),
            token=variables.get("AWS_SESSION_TOKEN", ""),
        )


def is_path(key: str) -> bool:
    """Tell whether a key can be asked for as a path; a slash at its end does not matter."""
    parts = key.removesuffix("/").split("/")
    return all(part not in {"", ".", ".."} for part in parts) and not any(
        letter < " " or letter == "\x7f" for letter in key
    )


def below(url: str, *, endpoint: str, timeout_seconds: float) -> Iterator[str]:
    """Yield every key below `s3://bucket/prefix`, without the prefix, in the server's order.

    Raises:
        OSError: the server cannot be asked, or refuses.
    """
    bucket, prefix = urlsplit(url).netloc, urlsplit(url).path.strip("/")
    account = Account.of(os.environ, endpoint=endpoint)
    prefix = f"{prefix}/" if prefix else ""
    query = {"encoding-type": "url", "list-type": "2", "prefix": prefix}
    while True:
        page = _page(account, bucket, query, timeout_seconds)
        decode = unquote_plus if _ENCODED in page else html.unescape
        for key in map(decode, _KEY.findall(page)):
            if key != prefix:
                yield key.removeprefix(prefix)
        if not (token := _NEXT.search(page)):
            return
        query["continuation-token"] = html.unescape(token[1])


def _page(account: Account, bucket: str, query: Mapping[str, str], seconds: float) -> str:
    url = f"{account.endpoint}/{quote(bucket)}?{_canonical(query)}"
    request = Request(url, headers=signed(account, url, now=datetime.now(UTC)))  # noqa: S310 - below
    if request.type not in {"http", "https"}:
        raise OSError(f"{account.endpoint} is no address of a server")
    try:
        with urlopen(request, timeout=seconds) as answer:  # noqa: S310 - looked at just now
            text: str = answer.read().decode()
    except HTTPException as exc:
        raise OSError(f"the answer broke off: {exc}") from exc
    return text


def _canonical(query: Mapping[str, str]) -> str:
    return "&".join(f"{quote(n, safe='')}={quote(query[n], safe='')}" for n in sorted(query))


def signed(account: Account, url: str, *, now: datetime) -> dict[str, str]:
    """Return the headers of a GET without a body, whose query is in canonical order."""
    parts = urlsplit(url)
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    headers = {"host": parts.netloc, "x-amz-content-sha256": NOTHING, "x-amz-date": stamp}
    if account.token:
        headers["x-amz-security-token"] = account.token
    if not account.key:
        return headers
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join(["GET", parts.path, parts.query, lines, names, NOTHING])
    scope = f"{now:%Y%m%d}/{account.region}/{SERVICE}/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    signature = _chain(account, scope, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}").hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={account.key}/{scope}, SignedHeaders={names}, "
        f"Signature={signature}"
    )
    return headers


def _chain(account: Account, scope: str, text: str) -> bytes:
    """Return the signature: each part of the scope is signed with the signature of the last."""
    key = f"AWS4{account.secret}".encode()
    for part in [*scope.split("/"), text]:
        key = hmac.digest(key, part.encode(), "sha256")
    return key
