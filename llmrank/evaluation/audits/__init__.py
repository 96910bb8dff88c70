"""The audits that ask the model, one file each: what each changes, and which evaluations it would say nothing about."""
