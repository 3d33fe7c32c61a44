"""Someone's own ONNX network → one as mien's model files hold it: uint8 pixels of a view in, logits out.

What stands before the network turns pixels into what it was trained on, so that nobody can normalise them otherwise.
What it gives is looked at on a few pictures before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mien.data.measuring.runtime import open_session
from mien.data.reading.preprocess import View
from mien.errors import ModelError
from mien.models.artifact import METADATA_KEY
from mien.models.seal import MAX_MODEL_BYTES
from mien.system.files import read_file, why

__all__ = [
    "LEAST_PROBABILITY",
    "UINT8",
    "Answers",
    "Channels",
    "Layout",
    "OwnNetwork",
    "Shown",
    "answers_of",
    "kind_of_answers",
    "read_network",
    "wrapped",
]

Layout = Literal["nchw", "nhwc"]
Channels = Literal["rgb", "bgr"]
Answers = Literal["logits", "probabilities"]

OURS = "mien/"
"""What the names of everything that stands around the network begin with."""
LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, as Pillow and the networks of mien have it."""
LEAST_OPSET = 9
LEAST_IR = 4
"""Of ONNX's file format: from here on weights need not be listed among the inputs."""
LEAST_PROBABILITY = 1e-12
SUMS_TO_ONE = 1e-3
SAME, SAME_IN_HALVES = 1e-3, 2e-2
"""How far an answer may move, in units of the largest, with the pictures beside it in a batch; and that of a network of
16-bit floats."""
UINT8: int = TensorProto.UINT8
FLOATS = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16", TensorProto.DOUBLE: "float64"}


@dataclass(frozen=True)
class OwnNetwork:
    """A network as its file describes it.

    Attributes:
        path: of the file, for messages.
        model: ONNX model, all weights in it.
        pixels: name of its input.
        kind: ONNX's number for the type of its numbers.
        layout: where its channels are.
        channels: 1 or 3.
        size: side of its square input, px.
        answers: name of the output that is used.
    """

    path: Path
    model: Any
    pixels: str
    kind: int
    layout: Layout
    channels: int
    size: int
    answers: str


@dataclass(frozen=True)
class Shown:
    """What a network wants to be shown.

    Attributes:
        mean: is taken off each channel, one number or one per channel.
        std: each channel is divided by this afterwards.
        white: what a white pixel is before that.
        order: of the channels.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    white: float = 1.0
    order: Channels = "rgb"


def read_network(path: Path, *, size: int | None, layout: Layout | None, output: str | None) -> OwnNetwork:
    """Read a network and find out what it takes.

    Args:
        size: side of its input where the file leaves it open.
        layout: where its channels are, where the shape does not tell.
        output: which of its outputs holds the answers; None for the only one.

    Raises:
        ModelError: if it cannot be read, or takes or gives anything else than pictures and classes.
    """
    model = _loaded(path)
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in stored]
    if len(inputs) != 1:
        named = ", ".join(each.name for each in inputs) or "none"
        raise ModelError(f"{path}: has {len(inputs)} inputs ({named}); export a network with one, the picture")
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type not in (*FLOATS, TensorProto.UINT8):
        raise ModelError(f"{path}: its input {inputs[0].name} is of no kind that pixels have; export it for float32")
    shape = [each.dim_value or None for each in tensor.shape.dim]
    found, channels, side = _picture(path, shape, size, layout)
    outputs = [each.name for each in model.graph.output]
    answers = output or outputs[0]
    if answers not in outputs or (output is None and len(outputs) != 1):
        asked = f"no output {answers!r}" if answers not in outputs else f"{len(outputs)} outputs"
        raise ModelError(f"{path}: has {asked}; say with output= which of {', '.join(outputs)} holds the classes")
    return OwnNetwork(path, model, inputs[0].name, tensor.elem_type, found, channels, side, answers)


def wrapped(network: OwnNetwork, view: View, shown: Shown, answers: Answers) -> Any:
    """An ONNX model of a network with pixels of a view as its input, uint8 (n, S, S, 3), and ``logits`` (n, K).

    Args:
        answers: what the network gives.
    """
    model = onnx.ModelProto()
    model.CopyFrom(network.model)
    graph = model.graph
    names = {name: f"{OURS}theirs/{name}" for name in (view.name, "logits", *_begun(graph, OURS))}
    _rename(graph, names)
    given = names.get(network.pixels, network.pixels)
    nodes = list(graph.node)
    del graph.node[:]
    constants, before = _before(network, view.name, given, shown)
    graph.node.extend([*before, *nodes])
    found, after = _after(names.get(network.answers, network.answers), answers)
    graph.node.extend(after)
    graph.initializer.extend([*constants, *found])
    del graph.input[:], graph.output[:], graph.value_info[:]
    model.ir_version = max(model.ir_version, LEAST_IR)
    graph.input.append(
        helper.make_tensor_value_info(view.name, TensorProto.UINT8, ["n", network.size, network.size, 3])
    )
    graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", None]))
    return model


def answers_of(network: OwnNetwork, model: Any, view: View, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a wrapped network answers to pictures, (N, K'), once it is certain that it can be served.

    Args:
        pictures: uint8 (N, S, S, 3), at least two of them.

    Raises:
        ModelError: if it cannot be run, or if an answer is not finite, varies from call to call or with the other
            pictures of a batch.
    """
    path = network.path
    run = _runner(path, model, view)
    alone = [run(pictures[i : i + 1]) for i in range(len(pictures))]
    first = np.concatenate(alone) if all(each.ndim == 2 and len(each) == 1 for each in alone) else alone[0]
    if first.ndim != 2 or len(first) != len(pictures):
        raise ModelError(
            f"{path}: gives {'×'.join(map(str, alone[0].shape))} numbers for one picture; export a network that gives "
            "one row per picture with one number per class"
        )
    if not np.isfinite(first).all():
        raise ModelError(
            f"{path}: some of its answers are no finite numbers; check mean, std and white, or its weights"
        )
    same = SAME_IN_HALVES if network.kind == TensorProto.FLOAT16 else SAME
    room = same * max(1.0, float(np.abs(first).max()))
    if np.abs(run(pictures[:1]) - first[:1]).max() > room:
        raise ModelError(f"{path}: its answers vary from call to call; export it for use, as after network.eval()")
    try:
        together = run(pictures)
    except ModelError:
        together = None
    if together is None or together.shape != first.shape:
        raise ModelError(
            f"{path}: takes one picture at a time; export it with a first dimension that may vary, as with "
            "dynamic_shapes or dynamic_axes of torch.onnx.export"
        )
    if np.abs(together - first).max() > room:
        raise ModelError(
            f"{path}: its answer to a picture varies with the others in the batch; export it for use, as after "
            "network.eval(), with a first dimension that may vary"
        )
    return first


