"""What programs can meet on the chip: operators, memories, every end and what comes after it, every wait."""

from __future__ import annotations

from models.isa import ID_FETCH, ID_LOAD, ID_STORE, Cause
from tb.chip.host import ACCOUNT
from tb.common.cover import Coverage, Cross, Never, Point

CAUSES = {cause.name.lower(): int(cause) for cause in Cause}
# Causes with an address, of any engine that reads, or writes.
READ_ERRORS = ["read_slverr", "read_decerr", "read_window"]
WRITE_ERRORS = ["write_slverr", "write_decerr", "write_window"]
# Every queue of tokens, from and to: what waits while it is empty, and while it is full.
CHANNELS = ["load_compute", "compute_load", "compute_store", "store_compute", "store_load"]
# What an engine is found doing. works: it has a command, and the tokens for it.
STATES = ["idle", "waits", "works"]
# What a cut-off finds.
FOUND = {"fetch": ["quiet", "reads"], "load": STATES, "compute": STATES, "store": STATES}

COVERAGE = Coverage(
    "chip",
    # ---------------------------------------------------------------- a sample a layer that was right
    Point(
        "operator",
        {
            "conv": "CONV_2D",
            "dense": "FULLY_CONNECTED",
            "depthwise": "DEPTHWISE_CONV_2D",
            "max": "MAX_POOL_2D",
            "average": "AVERAGE_POOL_2D",
            "table": ("LOGISTIC", "RELU", "LEAKY_RELU"),
            "add": "ADD",
            "sub": "SUB",
            "mul": "MUL",
            "pad": "PAD",
            "concat": "CONCATENATION",
            "cut": "STRIDED_SLICE",
        },
        "of a layer",
    ),
    Point("contract", ["tflite", "tflite-single", "fp32"], "whose arithmetic"),
    Cross("operator_x_contract", ("operator", "contract")),
    # ---------------------------------------------------------------- a sample a program that was right
    Point("latency", {"short": 2, "usual": 10, "long": 100}, "of the memory, cycles"),
    Point("stall", {"never": 0, "some": 60, "most": 200}, "of the memory, of 256 cycles"),
    Cross("memory", ("latency", "stall")),
    Point("after", {"done": 0, **CAUSES, "reset": -1}, "what ended the program before one that is right"),
    Point("spent", [*ACCOUNT, "load_wait", "store_wait"], "counters of a program that are not 0"),
    # ---------------------------------------------------------------- a sample a program that was stopped
    Point("cause", CAUSES, "of the error record"),
    Point("engine", {"fetch": ID_FETCH, "load": ID_LOAD, "store": ID_STORE}, "of the error record"),
    Cross(
        "error",
        ("cause", "engine"),
        [
            Never(
                "not on the bus",
                cause=sorted(CAUSES.keys() - {*READ_ERRORS, *WRITE_ERRORS}),
                engine=("load", "store"),
            ),
            Never("store reads nothing", cause=READ_ERRORS, engine="store"),
            Never("only store writes", cause=WRITE_ERRORS, engine=("fetch", "load")),
        ],
    ),
    Point("channel", CHANNELS, "a queue of tokens for which a command waits for ever"),
    Point("queue", ["empty", "full"], "that it waits with"),
    Cross("wait", ("channel", "queue")),
    # ---------------------------------------------------------------- a sample a program that was cut off
    Point("cut_off", ["reset", "stop"], "by whom"),
    *(Point(f"{name}_was", states, f"{name} as it is cut off") for name, states in FOUND.items()),
    *(Cross(f"cut_off_x_{name}", ("cut_off", f"{name}_was")) for name in FOUND),
)
