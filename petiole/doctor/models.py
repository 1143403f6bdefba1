"""The model store: whether it can be read, has the default model, and has it unharmed."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from model_store import ModelStore, ModelStoreError, command_line
from model_store.card import ModelCard
from model_store.errors import CorruptVersionError, StoreUnavailableError
from model_store.settings import ModelSettings
from petiole import parts, planning
from petiole.doctor.findings import Finding, error, warning, well

MODULES = {"openvino": "openvino", "litert": "ai_edge_litert", "tensorflow": "tensorflow"}
"""What our own runtimes import; one from another package brings what it needs."""


def look() -> Iterator[Finding]:
    """Look at the store and at the model that classifies when a client names none."""
    settings = ModelSettings()
    url, name = parts.absolute(settings.store_url), settings.default_model
    if parts.is_path(url) and not Path(url).is_dir():
        yield error("models", f"the model store {url} does not exist", planning.remedy(name))
        return
    store = ModelStore.of(settings)
    try:
        card = store.card(*store.resolve(name))
        store.verify(card)
    except StoreUnavailableError as exc:
        yield error("models", str(exc), "make it reachable, or correct PETIOLE_MODELS_STORE_URL")
    except CorruptVersionError as exc:
        models = command_line.command("models", "show", name)
        yield error("models", str(exc), f"publish it anew, or go back to another version: {models}")
    except ModelStoreError as exc:
        yield error("models", str(exc), planning.remedy(name))
    else:
        yield well("models", f"{card.ref} is in {store.place}, as it was published")
        yield _runtimes(card)


def _runtimes(card: ModelCard) -> Finding:
    wanted = sorted({variant.runtime for variant in card.variants if variant.serves})
    here = [name for name in wanted if find_spec(MODULES.get(name, name)) is not None]
    if here:
        return well("runtimes", f"{card.ref} can be run by {', '.join(here)}")
    return warning(
        "runtimes",
        f"{card.ref} needs {' or '.join(wanted)}, and none is installed here",
        "no worker can run on this machine; install the extra: pip install 'petiole[worker]'",
    )
