"""Readers: one file format each, from files to blocks of clips."""
