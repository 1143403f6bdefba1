"""`GET /events`: what a client is told, once, in order, and from where it broke off."""

import json
from threading import Timer

import pytest
from flask.testing import FlaskClient

from api import events, story
from api.story import Story
from tasks import jobs, once, stores, views
from tests.conftest import picture
from tests.test_api.test_results import submitted, waiting_job


def told(body: bytes) -> list[dict]:
    """Return the events of a stream, as a browser understands them."""
    found = []
    for block in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "data" in fields:
            found.append(fields | {"data": json.loads(fields["data"])})
    return found


def address(*task_ids: str) -> str:
    """Return the address of a stream."""
    return f"/events?{'&'.join(f'task={task_id}' for task_id in task_ids)}"


def said(event: dict) -> tuple[str, str, object]:
    """Return what matters of one event."""
    data = event["data"]
    return event["event"], data["task_id"], data.get("state", data.get("status"))


def test_a_stream_has_the_whole_document_of_each_end(client: FlaskClient) -> None:
    """The same as `GET /result`; then it ends by itself."""
    ids = [submitted(client, picture()), submitted(client, picture(size=(400, 300))[:700])]
    response = client.get(address(*ids))
    results = [client.get(f"/result/{task_id}").json for task_id in ids]

    assert (response.status_code, response.mimetype) == (200, "text/event-stream")
    assert [e["data"] for e in told(response.data)] == results
    assert {e["event"] for e in told(response.data)} == {"end"}
    assert response.data.startswith(b"retry: ")


def test_a_stream_tells_each_state(client: FlaskClient) -> None:
    """It waits, it runs, it is over."""
    task_id = waiting_job(lane="classify")
    Timer(0.3, stores.job_store().claim, (task_id,), {"stage": "classify"}).start()
    Timer(1.6, jobs.fail, (task_id, ValueError("no"))).start()
    seen = told(client.get(address(task_id)).data)

    assert [said(each) for each in seen] == [
        ("state", task_id, "PENDING"),
        ("state", task_id, "STARTED"),
        ("end", task_id, "FAILURE"),
    ]
    assert seen[0]["data"]["ahead"] == 0


def test_what_never_was_and_what_is_gone_are_problems(client: FlaskClient) -> None:
    """The others go on."""
    gone, there = submitted(client, picture()), submitted(client, picture())
    client.delete(f"/result/{gone}")
    seen = told(client.get(address("nope", gone, there)).data)

    assert [said(each) for each in seen] == [
        ("problem", "nope", 404),
        ("problem", gone, 410),
        ("end", there, "SUCCESS"),
    ]


def test_a_stream_goes_on_where_it_broke_off(client: FlaskClient) -> None:
    """What was told is not told again, after the last event there is nothing to come: 204."""
    ids = [submitted(client, picture()) for _ in range(3)]
    whole = told(client.get(address(*ids)).data)
    headers = [{"Last-Event-ID": event["id"]} for event in whole]
    rest = client.get(address(*ids), headers=headers[0])

    assert told(rest.data) == whole[1:]
    assert client.get(address(*ids), headers=headers[2]).status_code == 204


@pytest.mark.parametrize("last", ["", "x", "00000000.xxx", "00000000.x", "\u00e9", "a" * 2000])
def test_an_id_of_another_stream_is_none(client: FlaskClient, last: str) -> None:
    """Everything is told, rather than too little."""
    ids = [submitted(client, picture()) for _ in range(3)]
    response = client.get(address(*ids), headers={"Last-Event-ID": last})

    assert len(told(response.data)) == 3


@pytest.mark.parametrize(
    "query",
    [
        *("", "?task=", "?task=a&tsak=b", f"?{'&'.join(f'task={n}' for n in range(151))}"),
        f"?{'&'.join(['task=a'] * 151)}",
    ],
)
def test_what_names_no_tasks_or_too_many_is_refused(client: FlaskClient, query: str) -> None:
    """422, and says what to send."""
    response = client.get(f"/events{query}")

    assert (response.status_code, response.json["type"]) == (422, "/problems#invalid-option")


def test_a_stream_too_many_is_refused(client: FlaskClient, monkeypatch) -> None:
    """503 and when to try again; a stream that was closed, or never begun, leaves its place."""
    monkeypatch.setenv("PETIOLE_API_MAX_STREAMS", "1")
    once.begin_anew()
    task_id = waiting_job()
    first = client.get(address(task_id), buffered=False)
    next(iter(first.response))
    second = client.get(address(task_id))
    metrics = client.get("/metrics").text
    first.close()
    jobs.fail(task_id, ValueError("no"))

    assert (second.status_code, second.json["type"]) == (503, "/problems#too-many-streams")
    assert "Retry-After" in second.headers
    assert 'petiole_open_streams{route="/events"} 1.0' in metrics
    assert client.head(address(task_id)).status_code == 200
    assert len(told(client.get(address(task_id)).data)) == 1


def test_a_silent_stream_has_heartbeats(client: FlaskClient, monkeypatch) -> None:
    """Comments, which a browser ignores and a proxy takes for traffic."""
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(events, "LOOK_SECONDS", 0.1)
    task_id = waiting_job()
    Timer(0.8, jobs.fail, (task_id, ValueError("no"))).start()
    body = client.get(address(task_id)).data

    assert b"\n\n:\n\n" in body
    assert len(told(body)) == 2


def test_places_are_told_at_a_modest_rate(client: FlaskClient, monkeypatch) -> None:
    """A task that moves up is told so after a while; one that stays, never again."""
    ids = [waiting_job(lane="classify") for _ in range(2)]
    one = Story(ids)

    def look() -> list[dict]:
        return told(b"".join(one.tell(t, answer) for t, answer in views.look(ids).items()))

    first, same = look(), look()
    stores.job_store().claim(ids[0], stage="classify")
    early = look()
    monkeypatch.setattr(story, "PLACE_SECONDS", 0.0)
    later = look()

    assert [len(each) for each in (first, same, early, later)] == [2, 0, 1, 1]
    assert later[0]["data"]["ahead"] == 0


def test_a_place_is_not_told_again_to_who_comes_back(client: FlaskClient) -> None:
    """But the next change of state is."""
    task_id = waiting_job(lane="classify")
    one = Story([task_id])
    (event,) = told(one.tell(task_id, views.view(task_id)))
    again = Story([task_id], event["id"])
    repeated = again.tell(task_id, views.view(task_id))
    stores.job_store().claim(task_id, stage="classify")
    (started,) = told(again.tell(task_id, views.view(task_id)))

    assert repeated == b""
    assert said(started) == ("state", task_id, "STARTED")
