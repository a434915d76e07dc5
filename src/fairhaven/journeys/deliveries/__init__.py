"""Use cases about deliveries: take an extract or a vocabulary."""
