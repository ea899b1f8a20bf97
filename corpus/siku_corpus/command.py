"""`siku documents`."""

from __future__ import annotations

from siku_manifests.command import stage_command

documents = stage_command(
    "documents",
    name="documents",
    help_text="Read the raw sources of RECIPE, normalize and filter them.",
)
