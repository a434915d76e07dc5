"""What several tests share: inputs, oracles, attacks, readers of what came out."""
