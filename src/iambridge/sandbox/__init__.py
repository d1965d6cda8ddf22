"""The embedded world: a Kubernetes cluster and an AWS account on one machine, wired to the production servers.

Nothing here is a second implementation of a decision: it supplies facts and state, and calls the same servers over TLS.
"""
