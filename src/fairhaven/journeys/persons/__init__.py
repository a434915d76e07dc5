"""Use cases about persons: erase one, finish an erasure that was interrupted, apply opt-outs."""
