"""What a file is that is named .onnx and is no ONNX model: the usual mistakes, by their first bytes."""

import re

HEAD = 4096
KINDS = (  # what the head of a file matches, what it then is, and what to do about it
    (rb"version https://git-lfs", "a Git LFS pointer; fetch the model itself with git lfs pull"),
    (rb"PK\x03\x04.*data\.pkl", "a PyTorch checkpoint; export the network to ONNX"),
    (rb"PK\x03\x04", "a ZIP archive; unpack it"),
    (rb"\x1f\x8b", "a gzip file; unpack it"),
    (rb"\x80[\x02-\x05]", "a Python pickle, such as an old checkpoint of PyTorch; export the network to ONNX"),
    (rb".{8}\{\"", "a safetensors file, weights without a network; export the network to ONNX"),
    (rb"....TFL3", "a TensorFlow Lite model; convert it to ONNX"),
    (rb"(\n|\x08\x01).*(Placeholder|VarHandleOp|tensorflow|serving_default)", "a TensorFlow graph; convert it to ONNX"),
    (rb"\x89HDF", "an HDF5 file, as Keras writes them; convert the network to ONNX"),
    (rb"....ORTM", "a model in ORT format; give the .onnx that it was made of"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF....WEBP", "a picture"),
    (rb"\x93NUMPY", "a .npy array"),
    (rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|head)", "a web page; download the file itself"),
    (rb"(\xef\xbb\xbf)?\s*<", "an XML document, such as a server's error; download the file itself"),
    (rb"\s*[{[]", "a JSON document, such as a server's error; download the file itself"),
    (rb"\x00+\Z", "nothing but zero bytes; copy it again"),
    (rb"[\t\n\r -~]+\Z", "a text file"),
)


def kind_of_file(content: bytes) -> str:
    """What these bytes are, and what to do about it; "" where that is not clear."""
    head = content[:HEAD]
    matches = (kind for pattern, kind in KINDS if re.match(pattern, head, re.DOTALL | re.IGNORECASE))
    return next(matches, "")
