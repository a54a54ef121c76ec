"""Bytes of an OpenAI API call into typed values, and back with what the picker changes.

Pure. Decodes only the fields it needs; everything else passes through untouched, byte for byte.
"""
