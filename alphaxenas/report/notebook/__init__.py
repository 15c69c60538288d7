"""What only a notebook needs: figures that live, tables to search in, and one page of all executed notebooks."""
