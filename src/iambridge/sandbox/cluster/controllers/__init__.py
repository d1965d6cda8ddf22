"""The loops that make objects real: each one an ordinary client with its own `system:` identity.

Here belongs what kube-controller-manager and kube-scheduler do, for the kinds that the cluster serves. A controller
decides from what it lists and watches; what it decides is a pure function where the rules are long (`job_status.py`).
"""
