"""Each problem of the service is an error of its class, from a real service where it can be had."""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from api.errors import API_ERRORS
from api.health import NOT_READY
from petiole import client as c
from petiole.client import answers
from petiole.client.errors import BY_SLUG, of_problem
from tasks import documents, problems
from tests.conftest import free_port, picture
from tests.test_client.conftest import MAX_UPLOAD_BYTES, MOST_OPEN, Ask, open_jobs
from tests.test_end_to_end.conftest import RunningService, frozen_children

OF_OTHER_ROUTES = {
    *("task-revoked", "wait-over"),
    "too-many-streams",
    *("cross-site-request", "unknown-host"),
    *("bad-bulk", "bulk-over", "bulk-too-large", "pack-revoked", "unknown-bulk"),
    *("bad-member", "damaged-member", "encrypted-member", "unsupported-member"),
    *("picture-too-large", "unsafe-path"),
}
"""Answers of the compatible routes, of `/events`, `/admin` and `/bulk`, which the client does not
ask."""

WHOLE = picture(kind="WEBP")
NOISE = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)


@dataclass(frozen=True)
class Refused:
    """What is asked for, and the error that is due."""

    slug: str
    kind: type[c.ProblemError]
    asked: Callable[[Ask], Any]


REFUSED = [
    Refused("not-an-image", c.BadPictureError, lambda ask: ask("classify", b"text")),
    Refused("no-image", c.BadPictureError, lambda ask: ask("classify", b"")),
    Refused("truncated-image", c.BadPictureError, lambda ask: ask("classify", WHOLE[:-10])),
    Refused("upload-too-large", c.PictureTooLargeError, lambda ask: ask("classify", NOISE)),
    Refused(
        "upload-too-large",
        c.PictureTooLargeError,
        lambda ask: ask("classify", bytes(20 * MAX_UPLOAD_BYTES)),
    ),
    Refused(
        "too-many-pixels",
        c.PictureTooLargeError,
        lambda ask: ask("classify", Image.new("1", (2000, 2000))),
    ),
    Refused(
        "unknown-model", c.UnknownModelError, lambda ask: ask("classify", picture(), model="nope")
    ),
    Refused(
        "unknown-version",
        c.UnknownModelError,
        lambda ask: ask("classify", picture(), model="colours@9"),
    ),
    Refused(
        "bad-model-reference",
        c.UnknownModelError,
        lambda ask: ask("classify", picture(), model="a@b@c"),
    ),
    Refused("invalid-option", c.InvalidRequestError, lambda ask: ask("submit", picture(), top_k=0)),
    Refused(
        "download-refused", c.DownloadError, lambda ask: ask("classify", "http://user@host/a.jpg")
    ),
    Refused(
        "download-unreachable",
        c.DownloadError,
        lambda ask: ask("classify", f"http://127.0.0.1:{free_port()}/a.jpg"),
    ),
    Refused("unknown-task", c.UnknownTaskError, lambda ask: ask("result", "a b")),
]


@pytest.mark.end_to_end
@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.slug)
def test_a_problem_is_an_error_of_its_class(ask: Ask, refused: Refused) -> None:
    """With the service's own words."""
    with pytest.raises(refused.kind) as caught:
        refused.asked(ask)

    assert caught.value.slug == refused.slug
    assert caught.value.problem.detail in str(caught.value)


@pytest.mark.end_to_end
def test_a_task_that_failed_says_its_id(ask: Ask, httpserver) -> None:
    """Also when its answer has the status of the problem; it is not sent again."""
    httpserver.expect_request("/a.jpg").respond_with_data(status=403)
    with pytest.raises(c.DownloadError) as caught:
        ask("classify", httpserver.url_for("/a.jpg"))
    with pytest.raises(c.DownloadError) as again:
        ask("result", caught.value.task_id)

    assert (caught.value.slug, again.value.slug) == ("download-status", "download-status")


@pytest.mark.end_to_end
def test_a_forgotten_result_is_an_error_of_its_own(ask: Ask) -> None:
    """It is not that of an id that never was."""
    task_id = ask("classify", picture()).task_id
    ask("forget", task_id)

    with pytest.raises(c.ExpiredResultError):
        ask("result", task_id)


