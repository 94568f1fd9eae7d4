"""How a version is named and cited."""

from __future__ import annotations

from vadose.producer.recipe import Recipe


def address(recipe: Recipe) -> str:
    """Where the product is described: its DOI if it has one."""
    return f"https://doi.org/{recipe.product.doi}" if recipe.product.doi else recipe.product.landing_url


def how_to_cite(recipe: Recipe) -> str:
    """One line to cite the version."""
    product = recipe.product
    return (
        f"{product.creator.name} ({product.issued[:4]}): {product.title}, version {product.version}. "
        f"{product.publisher.name}. {address(recipe)}, accessed YYYY-MM-DD."
    )
