"""Trained networks as Keras, SavedModel and ONNX files."""
