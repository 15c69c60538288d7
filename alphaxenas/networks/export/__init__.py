"""Trained networks as Keras, SavedModel and ONNX files."""

EXPORT_FORMATS = ("keras", "savedmodel", "onnx")
