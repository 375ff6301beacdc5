"""clnet beside its peers: models, timings, comparisons."""
