"""Faults of clients and of pictures' origins: too slow, too many, too broken."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread
from uuid import uuid4

from chaos.layout import Layout
from chaos.pictures import broken
from chaos.run import Run, Scenario

CLIENT_ERRORS = frozenset({400, 404, 413, 415, 422})
POLLERS = 60
SHORT_DOWNLOADS = Layout(environment={"PETIOLE_TASKS_DOWNLOAD_TOTAL_SECONDS": "4"})


def _slow_sockets(run: Run) -> None:
    """200 clients send one byte of their request a second, for 10 s."""
    with run.load(), run.fault(), run.faults.slow_sockets(200):
        run.faults.drip(seconds=10.0)


def _few_slow_sockets(run: Run) -> None:
    """40 clients send one byte of their request a second, for 10 s."""
    with run.load(), run.fault(), run.faults.slow_sockets(40):
        run.faults.drip(seconds=10.0)


def _pollers(run: Run) -> None:
    """60 clients wait for results, and ask for ids that were never handed out."""
    done = Event()
    with run.load(), ThreadPoolExecutor(POLLERS) as pool, run.fault():
        for _ in range(POLLERS):
            pool.submit(_poll, run, done)
        run.calm(8.0)
        done.set()


def _poll(run: Run, done: Event) -> None:
    while not done.wait(0.5):
        run.journal.request("GET", f"{run.stack.api}/result/{uuid4()}")
        for task_id in run.journal.open()[:1]:
            run.journal.request("GET", f"{run.stack.api}/result/{task_id}?wait=1")


def _burst(run: Run) -> None:
    """300 pictures come at once, eight times what is classified in a second."""
    with run.fault():
        run.burst(300)


def _broken_pictures(run: Run) -> None:
    """80 damaged pictures come among sound ones: cut off, or with bytes overwritten."""
    uploads = [broken(run.rng) for _ in range(80)]
    with run.load(), run.fault():
        for upload in uploads:
            run.send_bytes(upload)
            run.calm(0.05)


def _slow_origin(run: Run) -> None:
    """Four pictures are at servers that send a byte a second; a download may take 4 s."""
    with run.load(), run.fault(), _dripping_server() as url:
        body = json.dumps({"image_url": url}).encode()
        for _ in range(4):
            run.send_bytes(body, kind="application/json")
        run.calm(12.0)


@contextmanager
def _dripping_server() -> Iterator[str]:
    """Give the URL of a picture whose body never ends."""
    done = Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=_serve, args=(server, done), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/picture.png"
        done.set()


def _serve(server: socket.socket, done: Event) -> None:
    while not done.is_set():
        try:
            client, _ = server.accept()
        except OSError:
            return
        Thread(target=_drip, args=(client, done), daemon=True).start()


def _drip(client: socket.socket, done: Event) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 9000\r\n\r\n"
    with client:
        try:
            client.sendall(head)
            while not done.wait(1.0):
                client.sendall(b"\x89")
        except OSError:
            return


SCENARIOS = (
    Scenario("slow-sockets", _slow_sockets),
    Scenario("slow-sockets-40", _few_slow_sockets),
    Scenario("pollers", _pollers, client_errors=CLIENT_ERRORS, quick=True),
    Scenario("burst", _burst, quick=True, comparable=True),
    Scenario("broken-pictures", _broken_pictures, client_errors=CLIENT_ERRORS),
    Scenario("slow-origin", _slow_origin, SHORT_DOWNLOADS),
)
