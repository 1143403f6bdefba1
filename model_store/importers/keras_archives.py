"""What a Keras file says of itself, read before Keras reads it, and refused if it brings code.

A `.keras` file is a zip with `config.json` and `metadata.json`; the older kind is HDF5 with both in
attributes. Which of the two it is, and which Keras wrote it, is seen from its bytes, not its name.
"""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from model_store.errors import ModelFormatError

# Far more than any network's description has; a file that claims more is hostile.
LARGEST_CONFIG_BYTES = 64 * 2**20
KERAS_3 = 3
# Where classes come from that are part of Keras, as its files name them.
_OWN_MODULES = {"keras", "tf_keras", "keras_core", "tensorflow", "builtins"}
_LAMBDAS = {"Lambda", "__lambda__"}
# Keras' names for values that are no objects, and have no module.
_VALUES = "__"

EXPORT = 'where it was made: model.export("FOLDER"), then publish FOLDER'


@dataclass(frozen=True)
class KerasArchive:
    """A Keras file that holds a whole network and no code.

    Attributes:
        path: The file.
        keras_version: Of the Keras that wrote it, as in `2.15.0`.
        is_hdf5: Whether it is of the older kind, whatever its name ends with.
    """

    path: Path
    keras_version: str
    is_hdf5: bool

    @property
    def generation(self) -> int:
        """The first number of the version: 3, or less for what tf_keras reads."""
        return int(self.keras_version.partition(".")[0])


def inspect(path: Path) -> KerasArchive:
    """Return what a file is.

    Raises:
        ModelFormatError: it is no Keras file, holds weights alone, or brings code of its own.
    """
    is_hdf5 = h5py.is_hdf5(path)
    version, config = _of_hdf5(path) if is_hdf5 else _of_zip(path)
    _refuse_code(path, config)
    return KerasArchive(path, _version(version), is_hdf5)


def _of_hdf5(path: Path) -> tuple[str, Any]:
    try:
        with h5py.File(path) as file:
            attributes = {name: file.attrs[name] for name in ("keras_version", "model_config")}
    except KeyError as exc:
        raise ModelFormatError(
            f"{path} holds weights and no network (HDF5 without {exc.args[0]!r}); where it was "
            'made: model.save("model.keras"), then publish that'
        ) from exc
    except OSError as exc:
        raise ModelFormatError(f"{path} is damaged HDF5: {exc}") from exc
    return _text(attributes["keras_version"]), _parsed(path, attributes["model_config"])


def _of_zip(path: Path) -> tuple[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            metadata, config = _member(archive, "metadata.json"), _member(archive, "config.json")
    except (OSError, KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as exc:
        raise ModelFormatError(
            f"{path} cannot be published: it is no Keras file, neither a zip with config.json and "
            f"metadata.json nor HDF5 ({exc})"
        ) from exc
    found = _parsed(path, metadata)
    version = found.get("keras_version", "") if isinstance(found, dict) else ""
    return _text(version), _parsed(path, config)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > LARGEST_CONFIG_BYTES:
        raise zipfile.BadZipFile(f"{name} is larger than {LARGEST_CONFIG_BYTES} bytes")
    return archive.read(name)


def _parsed(path: Path, text: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError) as exc:
        raise ModelFormatError(f"{path}: the network's description is no JSON: {exc}") from exc


def _text(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _version(text: str) -> str:
    # Files before Keras 2.0 did not say it; whatever cannot be read is tried as the newest.
    return text if text.partition(".")[0].isdecimal() else f"{KERAS_3}"


def _refuse_code(path: Path, config: Any) -> None:
    for found in _objects(config):
        name, module = found["class_name"], found.get("module", "keras")
        if name in _LAMBDAS:
            raise ModelFormatError(
                f"{path} cannot be published: it holds a Python function (a Lambda layer), which "
                f"would run here with your rights; replace it by a layer of Keras, or {EXPORT}"
            )
        if not name.startswith(_VALUES) and str(module).partition(".")[0] not in _OWN_MODULES:
            raise ModelFormatError(
                f"{path} cannot be published: it needs a class that is no part of Keras, {name!r} "
                f"of {module!r}, whose code the file does not have; {EXPORT}"
            )


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every object that a description names, those inside others too."""
    waiting = [config]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            if isinstance(found.get("class_name"), str):
                yield found
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)
