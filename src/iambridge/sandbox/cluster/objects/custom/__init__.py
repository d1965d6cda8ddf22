"""Custom kinds: what a CustomResourceDefinition's schema says, and the judging of objects by it. All of it pure.

Source: k8s.io/apiextensions-apiserver pkg/apiserver/schema and pkg/apis/apiextensions/validation.
"""
