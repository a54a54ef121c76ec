"""Predictors, from recorded outcomes to an ONNX bundle: data, features, fit, calibrate, evaluate, export."""
