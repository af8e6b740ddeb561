"""The loop: a run over a stream, one task after another, and past tasks watched for drift."""