def _loaded(path: Path) -> Any:
    try:
        model = onnx.load_from_string(read_file(path, MAX_MODEL_BYTES))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({why(error)}); give the ONNX file of a network") from error
    except Exception as error:  # of Protocol Buffers, whose errors have no common class
        raise ModelError(f"{path}: no ONNX file; export the network first, as with torch.onnx.export") from error
    if any(each.key == METADATA_KEY for each in model.metadata_props):
        raise ModelError(f"{path}: has mien's contract already; use it as it is, as in mien.Recognizer({str(path)!r})")
    version = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=0)
    if version < LEAST_OPSET:
        raise ModelError(
            f"{path}: written for version {version} of ONNX's operators; export it for {LEAST_OPSET} or later"
        )
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except Exception as error:  # of the system, of the checker, or of a damaged file
        told = (str(error).strip().splitlines() or ["no reason given"])[0][:200]
        raise ModelError(f"{path}: its weights cannot be read ({told}); put their files beside it") from error
    return model


def _picture(
    path: Path, shape: Sequence[int | None], size: int | None, layout: Layout | None
) -> tuple[Layout, int, int]:
    """Layout, channels and side of an input of this shape."""
    told = "×".join("?" if each is None else str(each) for each in shape) or "nothing"
    if len(shape) != 4:
        raise ModelError(f"{path}: takes {told}; export a network that takes pictures, N×3×S×S or N×S×S×3")
    first, last = (shape[place] in (1, 3) for place in (1, 3))
    if layout is None and first == last:
        raise ModelError(
            f"{path}: takes {told}, which does not tell where the channels are; give layout='nchw' or 'nhwc'"
        )
    found: Layout = layout or ("nchw" if first else "nhwc")
    channels, sides = (shape[1], shape[2:]) if found == "nchw" else (shape[3], shape[1:3])
    if channels not in (1, 3):
        raise ModelError(f"{path}: takes {told}, {channels or '?'} channels as {found}; export it for 3, or 1 of grey")
    known = {each for each in (*sides, size) if each is not None}
    if not known:
        raise ModelError(f"{path}: takes {told}, pictures of any size; say which one it was trained on with size=")
    if len(known) > 1:
        asked = f", and size={size} was given" if size is not None else ""
        raise ModelError(f"{path}: takes {told}{asked}; pictures are square and of the size that it was exported for")
    return found, channels, known.pop()


