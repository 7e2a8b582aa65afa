"""Transposed convolutions and pixel shuffles in the forms that are fast in 8 bits, with equal results.

ONNX Runtime has no 8-bit transposed convolution. In fp32 these forms are slower.
"""

import numpy as np
from onnx import NodeProto

from gan_trainer.export.precision.graph import Array, Graph, attributes, is_plain, node_of

SHUFFLE = "DepthToSpace"
FEW = 16  # channels: ONNX Runtime's 8-bit kernels compute so many at a time
ACTIVATIONS = ("Relu", "LeakyRelu")


def rewrite_shuffles(graph: Graph) -> None:
    """Rewrite a graph for 8-bit convolutions."""
    transposed_to_subpixel(graph)
    activate_before_shuffles(graph)
    convolve_before_shuffles(graph)


def transposed_to_subpixel(graph: Graph) -> None:
    """Replace transposed convolutions by convolutions and pixel shuffles (Shi et al. 2016, section 3.2).

    Output rows s i + r of stride s read every s-th row of the kernel. The kernels of all r are those of one convolution
    with s s times as many channels.
    """
    for node in list(graph.nodes):
        if node.op_type == "ConvTranspose" and graph.multiplies(node) and _multiplies_size(graph, node):
            graph.replace(node, _subpixel(graph, node))


def _multiplies_size(graph: Graph, node: NodeProto) -> bool:
    """Whether the result is exactly `stride` times as high and wide as the input: the kernel is stride + 2 padding."""
    if not is_plain(node, stride=None):
        return False
    stride, pad = _stride_and_pad(node)
    return graph.constants[node.input[1]].shape[2:] == (stride + 2 * pad,) * 2


def _stride_and_pad(node: NodeProto) -> tuple[int, int]:
    about = attributes(node)
    return about.get("strides", [1])[0], about.get("pads", [0])[0]


def _subpixel(graph: Graph, node: NodeProto) -> list[NodeProto]:
    stride, pad = _stride_and_pad(node)
    kernel, before = subpixel_kernel(graph.constants[node.input[1]], stride, pad)
    bias = [np.repeat(graph.constants[name], stride**2) for name in node.input[2:]]
    return _shuffled(graph, node.input[0], kernel, bias, before, node.output[0], stride)


def _shuffled(
    graph: Graph, source: str, kernel: Array, bias: list[Array], before: int, result: str, block: int
) -> list[NodeProto]:
    """A convolution padded by `before` rows and columns, which keeps the size, and a pixel shuffle by `block`."""
    channels, side = f"{result}_channels", kernel.shape[-1]
    names = [graph.constant(f"{result}_weights", value) for value in (kernel, *bias)]
    pads = [before, before, side - 1 - before, side - 1 - before]
    return [
        node_of("Conv", [source, *names], [channels], kernel_shape=[side, side], pads=pads),
        node_of(SHUFFLE, [channels], [result], blocksize=block, mode="CRD"),
    ]


def subpixel_kernel(weight: Array, stride: int, pad: int) -> tuple[Array, int]:
    """The kernel [out s s, in, k, k] of the convolution, and the rows that it is padded by before the first one.

    `weight` [in, out, kernel, kernel] is that of the transposed convolution. Its output row s i + r gets the input row
    i - t times the kernel's row r + pad + s t. Channels are ordered by output channel, row phase r and column phase.
    """
    size = weight.shape[2]
    rows = {(r, t): r + pad + stride * t for r in range(stride) for t in range(-size, size + 1)}
    rows = {key: row for key, row in rows.items() if 0 <= row < size}
    first, last = -max(t for _, t in rows), -min(t for _, t in rows)
    side = last - first + 1
    kernel = np.zeros((weight.shape[1], stride, stride, weight.shape[0], side, side), weight.dtype)
    for (r, t), row in rows.items():
        for (c, u), column in rows.items():
            kernel[:, r, c, :, -t - first, -u - first] = weight[:, :, row, column].T
    return kernel.reshape(-1, weight.shape[0], side, side), -first


