"""Files that answer as a trained network does where this project is not: ONNX, its int8 form, and how fast they are."""
