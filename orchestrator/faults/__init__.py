"""Faults as data: what is wanted, kept and applied; partitions, cuts, link conditions, pauses, churn."""
