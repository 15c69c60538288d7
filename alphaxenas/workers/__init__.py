"""Many evaluations at once: workers in processes of this machine or on a cluster, jobs, and what becomes of them."""
