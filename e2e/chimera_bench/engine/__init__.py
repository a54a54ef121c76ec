"""A vLLM-compatible engine without a GPU: one pure step model, driven by virtual time or served over HTTP."""
