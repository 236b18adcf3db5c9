"""Parameters of small cores, which several benches build."""

from __future__ import annotations

# Buffers that wrap and fill within a short program.
SMALL_BUFFERS = {
    "ACT_WORDS": 256,
    "WGT_WORDS": 128,
    "OUT_WORDS": 64,
    "PAR_WORDS": 32,
    "RES_WORDS": 64,
    "ACC_DEPTH": 16,
    "LINE_WORDS": 16,
}
