"""What a Kubernetes API server knows of objects: pure functions, values in and values out; no I/O, clock or randomness.

Types and conforming, protobuf, the four kinds of patch, managed fields, and what each kind defaults and validates.
"""
