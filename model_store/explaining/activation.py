"""Class activation maps: what the last feature map of a network says for a label, place by place.

For networks that end with the mean over all places, one dense layer and softmax. The map is the
feature map [H, W, C] times how the logarithm of the label's probability changes with each feature.
One prediction makes it, against hundreds by occlusion. It is taken from the version's float32 file
for OpenVINO, whatever runtime serves it, and that file is compiled a second time with the feature
map as an output: what serves plain answers stays as it is.

Source: Zhou et al. 2016 (CAM); with the softmax in it, Grad-CAM of the log-probability without its
cut at zero (Selvaraju et al. 2017), as the gradient is the same at every place here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from model_store.agreement import FLOAT32
from model_store.explaining.maps import CLASS_ACTIVATION, HeatMap

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from model_store.card import ModelCard

RUNTIME = "openvino"
# What may lie between the dense layer and the probabilities, and between the mean and that layer.
_AFTER = frozenset({"Softmax", "Add", "Subtract", "Divide", "Multiply", "Convert"})
_BETWEEN = frozenset({"Transpose", "Reshape", "Squeeze", "Convert"})
_PLACES: dict[tuple[int, ...], tuple[int, int, int]] = {(2, 3): (1, 2, 0), (1, 2): (0, 1, 2)}
"""How a feature map without its first axis becomes [H, W, C], by the axes that the mean is over."""


@dataclass(frozen=True, eq=False)
class _Ending:
    """The end of a network: the port of its feature map, and its dense layer [C, classes]."""

    features: Any
    weights: NDArray[np.float32]
    to_places: tuple[int, int, int]


class ActivationMaps:
    """A network that gives its last feature map, as the last output, beside its probabilities."""

    def __init__(self, compiled: Any, ending: _Ending) -> None:
        """Use a compiled network whose first output are its probabilities; see `of`."""
        self._compiled, self._ending = compiled, ending

    @classmethod
    def of(cls, card: ModelCard, directory: Path) -> Self | None:
        """Return the maps of a version whose files are in a directory.

        None where it has no float32 file for OpenVINO, or does not end as it has to.
        """
        path = next((v.path for v in card.variants if _fits(v.runtime, v.precision)), None)
        if path is None:
            return None
        try:
            from model_store.runtimes.openvino import options  # noqa: PLC0415 - may be missing
        except ImportError:
            return None
        # After the line above, which forbids it to report to anybody.
        import openvino  # noqa: PLC0415

        core = openvino.Core()
        network = core.read_model(directory / path)
        ending = _ending(network)
        if ending is None:
            return None
        network.add_outputs([ending.features])
        return cls(core.compile_model(network, "CPU", options(1)), ending)

    def heat_map(self, pixels: NDArray[np.uint8], class_index: int) -> HeatMap:
        """Return the map of pixels [H, W, 3] for a class, as large as the feature map."""
        found = self._compiled([pixels[None]])
        probabilities, features = found[0][0], found[len(found) - 1][0]
        weights = self._ending.weights
        slope = weights[:, class_index] - weights @ probabilities
        places = features.transpose(self._ending.to_places)
        return HeatMap((places @ slope).astype(np.float32), CLASS_ACTIVATION)


def _fits(runtime: str, precision: str) -> bool:
    return runtime == RUNTIME and precision == FLOAT32


def _ending(network: Any) -> _Ending | None:
    """Return how a network ends, or None where it does not end as it has to."""
    dense = _behind(network.outputs[0].get_node().input_value(0), _AFTER).get_node()
    if dense.get_type_name() != "MatMul":
        return None
    weights = _behind(dense.input_value(1), frozenset({"Convert"})).get_node()
    mean = _behind(dense.input_value(0), _BETWEEN).get_node()
    if weights.get_type_name() != "Constant" or mean.get_type_name() != "ReduceMean":
        return None
    features = mean.input_value(0)
    to_places = _PLACES.get(_axes(mean))
    if to_places is None or len(features.get_partial_shape()) != len(to_places) + 1:
        return None
    matrix = np.asarray(weights.data, np.float32)
    matrix = matrix.T if dense.get_attributes()["transpose_b"] else matrix
    channels = features.get_partial_shape()[1 + to_places[2]]
    fits = channels.is_static and channels.get_length() == len(matrix)
    return _Ending(features, matrix, to_places) if fits else None


def _axes(mean: Any) -> tuple[int, ...]:
    """Return the axes that a mean over a feature map [N, …] of four axes is taken over."""
    axes = mean.input_value(1).get_node()
    if axes.get_type_name() != "Constant":
        return ()
    return tuple(sorted(int(axis) % 4 for axis in np.ravel(axes.data)))


def _behind(port: Any, passed: frozenset[str]) -> Any:
    """Return the first port, against the flow, that no operation of these types gives."""
    while port.get_node().get_type_name() in passed:
        port = port.get_node().input_value(0)
    return port
