"""A release for other catalogues: HDR UK, DCAT-AP, Croissant."""
