"""The commands of `slimlab`: each file has the arguments of some, and what they run."""
