"""Parts of the specification that many routes have: options, answers, problems."""

from typing import Any

from pydantic import BaseModel

from api.settings import settings
from tasks.documents import ProblemDocument
from tasks.settings import settings as tasks_settings

JSON, PROBLEM_JSON = "application/json", "application/problem+json"

Spec = dict[str, Any]

BINARY: Spec = {"type": "string", "format": "binary"}


def query(options: type[BaseModel]) -> list[Spec]:
    """Return the parameters of an option class, with the settings in their descriptions."""
    properties = options.model_json_schema()["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "description": schema["description"].format(**_limits()),
            "schema": {
                k: v
                for k, v in schema.items()
                if k not in {"description", "title"} and v is not None
            },
        }
        for name, schema in properties.items()
    ]


def _limits() -> dict[str, Any]:
    return settings().model_dump() | tasks_settings().model_dump(include={"keep_pictures_seconds"})


def answer(description: str, *kinds: type) -> Spec:
    """Return an answer with JSON of one of some kinds."""
    return {"description": description, "content": {JSON: {"schema": one_of(kinds)}}}


def of_problems(descriptions: dict[int, str], *kinds: type) -> Spec:
    """Return answers with a problem document, or also with JSON of some kinds."""
    content = {PROBLEM_JSON: {"schema": one_of((ProblemDocument,))}}
    if kinds:
        content[JSON] = {"schema": one_of(kinds)}
    return {str(s): {"description": d, "content": content} for s, d in descriptions.items()}


def one_of(kinds: tuple[type, ...]) -> Spec:
    """Return the schema of what is of one of some kinds."""
    references = [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in kinds]
    return references[0] if len(references) == 1 else {"oneOf": references}


def refuse_odd_paths(paths: Spec) -> None:
    """Say of each route that takes something from its path that `heads` may refuse it."""
    odd = of_problems({400: "A path that can be read in two ways"})
    for operations in (each for path, each in paths.items() if "{" in path):
        for operation in filter(lambda each: "responses" in each, operations.values()):
            operation["responses"] = {**odd, **operation["responses"]}
