"""The command `siku dedup`."""

from siku_manifests.command import stage_command

dedup = stage_command(
    "corpus",
    name="dedup",
    help_text="Find duplicates among the documents of RECIPE, keep one of each, split off validation.",
)
