"""From a request as the event loop has it to the environment of a WSGI application."""

import sys
from typing import IO, Any
from urllib.parse import unquote_to_bytes

from api.asgi import Scope

WITHOUT_PREFIX = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}


def environ_of(scope: Scope, body: IO[bytes], size: int) -> dict[str, Any]:
    """Return the WSGI environment of a request (PEP 3333) whose body is `size` bytes long."""
    host, port = scope["server"] or ("localhost", 0)
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope["root_path"],
        "PATH_INFO": path_of(scope),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope["client"] or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        key = WITHOUT_PREFIX.get(name) or _variable(name)
        text = value.decode("latin-1")
        joint = "; " if name == b"cookie" else ","
        environ[key] = f"{environ[key]}{joint}{text}" if key in environ else text
    if size or "CONTENT_LENGTH" in environ:
        environ["CONTENT_LENGTH"] = str(size)
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return environ


def path_of(scope: Scope) -> str:
    """Return the path below the root path, whether or not a proxy has taken that away."""
    path, root = unquote_to_bytes(scope["raw_path"]).decode("latin-1"), scope["root_path"]
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def _variable(name: bytes) -> str:
    return f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}"


def announced_bytes(scope: Scope) -> int:
    """Return how long a body is by what was said before it; 0 where nothing was."""
    return int(next((v for name, v in scope["headers"] if name == b"content-length"), b"0"))
