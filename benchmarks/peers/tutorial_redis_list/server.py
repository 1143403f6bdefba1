"""The tutorial's web server: puts a picture on the list, and looks for its answer every 0.25 s."""

import base64
import json
import os
import sys
import time
import uuid
from typing import Any

import numpy as np
import redis
from flask import Flask, request

from benchmarks.peers.model import load
from benchmarks.peers.tutorial_redis_list import QUEUE, SLEEP_SECONDS

app = Flask(__name__)
model = load()
server: Any = redis.Redis.from_url(os.environ["REDIS_URL"])


@app.post("/classify")
def classify() -> Any:
    """Answer with the labels of the form's file once the model server has left them."""
    pixels = model.prepare(request.files["image"].read()).astype(np.float32)
    key = str(uuid.uuid4())
    encoded = base64.b64encode(pixels.tobytes()).decode()
    server.rpush(QUEUE, json.dumps({"id": key, "image": encoded}))
    while not (answer := server.get(key)):
        time.sleep(SLEEP_SECONDS)
    server.delete(key)
    return json.loads(answer)


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]))
