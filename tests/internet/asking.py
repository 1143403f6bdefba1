"""What a worker does with addresses, in a process of the test's namespace.

Reads a JSON array `[kind, url]` a line and writes what became of it: `picture`, `taken`, or the
name of the error. `bare` asks as a program without walls does.
"""

import json
import sys
from time import time

import requests
import requests.adapters

from tasks import fetch, webhooks
from tasks.errors import DownloadError
from tasks.job_stores.webhooks import Webhook

DOCUMENT = json.dumps({"state": "SUCCESS"})


def fetched(url: str) -> str:
    """Download a picture as a worker does."""
    try:
        fetch.fetch(url)
    except DownloadError as exc:
        return type(exc).__name__
    return "picture"


def told(url: str) -> str:
    """Call a webhook as a worker does."""
    refusal = webhooks.send(Webhook("t", url, DOCUMENT, ended_at=time(), since=time()))
    return "taken" if refusal is None else refusal.reason


def bare(url: str) -> str:
    """Ask an address without any wall, by the proxies of the environment."""
    try:
        return str(requests.get(url, timeout=5).status_code)
    except requests.RequestException as exc:
        return type(exc).__name__


def main() -> None:
    """Answer until the input ends; an error that nobody thought of is named as well."""
    requests.adapters.DEFAULT_CA_BUNDLE_PATH = sys.argv[1]
    kinds = {"fetch": fetched, "tell": told, "bare": bare}
    for line in sys.stdin:
        kind, url = json.loads(line)
        try:
            outcome = kinds[kind](url)
        except Exception as exc:  # noqa: BLE001 - which one it was is what the test looks at
            outcome = f"{type(exc).__name__}: {exc}"
        sys.stdout.write(f"{json.dumps(outcome)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
