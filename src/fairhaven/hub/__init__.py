"""Wiring: reads a hub's folder and plugs its rooms together. The only place that names concrete adapters."""

from fairhaven.hub.hub_files import read_text
from fairhaven.hub.new_hub import make_hub
from fairhaven.hub.store_modes import modes_of
from fairhaven.hub.wiring import open_hub

__all__ = ["make_hub", "modes_of", "open_hub", "read_text"]
