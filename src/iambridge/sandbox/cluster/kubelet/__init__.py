"""The node: runs pods as processes of this machine.

Here belongs what a kubelet and its container runtime do; not scheduling, not anything that decides who may do what. It
is an ordinary client of the cluster. It is not a sandbox: a pod has the rights of the user who started iambridge.
"""
