"""Listing a bucket by S3's own protocol, where a key is no path."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from model_store import bucket_keys
from model_store.bucket_keys import Account
from model_store.errors import StoreUnavailableError
from model_store.objects import Objects

PAGE = (
    "<ListBucketResult><EncodingType>url</EncodingType>{keys}"
    "<NextContinuationToken>t+/=&amp;1</NextContinuationToken></ListBucketResult>"
)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        *((key, True) for key in ("a/b.jpg", "a/", "a b/é?+.jpg", "a\\b", ".hidden", "...")),
        *((key, False) for key in ("a//b", "/a", "a//", "./a", "a/..", "a\tb", "a\x7fb", "")),
    ],
)
def test_which_keys_are_paths(key: str, expected: bool) -> None:
    """The others cannot be asked for."""
    assert bucket_keys.is_path(key) is expected


@pytest.mark.parametrize("token", ["", "session/token+="])
def test_requests_are_signed_as_the_reference_signs_them(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By AWS's own library, for the same moment, address and account."""
    account = Account("https://s3.example:9000", "eu-west-3", "KEY", "SECRET/+", token)
    query = {"prefix": "photos/é & +/", "list-type": "2", "encoding-type": "url"}
    url = f"{account.endpoint}/bucket?{bucket_keys._canonical(query)}"
    found = bucket_keys.signed(account, url, now=datetime.now(UTC))
    stamp = found["x-amz-date"]

    reference = AWSRequest("GET", url)
    reference.headers["X-Amz-Date"] = stamp
    reference.context |= {"timestamp": stamp, "payload_signing_enabled": True}
    signer = S3SigV4Auth(Credentials("KEY", "SECRET/+", token or None), "s3", "eu-west-3")
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: moment(stamp))
    signer.add_auth(reference)

    assert found["authorization"] == reference.headers["Authorization"]


def moment(stamp: str) -> datetime:
    """Return the moment that a signature names."""
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")


def test_all_pages_are_asked_for(httpserver: HTTPServer) -> None:
    """A thousand keys a page, each page's token leading to the next; keys are decoded."""
    asked = []

    def answer(request: Request) -> Response:
        query = parse_qs(urlsplit(request.url).query)
        asked.append(query.get("continuation-token"))
        if len(asked) == 1:
            keys = "<Key>p/</Key><Key>p/a+%C3%A9%26%3C.jpg</Key>"
            return Response(PAGE.format(keys=keys))
        return Response("<ListBucketResult><Key>p/b&amp;//c</Key></ListBucketResult>")

    httpserver.expect_request("/bucket").respond_with_handler(answer)
    found = bucket_keys.below("s3://bucket/p", endpoint=httpserver.url_for(""), timeout_seconds=5)

    assert list(found) == ["a é&<.jpg", "b&//c"]
    assert asked == [None, ["t+/=&1"]]


def test_a_server_that_refuses_is_told(httpserver: HTTPServer) -> None:
    """With what it answered."""
    httpserver.expect_request("/bucket").respond_with_data("", status=403)
    keys = bucket_keys.below("s3://bucket/p", endpoint=httpserver.url_for(""), timeout_seconds=5)

    with pytest.raises(OSError, match="403"):
        list(keys)


def test_only_servers_are_asked() -> None:
    """A variable that names a file by mistake leads to none."""
    with pytest.raises(OSError, match="no address of a server"):
        list(bucket_keys.below("s3://bucket/p", endpoint="file:///etc", timeout_seconds=5))


def test_another_failure_of_a_listing_is_told_as_before(bucket_url: str) -> None:
    """A bucket that is not there is no bucket with odd keys."""
    url = bucket_url.replace("s3://bucket", "s3://nowhere")
    with pytest.raises(StoreUnavailableError, match="the bucket cannot be used at"):
        Objects.open(url, called="the bucket").tree_and_odd_keys()


def test_what_is_no_bucket_has_no_odd_keys(tmp_path: Path) -> None:
    """A directory lists itself."""
    objects = Objects.open(str(tmp_path), called="the place")
    objects.write("a/b", b"x")

    assert objects.tree_and_odd_keys() == (["a/b"], [])
