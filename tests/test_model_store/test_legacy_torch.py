"""Reading PyTorch's legacy files without PyTorch, and without trusting them.

The files are written here the way `torch.save(..., _use_new_zipfile_serialization=False)` writes
them: pickles with references to storages, then the storages.
"""

import io
import os
import pickle
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from model_store.errors import ModelFormatError
from model_store.pretrained import legacy_torch

NUMBERS = np.arange(24, dtype=np.float32)


class Storage:
    """Stands for a torch storage while a file is written."""


class Rebuild:
    """Pickles as the call that rebuilds a tensor from its storage."""

    def __init__(self, torch: ModuleType, *arguments: object) -> None:
        """Keep the stand-in module and the arguments of the call."""
        self._torch, self._arguments = torch, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """Return the call."""
        return self._torch._rebuild_tensor_v2, self._arguments


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Modules with the three names that pickles of state dicts refer to."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
    exec("def _rebuild_tensor_v2(*_): ...", vars(utils))  # noqa: S102  (a name in a module)
    utils._rebuild_tensor_v2.__module__ = "torch._utils"
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    torch._rebuild_tensor_v2 = utils._rebuild_tensor_v2
    return torch


def _write(path: Path, torch: ModuleType, tensors: dict[str, tuple[object, ...]]) -> None:
    """Write tensors, each as (offset, shape, strides), that share one storage of 24 numbers."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, item: object) -> object:
            if isinstance(item, Storage):
                return ("storage", torch.FloatStorage, "key", "cpu", len(NUMBERS), None)
            return None

    storage, stream = Storage(), io.BytesIO()
    state = OrderedDict(
        (name, Rebuild(torch, storage, *place, False, OrderedDict()))
        for name, place in tensors.items()
    )
    for item in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, state, ["key"]):
        Pickler(stream, protocol=2).dump(item)
    stream.write(len(NUMBERS).to_bytes(8, "little") + NUMBERS.tobytes())
    path.write_bytes(stream.getvalue())


def test_strides_are_honoured(tmp_path: Path, torch: ModuleType) -> None:
    """A tensor stored channels last comes back in the order of its shape."""
    _write(tmp_path / "w.pth", torch, {"w": (0, (2, 3, 4), (12, 1, 3))})

    tensor = legacy_torch.read_state_dict(tmp_path / "w.pth")["w"]

    assert np.array_equal(tensor, NUMBERS.reshape(2, 4, 3).transpose(0, 2, 1))
    assert tensor.flags.c_contiguous


def test_tensors_may_share_a_storage(tmp_path: Path, torch: ModuleType) -> None:
    """The offset says where a tensor begins; no dimension at all is one number."""
    _write(tmp_path / "w.pth", torch, {"tail": (20, (4,), (1,)), "one": (5, (), ())})

    state = legacy_torch.read_state_dict(tmp_path / "w.pth")

    assert state["tail"].tolist() == [20, 21, 22, 23]
    assert state["one"] == 5


@pytest.mark.parametrize(
    "place",
    [(0, (25,), (1,)), (20, (5,), (1,)), (-1, (2,), (1,)), (3, (2, 2), (-1, 1)), (0, (9,), (3,))],
)
def test_a_tensor_cannot_reach_outside_its_storage(
    tmp_path: Path, torch: ModuleType, place: tuple[object, ...]
) -> None:
    """Else a made-up file could read this process's memory."""
    _write(tmp_path / "w.pth", torch, {"w": place})

    with pytest.raises(ModelFormatError, match="tensor w reaches outside its storage"):
        legacy_torch.read_state_dict(tmp_path / "w.pth")


def test_other_names_are_refused(tmp_path: Path) -> None:
    """A pickle can name any function; nothing outside the short list is even looked up."""

    class Attack:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "owned"),)

    (tmp_path / "w.pth").write_bytes(pickle.dumps(Attack(), protocol=2))

    with pytest.raises(ModelFormatError, match=r"mkdir, which is not allowed"):
        legacy_torch.read_state_dict(tmp_path / "w.pth")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("kept", [0, 10, 40, 200, -1])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, torch: ModuleType, kept: int) -> None:
    """Missing weights are never made up."""
    path = tmp_path / "w.pth"
    _write(path, torch, {"w": (0, (24,), (1,))})
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(ModelFormatError, match=r"w\.pth is no legacy PyTorch state dict"):
        legacy_torch.read_state_dict(path)
