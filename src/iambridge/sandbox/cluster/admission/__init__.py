"""Admission: the namespace's life, and mutating and validating webhooks called over TLS.

Source: apiserver pkg/admission/plugin (namespace/lifecycle, webhook).
"""

from iambridge.sandbox.cluster.admission.attributes import AdmissionAttributes
from iambridge.sandbox.cluster.admission.lifecycle import namespace_lifecycle
from iambridge.sandbox.cluster.admission.webhooks import Mutation, Validation, WebhookAdmission

__all__ = ["AdmissionAttributes", "Mutation", "Validation", "WebhookAdmission", "namespace_lifecycle"]
