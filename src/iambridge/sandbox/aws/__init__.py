"""An AWS account on one machine: IAM with its durable state, and the gateway in front of every service.

What belongs here: IAM entities and the operations on them, the gateway that authenticates and authorises each request,
the child process that holds moto, and the instance metadata service. What does not: STS (servers/sts.py), signatures
(core/sigv4.py) and policy evaluation (core/iam_policy), which are the same outside the sandbox.
"""
