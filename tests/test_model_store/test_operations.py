"""Operations that would reach out of a graph wherever it runs."""

import inspect
import re

import pytest

from model_store.errors import ModelFormatError
from model_store.importers import operations

# What TensorFlow calls the names of files and addresses that its operations are given.
PLACES = re.compile(r"(.*_)?(file(name)?s?|path|directory|address|prefix|region)(_.*)?")


def _refused(*names: str, inside: bool = False) -> str:
    tf = pytest.importorskip("tensorflow")
    graph = tf.compat.v1.GraphDef()
    place = graph.library.function.add().node_def if inside else graph.node
    for name in names:
        place.add(op=name, name=name)
    try:
        operations.refuse(graph)
    except ModelFormatError as exc:
        return str(exc)
    return ""


def test_every_operation_that_names_a_place_is_refused() -> None:
    """By TensorFlow's own list: a version with another one fails here."""
    tf = pytest.importorskip("tensorflow")
    naming = [
        name
        for name in dir(tf.raw_ops)
        if not name.startswith("_")
        and any(map(PLACES.fullmatch, inspect.signature(getattr(tf.raw_ops, name)).parameters))
    ]

    assert len(naming) > 40
    assert [name for name in naming if not _refused(name)] == []


@pytest.mark.parametrize(
    "name",
    [
        *("TFRecordReaderV2", "ReaderReadV2", "TensorDataset", "PrintV2", "Print", "Abort"),
        *("_Send", "Recv", "_HostRecv", "XlaSend", "CollectiveReduceV2", "NcclAllReduce"),
        *("RemoteCall", "RpcServer", "RpcCall", "PyFunc", "EagerPyFunc", "PyFuncStateless"),
        *("DecodeProtoV2", "EncodeProto", "DebugIdentityV2", "WriteSummary", "ScalarSummary"),
        *("TPUReplicate", "TpuHandleToProtoKey", "XlaHostCompute", "CopyToMesh", "XlaCustomCallV2"),
        # Not in the list of the test before.
        *("DumpTensor", "CalibrationStatisticsSaver", "Skipgram", "MatchingFiles"),
        *("FileSystemSetConfiguration", "DTensorRestoreV2", "RestoreSlice", "SaveSlices"),
    ],
)
def test_what_reaches_processes_and_python_is_refused(name: str) -> None:
    """Also in a function of the graph; its name is in the sentence."""
    assert f"({name}); they would run in every worker" in _refused(name)
    assert f"({name})" in _refused(name, inside=True)


def test_what_networks_are_made_of_is_not_refused() -> None:
    """And of many that are refused, four are named."""
    usual = ("Conv2D", "Softmax", "ReadVariableOp", "StatelessWhile", "DecodeJpeg", "Reshape")

    assert _refused(*usual) == ""
    assert "(Abort, PrintV2, ReadFile, RpcCall)" in _refused(
        "WriteFile", "RpcCall", "ReadFile", "PrintV2", "Abort"
    )
