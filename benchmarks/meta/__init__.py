"""One meta-gradient step by several libraries: workload, peers and ours."""
