"""`siku tokenizer` and `siku tokens`."""

from __future__ import annotations

from siku_manifests.command import stage_command
from siku_tokenize.stages import TOKENIZER, TOKENS

tokenizer = stage_command("tokenizer", name="tokenizer", help_text=TOKENIZER.help)
tokens = stage_command("tokens", name="tokens", help_text=TOKENS.help)
