"""The server: a native HTTP API to prompt, correct, save and export (`docs/server.md`)."""
