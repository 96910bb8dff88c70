"""What names an item: titles and identifiers, each found among the candidates."""
