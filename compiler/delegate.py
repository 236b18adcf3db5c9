"""Which operators of a .tflite network LiteRT's default path hands to XNNPACK: asked of LiteRT itself.

The delegate's conditions are many (types, ratios of scales, shapes, scales of biases), and an operator that
it leaves to TFLite is computed otherwise, so nothing here guesses.
"""

from __future__ import annotations

from typing import Any

from ai_edge_litert.interpreter import Interpreter, OpResolverType

from compiler.errors import CompileError


def delegated(model: bytes) -> frozenset[int]:
    """Numbers of the operators of a .tflite file, in its order, that XNNPACK executes.

    Raises CompileError when LiteRT's default path cannot run the network at all.
    """
    try:
        interpreter = Interpreter(
            model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN, num_threads=1
        )
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise CompileError(f"LiteRT's default path refuses the network: {error}") from error
    return taken(interpreter)


def taken(interpreter: Any) -> frozenset[int]:
    """The same of an interpreter whose tensors are allocated."""
    # The operators of the file, then a DELEGATE for every part of the network that XNNPACK took.
    nodes = interpreter._get_ops_details()
    own = [node for node in nodes if node["op_name"] != "DELEGATE"]
    makers = {int(tensor): node for node in own for tensor in node["outputs"]}
    found: set[int] = set()
    for part in nodes:
        if part["op_name"] != "DELEGATE":
            continue
        given = {int(tensor) for tensor in part["inputs"]}
        wanted = [int(tensor) for tensor in part["outputs"]]
        while wanted:
            maker = makers.get(wanted.pop())
            if maker is not None and maker["index"] not in found:
                found.add(maker["index"])
                wanted += [int(t) for t in maker["inputs"] if int(t) not in given]
    return frozenset(found)
