"""Switches off augmentation in a traced network, where an export left it on.

`model.export` of Keras 3.15 traces augmentation layers as in training: the network turns its
pictures by chance, and counts its draws in a variable, so it cannot be made of constants either.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from tensorflow.python.framework import convert_to_constants as steps

from model_store import graphs
from model_store.errors import ModelFormatError

_DRAWING = re.compile(
    r"(Stateless|Parameterized)?(Random(Uniform|Standard|Gamma|Normal)|Multinomial|TruncatedNormal).*"
)
_WRITING = re.compile(r"Assign\w*VariableOp")
# Layers that pass a picture unchanged when they are off; a random crop would still resize it.
_LAYER = re.compile(
    r"(?:.*/)?(random_(?:flip|rotation|zoom|translation|shear|brightness|contrast|hue|saturation|"
    r"sharpness|grayscale|invert|posterization|solarization|color_jitter|gaussian_blur))(?:_\d+)*(?=/)"
)


def found(graph: Any) -> tuple[str, ...]:
    """Return the kinds of augmentation layers that a graph holds, as Keras names them, sorted."""
    matches = (_LAYER.match(node.name) for node in _nodes(graph.as_graph_def()))
    return tuple(sorted({match[1] for match in matches if match}))


def frozen(traced: Any) -> Any:
    """Return a traced network with its variables made constants and without augmentation.

    Raises:
        ModelFormatError: its answers depend on random numbers that are counted in a variable.
        ValueError: TensorFlow cannot make it so.
    """
    definition = traced.graph.as_graph_def()
    if not any(_WRITING.fullmatch(node.op) for node in _nodes(definition)):
        return graphs.frozen(traced)
    # TensorFlow's own steps, between which there is no public place to stop. The functions are put
    # in line first, so that what is written lies in one graph with what is answered.
    data = steps._FunctionConverterDataInEager(traced, True, True)
    graph, inputs = steps._replace_variables_by_constants(data)
    _pass_by(graph)
    answering = _answering(graph, traced)
    _refuse_draws(answering)
    return steps._construct_concrete_function(traced, answering, inputs)


def _nodes(definition: Any) -> Iterator[Any]:
    yield from definition.node
    for function in definition.library.function:
        yield from function.node_def


def _pass_by(graph: Any) -> None:
    """Give those who read what an augmentation layer gives what that layer takes."""
    for layer in dict.fromkeys(_layer(node.name) for node in graph.node):
        taken = _taken(graph, layer) if layer else None
        if taken is None:
            continue
        for node in graph.node:
            if _layer(node.name) != layer:
                names = [taken if _layer(_source(name)) == layer else name for name in node.input]
                _read(node, names)


def _layer(name: str) -> str:
    match = _LAYER.match(name)
    return match[0] if match else ""


def _taken(graph: Any, layer: str) -> str | None:
    """Return what a layer takes beside constants, if that is one tensor."""
    nodes = {node.name: node for node in graph.node}
    inside = [node for node in graph.node if _layer(node.name) == layer]
    outside = {name for node in inside for name in _data(node) if _layer(_source(name)) != layer}
    pictures = {name for name in outside if _origin(nodes, name).op != "Const"}
    return pictures.pop() if len(pictures) == 1 else None


def _origin(nodes: dict[str, Any], name: str) -> Any:
    """Return the node that a tensor comes from, before it was handed on unchanged."""
    node = nodes[_source(name)]
    while node.op == "Identity":
        node = nodes[_source(_data(node)[0])]
    return node


def _data(node: Any) -> list[str]:
    return [name for name in node.input if not name.startswith("^")]


def _source(name: str) -> str:
    return name.removeprefix("^").partition(":")[0]


def _read(node: Any, names: Iterable[str]) -> None:
    names = list(names)
    node.ClearField("input")
    node.input.extend(names)


def _answering(graph: Any, traced: Any) -> Any:
    """Return what the outputs are computed from, and the inputs; writes lead to neither."""
    nodes = {node.name: node for node in graph.node}
    waiting = [tensor.op.name for tensor in traced.outputs]
    needed = {tensor.op.name for tensor in traced.inputs}
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += [_source(given) for given in _data(nodes[name])]
    kept = type(graph)(versions=graph.versions, library=graph.library)
    kept.node.extend(nodes[name] for name in nodes if name in needed)
    for node in kept.node:
        _read(node, _data(node))
    return kept


def _refuse_draws(graph: Any) -> None:
    drawing = sorted({node.op for node in _nodes(graph) if _DRAWING.fullmatch(node.op)})
    if drawing:
        raise ModelFormatError(
            f"the network's answers depend on random numbers ({', '.join(drawing)}): augmentation "
            'or dropout is on in the export; where it was made: model.save("model.keras"), and '
            "publish that, where it is off"
        )
