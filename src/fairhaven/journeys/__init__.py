"""Use cases that cross rooms: take delivery, build a release, erase a person, trace a row, describe a release."""
