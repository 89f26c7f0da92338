"""GGUF (version 3) and safetensors: a writer and a reader of each, for what is used here.

Tensors are NumPy arrays. In GGUF, matrices are stored as Q8_0 (blocks of 32 along a row: one F16
scale, 32 signed bytes) and vectors as F32; the reader gives everything back as F32.
"""
import json
import struct

import numpy as np

ALIGNMENT = 32
F32, Q8_0 = 0, 8
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
SCALARS = {UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}


def quantise_q8_0(matrix):
    """Scales [rows, blocks, 1] (F16) and values [rows, blocks, 32] (int8)."""
    blocks = matrix.astype(np.float32).reshape(matrix.shape[0], -1, 32)
    scales = (np.abs(blocks).max(-1, keepdims=True) / 127).astype(np.float16)
    inverse = np.divide(1, scales, out=np.zeros_like(scales, dtype=np.float32), where=scales > 0,
                        dtype=np.float32)
    return scales, np.clip(np.rint(blocks * inverse), -127, 127).astype(np.int8)


def dequantise_q8_0(scales, values):
    return (scales.astype(np.float32) * values).reshape(values.shape[0], -1)


def _string(s):
    data = s.encode("utf-8") if isinstance(s, str) else s
    return struct.pack("<Q", len(data)) + data


def _value(kind, value):
    if kind == STRING:
        return _string(value)
    if kind == ARRAY:
        element, items = value
        return struct.pack("<IQ", element, len(items)) + b"".join(_value(element, x) for x in items)
    return struct.pack(SCALARS[kind], value)


def _padding(size):
    return b"\0" * (-size % ALIGNMENT)


def write_gguf(path, metadata, tensors):
    """`metadata`: list of (key, type, value), an array's value being (element type, items).
    `tensors`: list of (name, array)."""
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata))
    for key, kind, value in metadata:
        head += _string(key) + struct.pack("<I", kind) + _value(kind, value)
    body = b""
    for name, array in tensors:
        if array.ndim == 2:
            kind, (scales, values) = Q8_0, quantise_q8_0(array)
            data = np.concatenate([scales.view(np.int8), values], -1).tobytes()
        else:
            kind, data = F32, array.astype("<f4").tobytes()
        shape = array.shape[::-1]  # GGUF names the contiguous dimension first
        head += _string(name) + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", kind, len(body))
        body += data + _padding(len(data))
    with open(path, "wb") as f:
        f.write(head + _padding(len(head)) + body)


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, layout):
        values = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return values if len(values) > 1 else values[0]

    def string(self):
        size = self.take("<Q")
        self.at += size
        return self.data[self.at - size:self.at].decode("utf-8")

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            element, count = self.take("<IQ")
            return [self.value(element) for _ in range(count)]
        return self.take(SCALARS[kind])


def read_gguf(path):
    """(metadata dict, dict of F32 arrays)."""
    with open(path, "rb") as f:
        r = _Reader(f.read())
    magic, version, tensor_count, key_count = r.take("<4sIQQ")
    if magic != b"GGUF" or version != 3:
        raise ValueError(f"{path} is no GGUF version 3 file")
    metadata = {}
    for _ in range(key_count):
        key = r.string()
        metadata[key] = r.value(r.take("<I"))
    infos = []
    for _ in range(tensor_count):
        name, dims = r.string(), r.take("<I")
        shape = [r.take("<Q") for _ in range(dims)][::-1]
        infos.append((name, shape, *r.take("<IQ")))
    base = r.at + (-r.at % ALIGNMENT)
    tensors = {}
    for name, shape, kind, offset in infos:
        count = int(np.prod(shape))
        if kind == F32:
            tensors[name] = np.frombuffer(r.data, "<f4", count, base + offset).reshape(shape)
        elif kind == Q8_0:
            raw = np.frombuffer(r.data, np.int8, count // 32 * 34, base + offset)
            raw = raw.reshape(shape[0], -1, 34)
            scales = raw[..., :2].copy().view("<f2")
            tensors[name] = dequantise_q8_0(scales, raw[..., 2:])
        else:
            raise ValueError(f"{name}: tensor type {kind} is not read here")
    return metadata, tensors


def write_safetensors(path, tensors):
    """`tensors`: dict of F16 arrays."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, array in tensors.items():
        header[name] = {"dtype": "F16", "shape": list(array.shape),
                        "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            f.write(array.astype("<f2").tobytes())


def read_safetensors(path):
    """Dict of F32 arrays."""
    with open(path, "rb") as f:
        data = f.read()
    size = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, info in header.items():
        begin, end = info["data_offsets"]
        raw = np.frombuffer(data[8 + size + begin:8 + size + end], "<f2")
        tensors[name] = raw.reshape(info["shape"]).astype(np.float32)
    return tensors
