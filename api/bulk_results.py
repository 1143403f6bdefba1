"""The results of a bulk as lines of JSON or CSV, those that are there and those that come."""

import csv
import io
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from time import monotonic
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api import links
from api.access import Standing
from tasks.bulk import life, results
from tasks.bulk.records import Bulk
from tasks.bulk.results import Cursor, Numbered
from tasks.documents import ProblemDocument
from tasks.errors import ServiceUnavailableError, UnknownBulkError
from tasks.job_stores import OVER

MIMETYPES = {"jsonl": "application/jsonl", "csv": "text/csv"}
LONGEST_WAIT_SECONDS = 86_400
HEARTBEAT, NOTHING = b"\n", b""
HEARTBEAT_SECONDS = 15.0
"""After so long, and at once where nothing is there yet, an empty line is sent: else clients and
proxies would take the answer for one that never comes."""
FIRST_COLUMNS = (
    "cursor",
    "number",
    "name",
    "state",
    "model",
    "model_version",
    "error",
    "detail",
    "verdict",
)

logger = logging.getLogger(__name__)


class ResultOptions(BaseModel):
    """What a client may choose when it reads results."""

    model_config = ConfigDict(frozen=True)

    cursor: str = Field(
        default=str(Cursor()),
        pattern=f"^{results.PATTERN.pattern}$",
        description="That of the last line that was read; left out, all lines come.",
    )
    format: Literal["jsonl", "csv"] = Field(
        default="jsonl", description="Lines of JSON, or of CSV with names in the first one."
    )
    wait: float = Field(
        default=0.0,
        ge=0,
        le=LONGEST_WAIT_SECONDS,
        allow_inf_nan=False,
        description="Seconds for which lines are sent as they come, while the bulk is not over; 0"
        " sends what is there. An empty line says that nothing is new.",
    )


def pieces(bulk: Bulk, chosen: ResultOptions, before: str, standing: Standing) -> Iterator[bytes]:
    """Give pieces of the answer, each of whole lines; an empty one while nothing is there.

    Args:
        bulk: Whose results.
        chosen: Which, and how.
        before: The path that a proxy put before every address.
        standing: Of who asked; the answer ends with it.
    """
    write = _csv_of(bulk.top_k) if chosen.format == "csv" else _json
    cursor = Cursor.of(chosen.cursor) or Cursor()
    until, said_at = monotonic() + chosen.wait, float("-inf")
    if chosen.format == "csv" and cursor == Cursor():
        yield _row((*FIRST_COLUMNS, *_columns(bulk.top_k)))
    while True:
        try:
            now = life.get(bulk.bulk_id)
            for lines in results.after(now, cursor):
                if standing.is_lost():
                    return
                cursor = lines[-1].cursor
                said_at = monotonic()
                yield b"".join(write(each, before) for each in lines)
        except (ServiceUnavailableError, UnknownBulkError) as exc:
            # The answer has begun: it ends, and the client asks for the rest with its cursor.
            logger.warning("results end", extra={"bulk_id": bulk.bulk_id, "reason": str(exc)})
            return
        if now.state in OVER or monotonic() >= until or standing.is_lost():
            return
        is_silent = monotonic() - said_at > HEARTBEAT_SECONDS
        said_at = monotonic() if is_silent else said_at
        yield HEARTBEAT if is_silent else NOTHING


def _json(line: Numbered, before: str) -> bytes:
    text = _below(line.text, before) if before else line.text
    return f'{{"cursor": "{line.cursor}", {text[1:]}\n'.encode()


def _below(text: str, before: str) -> str:
    told = json.loads(text)
    if "error" in told:
        problem = links.in_problem(ProblemDocument(**told["error"]), before)
        told["error"] = {n: v for n, v in asdict(problem).items() if v is not None}
    for near in told.get("neighbours", ()):
        if "thumbnail_url" in near:
            near["thumbnail_url"] = before + near["thumbnail_url"]
    return json.dumps(told)


def _csv_of(top_k: int) -> Callable[[Numbered, str], bytes]:
    def write(line: Numbered, before: str) -> bytes:
        told = json.loads(line.text)
        error, labels = told.get("error", {}), told.get("predictions", [])
        slug = error.get("type", "").rpartition("#")[2]
        first = (line.cursor, told["number"], told["name"], told["state"])
        model = (told.get("model", ""), told.get("model_version", ""))
        ranked = [cell for each in labels for cell in (each["label"], each["probability"])]
        del before  # nothing in it is an address
        ends = (slug, error.get("detail", ""), told.get("verdict", ""))
        return _row((*first, *model, *ends, *_filled(ranked, top_k)))

    return write


def _filled(cells: Sequence[Any], top_k: int) -> list[Any]:
    return [*cells, *[""] * (2 * top_k - len(cells))]


def _columns(top_k: int) -> list[str]:
    return [f"{name}_{k}" for k in range(1, top_k + 1) for name in ("label", "probability")]


def _row(cells: Sequence[Any]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()
