"""Which stage of a picture's way a sampled stack belongs to, by the names of its functions."""

from collections import Counter
from collections.abc import Sequence

from petiole.markdown import table

WAITING = (
    *("Condition.wait (", "_epoll.poll (", "EpollSelector.select (", "_socket_can_read ("),
    *("_worker (concurrent/futures/thread.py", "read_from_socket (", "poll (redis"),
)
"""Innermost functions in which a thread waits; the profiler takes some of them for work."""

STAGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("header", ("model_store/pictures/headers.py", "_header")),
    ("store", ("ImageStore.put (", "Objects.write (")),
    ("publish", ("tasks/publisher.py", "tasks/envelopes.py", "Celery.send_task (")),
    ("record", ("RedisJobStore.create (", "record (tasks/submission.py", "tasks/submission.py")),
    ("decode", ("ServedModel.prepare", "tasks/prepared.py")),
    ("predict", ("ServedModel.predict (", "ServedModel.rank (")),
    ("read", ("_upload_of (tasks/classify.py", "ImageStore.get (", "Objects.read (")),
    ("finish", ("finish (tasks/jobs.py", "RedisJobStore._end (", "ImageStore.delete (")),
    ("claim", ("claim (tasks/jobs.py", "RedisJobStore.claim", "tasks/along.py", "_taken (")),
    ("notice", ("tasks/job_stores/notices.py",)),
    ("events", ("celery/events/", "Delivery.send_event (", "_flush_events (", "heartbeat.py")),
    (
        "acknowledge",
        ("QoS.ack (", "basic_ack (", "on_ready (billiard", "on_state_change (billiard"),
    ),
    ("consume", ("tasks/broker.py", "tasks/delivery.py", "kombu/transport/redis.py", "kombu/")),
    ("HTTP read", ("LimitedStream", "gunicorn/asgi/", "gunicorn/http/", "werkzeug/formparser.py")),
    ("answer", ("tasks/views.py", "finalize_request (", "make_response (", "Turn.")),
    ("HTTP, threads and loop", ("api/", "flask/", "gunicorn/", "asyncio/", "concurrent/")),
    ("Celery's task", ("celery/", "billiard/")),
)
"""Stage and words; a stack belongs to the first stage, from its innermost function outwards."""

REST = "the rest"
ORDER = (
    *("HTTP read", "header", "store", "record", "publish", "consume", "claim", "read", "decode"),
    *("predict", "finish", "acknowledge", "notice", "answer", "events"),
    *("HTTP, threads and loop", "Celery's task", REST),
)


def stage_of(frames: Sequence[str]) -> str | None:
    """Return the stage of a stack, outermost function first; None where the thread waits.

    A more specific stage around an unspecific one counts: Redis' client below `create` is `record`.
    """
    if any(word in frames[-1] for word in WAITING):
        return None
    for frame in reversed(frames):
        for stage, words in STAGES:
            if any(word in frame for word in words):
                return stage
    return REST


def samples(raw: str) -> Counter[str]:
    """Return how many samples of a profile in py-spy's `raw` format belong to each stage."""
    found: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        stage = stage_of(stack.split(";"))
        if stage:
            found[stage] += int(count)
    return found


def shared(found: Counter[str], cpu_ms: float) -> dict[str, float]:
    """Return a process' CPU milliseconds, divided among the stages as its samples are."""
    total = found.total()
    return {s: cpu_ms * n / total for s, n in found.items()} if total else {REST: cpu_ms}


def rows(by_process: dict[str, dict[str, float]]) -> str:
    """Return the table: a row for each stage, a column for each process, CPU ms a picture."""
    names = list(by_process)
    lines = []
    for stage in ORDER:
        values = [by_process[name].get(stage, 0.0) for name in names]
        if any(values):
            cells = [f"{value:.2f}" if value else "" for value in values]
            lines.append((stage, *cells, f"**{sum(values):.2f}**"))
    sums = [sum(stages.values()) for stages in by_process.values()]
    lines.append(("**sum**", *(f"**{each:.2f}**" for each in sums), f"**{sum(sums):.2f}**"))
    return table(("CPU ms a picture", *names, "all"), lines)
