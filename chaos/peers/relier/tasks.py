"""The task of the service that is built with relier: `--include=chaos.peers.relier.tasks`.

It does what a classify worker of the harness does: note the execution, work, answer with the
softmax of the mean colours. A picture is so small that it travels in its message.
"""

import asyncio
import base64
import io
import os
from typing import Any

import numpy as np
from PIL import Image
from relier import rl_task

from chaos import executions
from chaos.pictures import LABELS, expected

TASK = "classify"
SOFT_SECONDS = "CHAOS_SOFT_SECONDS"
HARD_SECONDS = "CHAOS_HARD_SECONDS"


async def _classify(upload: str) -> dict[str, Any]:
    # Blocking work belongs into a thread, say its authors: only so can it be timed out.
    return await asyncio.to_thread(_predict, base64.b64decode(upload))


def _predict(upload: bytes) -> dict[str, Any]:
    pixels = np.asarray(Image.open(io.BytesIO(upload)))
    executions.work(pixels)
    probabilities = expected(pixels)
    ranked = [(float(probabilities[i]), LABELS[i]) for i in range(len(LABELS))]
    ranked.sort(reverse=True)
    return {"predictions": [{"label": label, "probability": p} for p, label in ranked]}


classify = rl_task(
    name=TASK,
    idempotent=True,
    soft_timeout=int(os.environ[SOFT_SECONDS]),
    hard_timeout=int(os.environ[HARD_SECONDS]),
)(_classify)
