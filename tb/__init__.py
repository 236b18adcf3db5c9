"""The verification suite: benches by block, agents by protocol."""
