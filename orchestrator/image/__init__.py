"""The node image: what goes into it, where its base comes from, building it without a registry (images/README.md)."""

from orchestrator.image.build import ImageInfo, ensure_image, find_finished_image

__all__ = ["ImageInfo", "ensure_image", "find_finished_image"]
