"""The place where runs execute: a Dask cluster, the actor on it, the run that drives it and the labs that own runs."""
