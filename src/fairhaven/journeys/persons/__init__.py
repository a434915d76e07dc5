"""Use cases about persons: erase one, apply opt-outs."""
