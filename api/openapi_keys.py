"""What OpenAPI says of keys, where they are required."""

from typing import Any

from api.openapi_parts import of_problems

OPEN_TO_ALL = frozenset({"/livez", "/readyz"})
REFUSALS = {
    401: "No key, or none that is known",
    403: "The key may not do this, or another site's page sent it",
    429: "More than one may ask for",
}


def complete(spec: dict[str, Any]) -> None:
    """Say how a key is shown, where one is needed, and what else is answered then."""
    scheme = {"type": "http", "scheme": "bearer", "description": "petiole keys create NAME"}
    spec["components"]["securitySchemes"] = {"key": scheme}
    closed = [each for path, each in spec["paths"].items() if path not in OPEN_TO_ALL]
    for operation in (one for operations in closed for one in operations.values()):
        operation["security"] = [{"key": []}]
        operation["responses"] = of_problems(REFUSALS) | operation["responses"]
