"""What reports are made of in tests: a run with something of everything, and test pictures."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.report_page import Page
from training.judging.evaluation import TestSet
from training.pictures.data import SetAside
from training.reporting.record import Run, RunData

Write = Callable[..., Page]


def drawn(path: str) -> bytes:
    """Return a large picture, whatever the path."""
    buffer = BytesIO()
    Image.new("RGB", (640, 400), "green").save(buffer, "JPEG")
    return buffer.getvalue()


def a_test_set(labels: tuple[str, ...], pictures: int, *, lift: float = 2.0) -> TestSet:
    """Return `pictures` test pictures whose right logit is higher by `lift`."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, len(labels), pictures)
    logits = rng.normal(0, 1, (pictures, len(labels))).astype(np.float32)
    logits[np.arange(pictures), truth] += lift
    paths = tuple(f"{labels[each]}/{i}.jpg" for i, each in enumerate(truth))
    return TestSet(labels, paths, truth, logits, 1.25)


def a_run(labels: tuple[str, ...] = ("a", "b"), **changes: Any) -> Run:
    """Return a run with something of everything."""
    run = Run(
        name="flowers",
        version=3,
        settings={"learning_rate": 0.01, "image_dir": Path("flowers"), "views": (1, 2)},
        versions={"tensorflow": "2.21.0"},
        data=RunData(
            {label: {"train": 8, "validation": 1, "test": 1} for label in labels},
            (SetAside("a/x.jpg", "duplicate: of a/y.jpg"),),
        ),
        phases_seconds={"check": 1.5, "features": 61.0},
        curves={"train_loss": [2.0, 1.0], "validation_loss": [2.5, 1.5], "learning_rate": [0.1]},
        data_fingerprint="sha256:0123abcd",
        started_at="2026-01-02T03:04:05+00:00",
        gate="passed: top-1 is at least 0.5",
    )
    return replace(run, **changes)
