"""Discards listed drafts of Smallest AI Atoms voice agents."""

__version__ = "1.0.0"
