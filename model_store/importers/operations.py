"""What the graph of a network may not do: touch files, the network, or Python.

A graph is a program. TensorFlow has operations that write files wherever it runs, and a graph that
was imported runs in every worker.
"""

import re
from collections.abc import Iterator
from typing import Any

from model_store.errors import ModelFormatError

SHOWN = 4
# Source: the registered operations of TensorFlow 2.21 that open files or addresses, send between
# processes, print to a place that the graph names, end the process, or call back into Python.
_REACHING_OUT = re.compile(
    r"ReadFile|WriteFile|MatchingFiles|.*Reader(V2)?|Reader.*|.*Dataset.*|Save.*|Restore.*"
    r"|MergeV2Checkpoints|LoadAndRemap.*|InitializeTableFromTextFile.*|Print(V2)?|.*Summary.*"
    r"|Debug.*|_?(Host|Xla)?(Send|Recv)|.*Collective.*|RemoteCall|.*Rpc.*|.*Proto(V2)?|.*PyFunc.*"
    r"|Tpu.*|TPU.*|.*XlaHostCompute.*|CopyToMesh.*|RecordInput|DumpTensor|Skipgram|ImmutableConst"
    r"|CalibrationStatisticsSaver|FixedUnigramCandidateSampler|GenerateVocabRemapping"
    r"|DistributedSave|DTensorRestore.*|FileSystem.*|_?Nccl.*|XlaCustomCall.*|Abort"
)
_MEND = "where it was made, export the network alone, from decoded pixels to numbers"


def refuse(definition: Any) -> None:
    """Raise `ModelFormatError` for a `GraphDef` with operations that reach out of it."""
    names = {name for name in _names(definition) if _REACHING_OUT.fullmatch(name)}
    if names:
        shown = ", ".join(sorted(names)[:SHOWN])
        raise ModelFormatError(
            f"the network holds operations that use files, the network or Python ({shown}); they "
            f"would run in every worker: {_MEND}"
        )


def explained(message: str) -> str:
    """Return TensorFlow's message, with what it means where it misses an operation."""
    missing = re.search(r"Op type not registered '([^']+)'", message)
    if missing is None:
        return message
    return f"it needs the custom operation {missing[1]!r}, which TensorFlow does not have; {_MEND}"


def _names(definition: Any) -> Iterator[str]:
    yield from (node.op for node in definition.node)
    for function in definition.library.function:
        yield from (node.op for node in function.node_def)
