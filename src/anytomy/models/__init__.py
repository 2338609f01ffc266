"""The SAM family in PyTorch: image encoders, prompt encoder, mask decoder, checkpoint converters.

Nothing is imported here, so that importing the package costs nothing. Start at `architectures.build`, fill
the model with `checkpoints.read_checkpoint` and `checkpoints.load_weights`, use `sam.Sam.encode` and
`.decode`.
"""
