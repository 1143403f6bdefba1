"""The API of the service that is built with relier, in FastAPI, which its authors name first."""

import base64
import time
from typing import Any

import kombu.exceptions
import redis
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from relier import AdmissionRejectedError, RedisConnectionError
from relier.config import get_settings
from relier.core.keys import RedisKeys
from relier.storage.redis import get_relier_redis
from relier.tasks.app import celery_app

from chaos.peers.relier.tasks import classify

STORE_ERRORS = (RedisConnectionError, redis.RedisError, kombu.exceptions.OperationalError)


async def accept(request: Request) -> JSONResponse:
    """Hand a picture to relier and answer with its task id."""
    upload = base64.b64encode(await request.body()).decode()
    receipt = await classify.apush(upload)
    return JSONResponse({"task_id": receipt.id}, status_code=202)


def result(task_id: str) -> JSONResponse:
    """Answer what Celery's result backend knows; FastAPI calls it in a thread."""
    found = celery_app.AsyncResult(task_id)
    document: dict[str, Any] = {"task_id": task_id, "state": found.state}
    if document["state"] == "SUCCESS":
        document |= found.result
    return JSONResponse(document)


async def live() -> JSONResponse:
    """Answer that the process runs."""
    return JSONResponse({})


async def ready() -> JSONResponse:
    """Answer how many workers gave relier a sign of life, as its resurrector counts them."""
    client = await get_relier_redis()
    oldest = time.time() - get_settings().heartbeat_ttl
    workers = int(await client.zcount(RedisKeys.workers(), oldest, "+inf"))
    return JSONResponse({"workers": workers}, status_code=200 if workers else 503)


async def refuse(_: Request, exc: Exception) -> JSONResponse:
    """Answer 429 where relier admits no more, 503 where Redis fails."""
    if isinstance(exc, AdmissionRejectedError):
        return JSONResponse({}, status_code=429, headers={"Retry-After": str(exc.retry_after)})
    return JSONResponse({"detail": str(exc)}, status_code=503)


app = FastAPI(exception_handlers=dict.fromkeys((AdmissionRejectedError, *STORE_ERRORS), refuse))
app.add_api_route("/classify", accept, methods=["POST"])
app.add_api_route("/result/{task_id}", result)
app.add_api_route("/livez", live)
app.add_api_route("/readyz", ready)
