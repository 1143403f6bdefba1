"""Small files that claim, or unpack to, far more than they hold: one module a format.

What they are built on: at most 10,000,000 bytes of upload and 40,000,000 pixels, the service's
defaults.
"""

from chaos.hostile.bombs import avif, bmp, gif, jpeg, png, tiff, webp
from chaos.hostile.cases import Case

BOMBS: tuple[Case, ...] = tuple(
    each for module in (jpeg, png, gif, bmp, webp, avif, tiff) for each in module.BOMBS
)
"""Every bomb."""