def activate_before_shuffles(graph: Graph) -> None:
    """Move each ReLU after a pixel shuffle before it, beside its convolution."""
    for shuffle in list(graph.nodes):
        activation = graph.only_reader(shuffle) if shuffle.op_type == SHUFFLE else None
        if activation is None or activation.op_type not in ACTIVATIONS:
            continue
        channels, result = shuffle.input[0], activation.output[0]
        activation.input[0], activation.output[0] = channels, f"{result}_channels"
        shuffle.input[0], shuffle.output[0] = activation.output[0], result
        graph.remove(activation)
        graph.replace(shuffle, [activation, shuffle])


def convolve_before_shuffles(graph: Graph) -> None:
    """Let convolutions that give few channels read the pixels before a shuffle; their own results are shuffled instead.

    A convolution of the shuffled grid is one of the grid before, with s s times as many channels on both sides. This
    costs s s times the products, of which the kernels compute as many anyway, and moves no pixels.
    """
    for shuffle in list(graph.nodes):
        conv = graph.only_reader(shuffle) if shuffle.op_type == SHUFFLE else None
        if conv is None or conv.op_type != "Conv" or not graph.multiplies(conv) or not is_plain(conv):
            continue
        block, weight = attributes(shuffle)["blocksize"], graph.constants[conv.input[1]]
        if len(weight) * block**2 > FEW or not _is_crd(shuffle) or weight.shape[-1] != 2 * _stride_and_pad(conv)[1] + 1:
            continue
        _move_past(graph, shuffle, conv, block)


def _is_crd(shuffle: NodeProto) -> bool:
    return bool(attributes(shuffle).get("mode") == b"CRD")


def _move_past(graph: Graph, shuffle: NodeProto, conv: NodeProto, block: int) -> None:
    kernel, before = kernel_before_shuffle(graph.constants[conv.input[1]], block, _stride_and_pad(conv)[1])
    bias = [np.broadcast_to(along_phases(graph.constants[name]), kernel.shape[:3]) for name in conv.input[2:]]
    after = graph.only_reader(conv)
    more = attributes(after)["blocksize"] if after is not None and after.op_type == SHUFFLE and _is_crd(after) else 1
    ordered, *rest = (_one_shuffle(value, more) for value in (kernel, *bias))
    last = conv if more == 1 or after is None else after
    graph.remove(shuffle, *([conv] if last is not conv else []))
    graph.replace(last, _shuffled(graph, shuffle.input[0], ordered, rest, before, last.output[0], block * more))


def along_phases(values: Array) -> Array:
    """A number per output channel in the shape of its phases."""
    return values[:, None, None]


def _one_shuffle(values: Array, more: int) -> Array:
    """Channels [out m m, s, s, …] for two shuffles, by s and then by m, ordered for one by s m: [out s m s m, …]."""
    split = values.reshape(-1, more, more, *values.shape[1:])  # out, m rows, m columns, s rows, s columns
    return split.transpose(0, 3, 1, 4, 2, *range(5, split.ndim)).reshape(-1, *values.shape[3:])


def kernel_before_shuffle(weight: Array, block: int, pad: int) -> tuple[Array, int]:
    """The kernel [out, s, s, in s s, k, k] that reads the grid before a shuffle by s, and its padding.

    `weight` [out, in, kernel, kernel] reads the shuffled grid. Its row t, for the output row s y + p, reads the row
    s y + p + t - pad: row phase (p + t - pad) mod s of the coarse row y + (p + t - pad) div s.
    """
    out, channels, size, _ = weight.shape
    rows = {(p, t): divmod(p + t - pad, block) for p in range(block) for t in range(size)}
    first, last = (choose(row for row, _ in rows.values()) for choose in (min, max))
    side = last - first + 1
    kernel = np.zeros((out, block, block, channels, block, block, side, side), weight.dtype)
    for (p, t), (y, r) in rows.items():
        for (q, u), (x, c) in rows.items():
            kernel[:, p, q, :, r, c, y - first, x - first] = weight[:, :, t, u]
    return kernel.reshape(out, block, block, channels * block**2, side, side), -first
