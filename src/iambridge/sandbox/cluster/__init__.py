"""The embedded cluster: a small Kubernetes API, its controllers and a process kubelet.

A request, everywhere: bytes -> `codec` -> `authentication` -> `authorization` -> `registry` (patch, admission and
validation, through `objects`) -> `store` -> `codec` -> bytes. Controllers and the kubelet enter after authentication,
by `client`. What is served is served as kube-apiserver serves it; what is not is absent from discovery or refused by
name.
"""
