"""Cells as jobs of a SLURM cluster, submitted through submitit."""
