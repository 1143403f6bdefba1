"""Servers of pictures as they are: on loopback, under any name, saying just what a test wants.

No name is looked up outside: what a test names has the addresses that it says, or none.
"""

import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

LONGEST_REQUEST = 65_536


class Origin:
    """Answers each connection with the next of its answers; the last one again and again."""

    def __init__(self, answers: Sequence[bytes], tls: ssl.SSLContext | None = None) -> None:
        """Listen on a port of its own."""
        self.requests: list[str] = []
        self._answers, self._tls = list(answers), tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    def url(self, path: str = "/a.jpg", host: str = "127.0.0.1") -> str:
        """Return an address of this server."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def serve(self) -> None:
        """Answer until the server is closed."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._answer(connection)

    def close(self) -> None:
        """Listen no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _answer(self, connection: socket.socket) -> None:
        if self._tls:
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        with connection:
            try:
                self.requests.append(connection.recv(LONGEST_REQUEST).decode("latin-1"))
                connection.sendall(self._answers[min(len(self.requests), len(self._answers)) - 1])
            except OSError:
                return  # the client did not like the certificate, or had enough


@contextmanager
def origin(*answers: bytes, tls: ssl.SSLContext | None = None) -> Iterator[Origin]:
    """Run a server that gives these answers."""
    made = Origin(answers, tls)
    Thread(target=made.serve, daemon=True).start()
    try:
        yield made
    finally:
        made.close()


def answer(body: bytes = b"", *lines: str, status: str = "200 OK", version: str = "1.1") -> bytes:
    """Return an answer with just these header lines, and the connection's end as its end."""
    head = "\r\n".join([f"HTTP/{version} {status}", *lines, "", ""])
    return head.encode() + body


def name_hosts(monkeypatch: pytest.MonkeyPatch, hosts: Mapping[str, Sequence[str]]) -> list[str]:
    """Let these names, and no other, have these addresses; returns the names that are looked up."""
    resolve, asked = socket.getaddrinfo, []

    def known(host: str, *arguments: object, **options: object) -> list[tuple]:
        options = {"flags": 0, **options}
        if host in hosts and not options["flags"]:
            asked.append(host)
            found = [resolve(each, *arguments, **options) for each in hosts[host]]
            return [each for addresses in found for each in addresses]
        options["flags"] |= socket.AI_NUMERICHOST
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", known)
    return asked


def note_connections(monkeypatch: pytest.MonkeyPatch, to: socket.socket | None = None) -> list[str]:
    """Let no connection be made; returns the hosts to which one would have been.

    A connection that is given stands for all of them.
    """
    tried: list[str] = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        tried.append(address[0])
        if to is None:
            raise ConnectionRefusedError("no test connects to it")
        return to

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    return tried


def certified(folder: Path, name: str) -> ssl.SSLContext:
    """Return TLS with a certificate of a name, which signs itself."""
    names = ("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}")
    files = ("-keyout", folder / "key.pem", "-out", folder / "certificate.pem")
    kind = ("-newkey", "rsa:2048", "-nodes", "-days", "2")
    subprocess.run(
        ["openssl", "req", "-x509", *kind, *names, *files], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context
