"""Methods that SLiM is compared with."""
