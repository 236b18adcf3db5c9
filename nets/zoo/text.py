"""Text detection, direction and recognition of PaddleOCR as rapidocr-onnxruntime ships them, Apache-2.0."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from nets.zoo.wheels import Wheel

WHEEL = Wheel(
    "rapidocr-onnxruntime",
    "1.4.4",
    "rapidocr_onnxruntime-1.4.4-py3-none-any.whl",
    "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
)
FILES = {
    "text_direction": "ch_ppocr_mobile_v2.0_cls_infer.onnx",
    "text_detection": "ch_PP-OCRv4_det_infer.onnx",
    "text_recognition": "ch_PP-OCRv4_rec_infer.onnx",
}
SIZES = {"text_direction": (48, 192), "text_detection": (160, 192), "text_recognition": (48, 320)}


def normalised(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 [n, rows, columns, 3] as the networks take them, float32 [n, 3, rows, columns]."""
    return ((pictures.transpose(0, 3, 1, 2).astype(np.float32) / 255 - 0.5) / 0.5).astype(np.float32)


def network(name: str, size: tuple[int, int]) -> Any:
    """A ModelProto with its input fixed to one image of this size."""
    model = onnx.load_model_from_string(WHEEL.read(f"rapidocr_onnxruntime/models/{FILES[name]}"))
    for info in (*model.graph.input, *model.graph.output):
        info.type.tensor_type.shape.dim[0].dim_value = 1
    for dimension, value in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, *size), strict=True):
        dimension.dim_value = value
    return model
