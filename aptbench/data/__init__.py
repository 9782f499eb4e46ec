"""Data sets on disk: store, identity, catalog, readers."""
