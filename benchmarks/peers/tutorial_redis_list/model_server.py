"""The tutorial's model server: takes up to 32 pictures off the list, predicts, sleeps 0.25 s."""

import base64
import json
import os
import time
from typing import Any

import numpy as np
import redis

from benchmarks.peers.model import TOP_K, document, load
from benchmarks.peers.tutorial_redis_list import BATCH_SIZE, QUEUE, SLEEP_SECONDS


def serve() -> None:
    """Poll the list for ever."""
    model = load()
    side = model.card.preprocessing.input_size
    server: Any = redis.Redis.from_url(os.environ["REDIS_URL"])
    while True:
        queued = [json.loads(item) for item in server.lrange(QUEUE, 0, BATCH_SIZE - 1)]
        if queued:
            floats = [np.frombuffer(base64.b64decode(q["image"]), np.float32) for q in queued]
            batch = np.stack([each.reshape(side, side, 3) for each in floats]).astype(np.uint8)
            for item, row in zip(queued, model.predict(batch), strict=True):
                server.set(item["id"], json.dumps(document(model.rank(row, k=TOP_K))))
            server.ltrim(QUEUE, len(queued), -1)
        time.sleep(SLEEP_SECONDS)


if __name__ == "__main__":
    serve()
