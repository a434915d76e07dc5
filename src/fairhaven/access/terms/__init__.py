"""Terms: what a data controller wants, once. `model` has the nouns; they are pure data."""
