"""Finds documents that say the same, and keeps one of each."""
