"""Results about the store: the use case's own have the form that users parse."""

from fairhaven.journeys.store_verification import StoreVerification

__all__ = ["StoreVerification"]
