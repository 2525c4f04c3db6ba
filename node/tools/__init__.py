"""Tools for operators: make and check a genesis, audit and export what nodes stored, trace milk.

They read stopped nodes' disks, or ask a running one; none changes a chain.
"""
