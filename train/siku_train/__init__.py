"""Tokens -> trained model: QLoRA on packed windows, resumable to the bit."""

import logging

# bitsandbytes warns on import that an optional kernel could not be downloaded; its own CPU kernel is used
# then, which is what the figures of this project were measured with. Only that one message is dropped.
logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(lambda record: "gemm_4bit_forward" not in str(record.msg))
