"""Public datasets and people's own files in, splits and Cases out."""
