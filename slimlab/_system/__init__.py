"""What the operating system and other processes ask of slimlab: files, cache, signals, distributed training."""
