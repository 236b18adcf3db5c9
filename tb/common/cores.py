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

# What hostile programs run on; 64 KiB of memory are loaded in no time.
HOSTILE = {
    "n4": {"N": 4, **SMALL_BUFFERS, "MAX_BURST": 8, "OUTSTANDING": 2, "MEM_WORDS": 16384},
    "n8": {"N": 8, **SMALL_BUFFERS, "MAX_BURST": 16, "OUTSTANDING": 4, "MEM_WORDS": 8192},
}