@pytest.mark.end_to_end
def test_a_key_of_another_request_is_refused(ask: Ask) -> None:
    """Nothing is classified for it."""
    ask("classify", picture("red"), idempotency_key="another")
    with pytest.raises(c.InvalidRequestError) as caught:
        ask("classify", picture("blue"), idempotency_key="another")

    assert caught.value.slug == "idempotency-key-reused"


@pytest.mark.end_to_end
def test_a_service_that_stays_full_says_when_to_come_back(service: RunningService) -> None:
    """The wait is over before the service has room; nothing was accepted."""
    with c.Client(service.api) as client:
        with frozen_children(service):
            waiting = [client.submit(picture()).task_id for _ in range(MOST_OPEN)]
            with pytest.raises(c.BusyError) as caught:
                client.submit(picture(), wait=0.0)
            accepted = open_jobs(service)
        for task_id in waiting:
            client.forget(task_id)

    assert (caught.value.slug, accepted) == ("queue-full", MOST_OPEN)
    assert caught.value.retry_after_seconds >= 1


def test_every_problem_of_the_service_has_a_class() -> None:
    """A new one is met here first."""
    known = {problem.slug for problem in problems.every()} | {NOT_READY.slug}
    known |= {error.slug for error in API_ERRORS}

    assert known - OF_OTHER_ROUTES == set(BY_SLUG)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, c.AccessDeniedError),
        (404, c.ProblemError),
        (429, c.BusyError),
        (500, c.ServiceFailedError),
        (503, c.BusyError),
    ],
)
def test_a_problem_that_nobody_knows_goes_by_its_status(
    status: int, kind: type[c.ProblemError]
) -> None:
    """A newer service, or a proxy, may have more of them."""
    error = of_problem(answers.Problem("about:blank", "Other", status, "it is so"))

    assert type(error) is kind
    assert error.slug == f"http-{status}"


@pytest.mark.parametrize(
    "name",
    [
        *("AcceptedTask", "ClassifiedTask", "ExplainedTask", "TrainedTask"),
        *("FailedTask", "RevokedTask"),
        *("Timings", "Progress", "Prediction"),
    ],
)
def test_the_clients_types_have_the_members_of_the_services(name: str) -> None:
    """In their order, and with the same ones that may be missing."""
    assert _members(getattr(answers, name)) == _members(getattr(documents, name))


def test_the_clients_problem_is_the_services() -> None:
    """By another name."""
    assert _members(answers.Problem) == _members(documents.ProblemDocument)


def _members(kind: Any) -> list[tuple[str, object]]:
    assert is_dataclass(kind)
    return [(field.name, field.default) for field in fields(kind)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((4, 4, 3)), "the array is float64; give uint8"),
        (np.zeros((3, 4, 5), np.uint8), r"the array is \[3, 4, 5\]; .*channels last"),
        (np.zeros((0, 4, 3), np.uint8), r"the array is \[0, 4, 3\]"),
        (Path("/nowhere.jpg"), "'/nowhere.jpg' cannot be read: No such file"),
        ("/", "'/' cannot be read: Is a directory"),
        (Image.new("La", (4, 4)), "the image cannot be encoded as PNG"),
        (3, "a int is no picture; give a path"),
    ],
)
def test_what_is_no_picture_is_said_before_anything_is_sent(given: object, said: str) -> None:
    """What it is, and what would do."""
    with c.Client("http://127.0.0.1:9") as client, pytest.raises(c.UnreadablePictureError) as e:
        client.classify(given)

    assert e.match(said)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """When the client is made."""
    with pytest.raises(ValueError, match="it must be like http"):
        c.Client(url)


def test_a_single_path_is_no_list_of_pictures() -> None:
    """Its letters would be taken for names of files."""
    with c.Client("http://127.0.0.1:9") as client, pytest.raises(TypeError, match="give a list"):
        next(client.map("coffee.jpg"))
