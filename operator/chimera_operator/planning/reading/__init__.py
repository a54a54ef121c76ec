"""What Kubernetes' objects say, as far as planning asks."""
