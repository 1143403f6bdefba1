"""Features as a further output of an OpenVINO network: what its last dense layer takes.

OpenVINO keeps no names of what lies inside a SavedModel's functions, so the layer is found by its
place. That works for files of others, too, and for versions that were published without features.
"""

from typing import Any

# What may lie between the dense layer and the probabilities: bias, temperature, softmax.
_AFTER = {"Softmax", "Add", "Subtract", "Divide", "Multiply", "Convert", "Reshape", "Squeeze"}
# What int8 puts before it.
_BEFORE = {"FakeQuantize", "Convert"}
_ROWS = 2


def added(network: Any) -> Any:
    """Return the network of one output with its features [N, width] as the second one.

    It is returned as it is where it does not end with a dense layer of fixed weights.
    """
    if len(network.outputs) != 1:
        return network
    features = _features(network.outputs[0].get_node())
    if features is not None:
        network.add_outputs([features])
    return network


def _features(node: Any) -> Any:
    """Return the port that gives the features, or None."""
    dense = _behind(node.input_value(0), _AFTER)
    if dense.get_node().get_type_name() != "MatMul":
        return None
    port = _behind(dense.get_node().input_value(0), _BEFORE)
    shape = port.get_partial_shape()
    is_rows = shape.rank.is_static and len(shape) == _ROWS and shape[1].is_static
    return port if is_rows and port.get_element_type().get_type_name() == "f32" else None


def _behind(port: Any, passed: set[str]) -> Any:
    """Return the first port, against the flow, that no operation of these types gives."""
    while port.get_node().get_type_name() in passed:
        port = port.get_node().input_value(0)
    return port
