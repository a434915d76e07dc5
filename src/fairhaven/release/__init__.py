"""What a release says of itself: its manifest, its facts, its description."""
