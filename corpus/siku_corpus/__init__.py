"""Raw sources to normalized, filtered documents."""
