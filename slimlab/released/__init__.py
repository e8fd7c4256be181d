"""The authors' released code: its known faults, and augmentations that do not respect the skeleton."""
