"""The image: built for real, and run as Kubernetes would run it."""