def _before(network: OwnNetwork, pixels: str, into: str, shown: Shown) -> tuple[list[Any], list[Any]]:
    """Constants and nodes from pixels to what the network takes."""
    constants: list[Any] = []
    nodes: list[Any] = []
    last = pixels

    def add(kind: str, *further: str, **attributes: Any) -> None:
        nonlocal last
        made = f"{OURS}{len(nodes)}"
        nodes.append(helper.make_node(kind, [last, *further], [made], **attributes))
        last = made

    def constant(values: Any) -> str:
        name = f"{OURS}constant-{len(constants)}"
        constants.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    is_grey, is_whole = network.channels == 1, network.kind == TensorProto.UINT8
    if not is_whole or is_grey:
        add("Cast", to=TensorProto.FLOAT)
    if is_grey:
        add("MatMul", constant(np.reshape(LUMA, (3, 1))))
    elif shown.order == "bgr":
        if is_whole:
            add("Cast", to=TensorProto.FLOAT)
        add("MatMul", constant(np.eye(3)[::-1]))
    if not is_whole:
        add("Mul", constant(shown.white / 255))
        add("Sub", constant(shown.mean))
        add("Div", constant(shown.std))
    elif last != pixels:
        add("Add", constant(0.5))  # Cast cuts off; whole numbers are rounded
    if network.layout == "nchw":
        add("Transpose", perm=[0, 3, 1, 2])
    add("Cast", to=network.kind)
    nodes[-1].output[0] = into
    return constants, nodes


def _after(answers: str, kind: Answers) -> tuple[list[Any], list[Any]]:
    """Constants and nodes from the network's answers to logits."""
    as_float = helper.make_node("Cast", [answers], [f"{OURS}answers"], to=TensorProto.FLOAT)
    if kind == "logits":
        as_float.output[0] = "logits"
        return [], [as_float]
    least = numpy_helper.from_array(np.asarray(LEAST_PROBABILITY, np.float32), f"{OURS}least")
    some = helper.make_node("Max", [f"{OURS}answers", least.name], [f"{OURS}some"])
    return [least], [as_float, some, helper.make_node("Log", [f"{OURS}some"], ["logits"])]


def _rename(graph: Any, names: dict[str, str]) -> None:
    """Give values of a graph, and of the graphs within it, other names."""
    for node in graph.node:
        node.input[:] = [names.get(each, each) for each in node.input]
        node.output[:] = [names.get(each, each) for each in node.output]
        for attribute in node.attribute:
            for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                _rename(inner, names)
    for each in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        each.name = names.get(each.name, each.name)


def _begun(graph: Any, start: str) -> Iterator[str]:
    """The names of values that begin so."""
    for node in graph.node:
        yield from (each for each in (*node.input, *node.output) if each.startswith(start))
    yield from (each.name for each in (*graph.input, *graph.initializer) if each.name.startswith(start))


def _runner(path: Path, model: Any, view: View) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Runs a model on pictures."""

    def failed(error: Exception) -> ModelError:
        first = (str(error).strip().splitlines() or ["no reason given"])[0][:200]
        return ModelError(f"{path}: cannot be run ({first}); export it again, for ONNX Runtime")

    try:
        onnx.checker.check_model(model)  # some graphs crash ONNX Runtime
        content = model.SerializeToString()
        session = open_session(content)
    except Exception as error:  # both raise classes of their own
        raise failed(error) from error

    def run(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            return np.asarray(session.run(None, {view.name: pictures})[0])
        except Exception as error:
            raise failed(error) from error

    return run


def kind_of_answers(path: Path, found: NDArray[np.float32], asked: Answers | None) -> Answers:
    """Whether a network gives logits or probabilities.

    Args:
        found: (N, K) what it gave.
        asked: what was said of it.

    Raises:
        ModelError: if that is not so, or if the numbers lie between 0 and 1 but are no probabilities of one class.
    """
    is_share = bool((found >= -SUMS_TO_ONE).all() and (found <= 1 + SUMS_TO_ONE).all())
    is_sum = is_share and bool((np.abs(found.sum(1) - 1) <= SUMS_TO_ONE * found.shape[1]).all())
    if is_sum and asked == "logits":
        raise ModelError(f"{path}: gives probabilities, which sum to 1, not logits; leave outputs= out")
    if asked == "probabilities" and not is_sum:
        raise ModelError(f"{path}: its answers do not sum to 1, so they are no probabilities; give outputs='logits'")
    if is_share and not is_sum and asked is None:
        raise ModelError(
            f"{path}: its answers lie between 0 and 1 but do not sum to 1, as of a yes or no for each class; export it "
            "without the last sigmoid, or give outputs='logits' to take them as they are"
        )
    return "probabilities" if is_sum else "logits"
