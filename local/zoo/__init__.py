"""The zoo, the published networks: what belongs to it (entries), how it is made (publish), what is written about it."""
