"""From a job's state to an HTTP answer: 202 while it runs, 200 with the document after."""

from flask import Response, json

from tasks.jobs import Answer

POLL_AFTER_SECONDS = 1


def of(answer: Answer) -> Response:
    """Return 200 and the finished document, or 202 and where to ask again."""
    if answer.document is not None:
        return Response(answer.document, mimetype="application/json")
    return accepted(answer.task_id, answer.state, answer.progress)


def accepted(task_id: str, state: str, progress: str = "") -> Response:
    """Return 202 with the state, the result's address and, for a training, how far it is."""
    result_url = f"/result/{task_id}"
    body = {"task_id": task_id, "state": state, "result_url": result_url}
    if progress:
        body["progress"] = json.loads(progress)
    response = Response(json.dumps(body), status=202, mimetype="application/json")
    response.headers["Location"] = result_url
    response.headers["Retry-After"] = str(POLL_AFTER_SECONDS)
    return response
