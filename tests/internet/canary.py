"""The other end of everything: it listens at every address there is, and notes who is called.

`python -m tests.internet.canary FOLDER` runs in a namespace in which each address is the machine's
own, with the resolver of `FOLDER/zone`. It answers `/to/STATUS?TARGET` with a redirect, all else
with a picture.
"""

import json
import socket
import ssl
import sys
from pathlib import Path
from threading import Lock, Thread
from urllib.parse import unquote_to_bytes

from tests.conftest import picture
from tests.internet.resolver import Resolver
from tests.origins import answer

PORTS = (22, 25, 80, 443, 3128, 6379, 8080, 9200)
RESOLVER = "192.0.2.53"
LONGEST_REQUEST = 65_536
REFRESH = b'<meta http-equiv="refresh" content="0;url=http://127.0.0.1/">'


class Canary:
    """Notes the address, the port and the first line of each connection."""

    def __init__(self, folder: Path) -> None:
        """Write `FOLDER/notes`, a JSON object a line."""
        self._notes = (folder / "notes").open("a", buffering=1)
        self._lock = Lock()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(folder / "certificate.pem", folder / "key.pem")

    def note(self, what: dict[str, str]) -> None:
        """Write a line."""
        with self._lock:
            self._notes.write(f"{json.dumps(what)}\n")

    def listen(self, family: socket.AddressFamily, port: int) -> None:
        """Answer at a port of all addresses, each connection in a thread of its own."""
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(("", port))
        listener.listen(100)
        Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            address, port = connection.getsockname()[:2]
            # Before a byte is read: that a connection came about is what counts.
            self.note({"called": address, "port": str(port)})
            Thread(target=self._answer, args=(connection, port), daemon=True).start()

    def _answer(self, connection: socket.socket, port: int) -> None:
        try:
            if port == 443:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                request = connection.recv(LONGEST_REQUEST)
                connection.sendall(_answer_to(request.split(b" ")[1]))
        except (OSError, IndexError):
            connection.close()  # it spoke of something else than HTTP, or had enough


def _answer_to(target: bytes) -> bytes:
    path, _, query = target.partition(b"?")
    if path.startswith(b"/to/"):
        status = path.removeprefix(b"/to/").decode()
        head = answer(b"", "Content-Length: 0", "Location: @", status=f"{status} Elsewhere")
        return head.replace(b"@", unquote_to_bytes(query))
    if path == b"/refresh":
        return answer(REFRESH, "Refresh: 0; url=http://127.0.0.1/", "Content-Type: text/html")
    return answer(picture())


def main() -> None:
    """Listen until the process is ended; says so once it does."""
    folder = Path(sys.argv[1])
    canary = Canary(folder)
    Resolver(json.loads((folder / "zone").read_text()), canary.note).serve(RESOLVER)
    for family in (socket.AF_INET, socket.AF_INET6):
        for port in PORTS:
            canary.listen(family, port)
    print("listening", flush=True)  # noqa: T201 - whoever started it waits for this
    sys.stdin.read()


if __name__ == "__main__":
    main()
