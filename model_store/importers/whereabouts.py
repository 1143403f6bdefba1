"""Which files an import may use: the model's, Python's and the system's to read, its own to write.

What is named here is what TensorFlow, Keras, OpenVINO and the resolver of addresses open.
"""

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from model_store.importers import HUB_PREFIX, ImportOptions, is_address

_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64")
_OF_ETC = (
    "ld.so.cache ld.so.preload localtime timezone passwd group nsswitch.conf host.conf hosts "
    "resolv.conf gai.conf protocols services mime.types fonts ssl pki ca-certificates "
    "crypto-policies"
)
# Not all of /proc: other processes are in it.
_OF_PROC = "self cpuinfo meminfo stat version filesystems sys"
_KERNEL = ("/sys/devices/system", "/sys/fs/cgroup", "/dev/urandom", "/dev/random", "/dev/zero")
_SINK = "/dev/null"


@dataclass(frozen=True)
class Whereabouts:
    """Files and folders, absolute; a folder stands for all that is in it.

    Attributes:
        read: Where the model and its labels lie.
        write: Where the import writes.
    """

    read: tuple[str, ...]
    write: tuple[str, ...]


def of_import(source: str, options: ImportOptions, *, write: tuple[Path, ...]) -> Whereabouts:
    """Return what one import may use of the user's files: the model's folder, and its labels."""
    places = [Path(options.labels)] if options.labels else []
    if is_address(source):
        write = (*write, hub_cache())
    else:
        path = Path(source.removeprefix(HUB_PREFIX))
        # A link's own folder has its labels, the other one has what it leads to.
        places += [_folder(path), _folder(path.resolve())]
    return Whereabouts(
        tuple(str(place.absolute()) for place in places),
        tuple(str(place.absolute()) for place in write),
    )


def hub_cache() -> Path:
    """Return where TF Hub keeps what it fetches, as it decides that itself."""
    usual = Path(tempfile.gettempdir()) / "tfhub_modules"
    return Path(os.environ.get("TFHUB_CACHE_DIR", usual))


def readable(places: Whereabouts) -> list[Path]:
    """Return all that an import may read beside what it may write."""
    own = (sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path)
    named = (*own, *_SYSTEM, *_KERNEL, *places.read)
    of_etc = (f"/etc/{name}" for name in _OF_ETC.split())
    of_proc = (f"/proc/{name}" for name in _OF_PROC.split())
    return [Path(name) for name in (*named, *of_etc, *of_proc) if name]


def writable(places: Whereabouts) -> list[Path]:
    """Return all that an import may write."""
    return [Path(name) for name in (*places.write, _SINK)]


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent
