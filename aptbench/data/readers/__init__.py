"""Readers and writers of other programs' files; index order and units are always explicit."""
