"""Speed of the engines on fixed workloads, beside other simulators and the machine's own limit.

``python -m benchmarks`` runs all contenders of a workload in turn, again and again, and compares
them round by round: on a machine that is not quiet only ratios of one run mean something.
"""
