"""The leaderboard: a static site made from archived results."""

from aptbench.board.site import build_site

__all__ = ["build_site"]
