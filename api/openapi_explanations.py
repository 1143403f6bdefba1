"""What the specification says of explanations."""

from api.explanations import MIMETYPES, ExplanationOptions, MapOptions
from api.openapi_parts import BINARY, Spec, answer, of_problems, query
from tasks.documents import AcceptedTask, ExplainedTask, FailedTask, RevokedTask

SCHEMAS = (ExplainedTask,)
PATH = "/result/{task_id}/explanation"
OVER = (ExplainedTask, FailedTask, RevokedTask)
AWAY = {503: "A store is not reachable"}
MISSING = {404: "No such picture, or nobody asked for it", 410: "No longer kept"}
OPTIONS = {422: "An impossible or unknown option"}


def complete(paths: Spec) -> None:
    """Describe the routes of explanations."""
    asking, fetching = paths[PATH]["post"], paths[PATH]["get"]
    for operation in (asking, fetching):
        operation["parameters"] = operation.get("parameters", []) + query(ExplanationOptions)
    made = {"200": answer("Over", *OVER), "202": answer("Not over yet", AcceptedTask)}
    fetching["responses"] = made | of_problems(MISSING | OPTIONS | AWAY)
    asking["responses"] = made | of_problems(
        {
            404: "No such picture, or no such label",
            409: "The task failed, or this service makes no explanations",
            410: "The picture or its answer is no longer kept",
            503: "A store is not reachable, or too many explanations wait",
        }
        | OPTIONS
    )
    for kind, mimetype in MIMETYPES.items():
        _complete_map(paths[f"{PATH}.{kind}"]["get"], mimetype)


def _complete_map(operation: Spec, mimetype: str) -> None:
    operation["parameters"] = operation.get("parameters", []) + query(MapOptions)
    operation["responses"] = {
        "200": {"description": "The map", "content": {mimetype: {"schema": BINARY}}},
        **of_problems(MISSING | OPTIONS | AWAY | {409: "It is not over, or failed"}),
        **of_problems({500: "The map is no longer stored"}),
    }
