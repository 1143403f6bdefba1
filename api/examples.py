"""Examples of the specification that work as they stand, tried out at `/docs/` on a new service.

What nobody can know before it exists, the id of a task, is asked for and not made up.
"""

from typing import Any

from api.settings import settings
from api.uploads import FIELD
from model_store.settings import ModelSettings

RED_SQUARE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR42mP8z0AaYGIY"
    "1TCqYdhqAABALgEfFO4+AgAAAABJRU5ErkJggg=="
)
"""A picture of 16 x 16 pixels; any other may stand in its place."""

OF_A_TASK = "The `task_id` that `POST /classify` answered."
OF_A_BULK = "The `bulk_id` that `POST /bulk` answered."
WAIT_SECONDS = 10.0

Spec = dict[str, Any]


def add(paths: Spec) -> None:
    """Put an example beside each parameter and body that can have one."""
    values = _values()
    for operation in [each for path in paths.values() for each in path.values()]:
        for parameter in operation.get("parameters", ()):
            name = parameter["name"]
            if name in values:
                parameter["example"] = values[name]
            if name == "bulk_id":
                parameter.setdefault("description", OF_A_BULK)
            if name == "task_id":
                parameter.setdefault("description", OF_A_TASK)
    body = paths["/classify"]["post"]["requestBody"]["content"]["application/json"]
    body["example"] = {FIELD: RED_SQUARE}


def _values() -> Spec:
    model = ModelSettings().default_model
    wait = min(WAIT_SECONDS, settings().max_wait_seconds)
    return {"model": model, "name": model, "version": "1", "wait": wait, "top_k": 3}
