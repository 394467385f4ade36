"""ONNX files as graphs of ops."""
