"""Our service with int8: a copy of the model store in which int8 was made of real photographs."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from model_store import ModelStore
from model_store.settings import ModelSettings
from petiole.parts import ROOT

MODEL = "imagenet"
RUNTIME = "PETIOLE_MODELS_RUNTIME"


@contextmanager
def settings(photographs: Path | None) -> Iterator[Mapping[str, str]]:
    """Give the settings of a service that answers by int8, as `petiole models quantize` makes it.

    Raises:
        SystemExit: int8 answers too often otherwise than float32; says how often.
    """
    if photographs is None:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="petiole-int8-") as directory:
        models = Path(directory) / "models"
        shutil.copytree(os.environ["PETIOLE_MODELS_STORE_URL"], models)
        environment = {**os.environ, "PETIOLE_MODELS_STORE_URL": str(models)}
        command = ("models", "quantize", MODEL, "--images", str(photographs))
        made = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "petiole", *command], cwd=ROOT, env=environment, check=False
        )
        if made.returncode:
            raise SystemExit(made.returncode)
        store = ModelStore.of(ModelSettings(store_url=str(models)))
        card = store.card(MODEL, store.versions(MODEL)[-1])
        yield {
            "PETIOLE_MODELS_STORE_URL": str(models),
            "PETIOLE_MODELS_DEFAULT_MODEL": f"{MODEL}@{card.version}",
            RUNTIME: next(
                each.choice for each in card.variants if each.precision == "int8" and each.serves
            ),
        }
