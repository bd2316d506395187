"""What stands around a run's journal: hooks, a copy in the cluster, and a run that comes from one."""
