"""Tree search over token sequences; knows no network and no architecture."""
